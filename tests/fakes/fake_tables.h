/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * A declared table whose owners and keys are the test's, a list of numbers by name in place of
 * metrics/instance_numbers.h, and what the rows must be, made anew from owners and keys.
 */
#ifndef PMDAKVM_TESTS_FAKE_TABLES_H
#define PMDAKVM_TESTS_FAKE_TABLES_H

#include "fakes/support.h"
#include "vms/tables.h"

#define FAKE_OWNERS 32
#define FAKE_KEYS   16

struct fake_key {
	uint32_t key, number; /* number: as struct table_key's */
	char name[16];	      /* "": none */
	bool has_range;
	struct snapshot_range range;
};

extern struct fake_tables {
	struct table table; /* until the first sync the test can change it */
	struct snapshot_table *to;
	struct fake_owner { /* by id */
		char name[32];
		struct labels *labels; /* {"vm":NAME} at first, of VMs and vCPUs */
		struct fake_key keys[FAKE_KEYS];
		size_t nkeys;
	} pool[FAKE_OWNERS];
	struct owners owners;
	struct owner list[FAKE_OWNERS]; /* behind owners */
	bool has_numbers;		/* the sync has a list of numbers */
	bool begins;			/* what begin() returns */
	int fill_error;			/* fill() returns this */
	const char *no_number;		/* a name that cannot have a number */
	unsigned taken, released;	/* calls, of the list of numbers */
} fake;

/* Of owners of this kind; with keys, and the label "reason", or one row per owner. */
void fake_begin(enum owner_kind kind, bool keys);
int fake_end(void **state);

/* The owners there are: ids apart by blanks, in natural order. */
void fake_owners(const char *ids);

/* The keys of an owner apart by blanks, each as KEY[:NAME][=FIRST-LAST][#NUMBER]. */
void fake_keys(uint32_t owner, const char *keys);

void fake_label(uint32_t owner, const char *text);

/* table_sync(), table_fill() of that. */
int fake_sync(void);
int fake_fill(void);

/* The rows, one per line: NAME, #NUMBER or, by name, ~NUMBER, LABELS. The caller frees it. */
char *fake_rows(void);

/*
 * The rows are those of all owners and keys, each is found by its number, and exactly the names of
 * rows with a number by name are in use.
 */
void assert_synced(void);

/* fake_sync(), which succeeds, and that. */
void sync_rows(void);

/* Rows as "NAME#NUMBER NAME~NUMBER". Numbers by name count from 1, in the order of first use. */
void assert_names(const char *text);

/* All rows have their values, or none has one. */
void assert_values(bool present);

/* The labels of the row of this name. */
void assert_row_labels(const char *name, const char *json);

#endif /* PMDAKVM_TESTS_FAKE_TABLES_H */
