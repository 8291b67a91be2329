/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Families of the tests' own in place of the real ones, and CPUs and events to order. */
#ifndef PMDAKVM_TESTS_FAKES_H
#define PMDAKVM_TESTS_FAKES_H

#include <bpf/libbpf.h>

#include "collector/collector.h"
#include "fakes/support.h"

enum { ALPHA, BETA, GAMMA, DELTA, FAKES };

/* A family that does as it is told, and notes what was asked of it. */
struct fake {
	int open_err, attach_err, sync_err, read_err, missed_err;
	const char *error, *attach_error; /* words for those errors */
	const char *said;		  /* a warning while it attaches */
	bool no_state;
	uint64_t missed, generation;
	size_t more_rows, more_columns; /* than the one that each table begins with */
	void (*when_opened)(const struct family_env *env);
	void (*when_attached)(const struct family_env *env);
	struct family_env env;
	unsigned opens, attaches, detaches, closes, syncs, reads[2];
	/* What the hooks of fake_hooks answer, and how often they were asked. */
	int refresh_ret;
	const struct family_map *maps;
	size_t nmaps;
	unsigned refreshes, ticks;
	unsigned reads_before; /* of all families' tables, at the last refresh */
};

extern struct fake fakes[FAKES];

/* Give alpha other tables; until the next setup. */
void fake_alpha_tables(const struct family_table *tables, size_t n);

/* Give a family the hooks refresh, look and map, which it may do without; until the next setup. */
void fake_hooks(size_t family);

/* How often tables were read, of all families. */
unsigned fake_reads(void);

/* A table's hooks: a column "reads" that says how often it was read. */
int fake_sync(void *state, struct snapshot_table *table);
int fake_read(void *state, struct snapshot_table *table);

/* The machine: what it answers, and how often it was asked. */
extern struct machine {
	int cpus_err, events_err, pins_err, update_ret;
	bool pin;    /* what collector_open is told */
	bool no_kvm; /* there is no event */
	uint64_t stamp;
	unsigned updates, finds, pins_opens, pins_closes;
} machine;

extern struct config config;
extern struct items items;
extern struct report report;
extern struct collector *collector;

/* Setup and teardown: families that all work; what was opened is closed, once. */
int fake_setup(void **state);
int fake_teardown(void **state);

#define fake_test(test) cmocka_unit_test_setup_teardown(test, fake_setup, fake_teardown)

void open_all(void);

/* Opening fails with this error, and as a whole. */
void assert_open_fails(int err);

/* The cell in that table, row and column of the collector's snapshot. */
struct snapshot_cell *cell_at(const char *table, size_t row, const char *column);

/* Say something as libbpf would, through the function that it has now. */
int say_as_libbpf(enum libbpf_print_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif /* PMDAKVM_TESTS_FAKES_H */
