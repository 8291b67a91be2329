/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* The stat family with an attached iterator, its tables and the register's, for synthetic VMs. */
#ifndef PMDAKVM_TESTS_FAKE_STAT_TABLES_H
#define PMDAKVM_TESTS_FAKE_STAT_TABLES_H

#include "fakes/fake_vms.h"
#include "families/stat/stat.h"
#include "vms/tables.h"

/* The family's tables, then the register's. */
#define TABLES (STAT_TABLES + 3)

extern struct stat_family family;
extern struct snapshot snapshot;
extern struct owners owners;

/* Two VMs, a and b; a's vCPUs. */
extern struct shown a, a0, a1, b;

int stat_tables_setup(void **state);
int stat_tables_teardown(void **state);
#define stat_tables_test(test) \
	cmocka_unit_test_setup_teardown(test, stat_tables_setup, stat_tables_teardown)

const struct table *table_at(size_t i);
void *state_at(size_t i);

void owners_follow(void);
int sync_one(size_t i);
int read_one(size_t i);
void tables_sync(void);
void tables_read(void);

/* What a fetch does after a pass. */
void tables_refresh(void);

struct snapshot_table *table_of(const char *name);
const struct snapshot_cell *cell_of(const char *name, const char *row, const char *column);

/* The columns as "NAME:SEMANTICS:UNITS". */
void assert_columns(const char *name, const char *text);

/* The rows' names, in their order. */
void assert_rows(const char *name, const char *text);

void assert_cell(const char *name, const char *row, const char *column, uint64_t expected);
void assert_absent(const char *name, const char *row, const char *column);

#endif /* PMDAKVM_TESTS_FAKE_STAT_TABLES_H */
