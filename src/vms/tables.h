/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Tables are declared: their columns, whose rows they have (of the host, CPUs, VMs or vCPUs, each
 * times a key), and how to fill a row. This module keeps the snapshot's rows as declared: names,
 * numbers, labels, order.
 */
#ifndef PMDAKVM_TABLES_H
#define PMDAKVM_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "metrics/instance_numbers.h"
#include "metrics/snapshot.h"
#include "vms/owners.h"

/* The instance number follows from the row's name: see metrics/instance_numbers.h; bit 30 is set.
 */
#define TABLE_BY_NAME UINT32_MAX

/* Labels of a key besides those of its name and range. */
#define TABLE_LABELS 2

struct table_key {
	uint32_t key;			    /* identifies the row among its owner's */
	const char *name;		    /* NULL: none */
	const struct snapshot_range *range; /* NULL: none */
	uint32_t number;		    /* of the instance, or TABLE_BY_NAME */
	const struct label *labels;	    /* [nlabels] besides those of name and range */
	size_t nlabels;			    /* at most TABLE_LABELS */
};

/* A table while its rows are brought up to date. */
struct table_sync;

/*
 * The owner has a row with this key. Keys come in ascending order. A row whose name has a control
 * character, or cannot have a number, is left out. Returns 0 or -ENOMEM.
 */
int table_want(struct table_sync *sync, const struct table_key *key);

struct table;

/* A row that is to be filled. */
struct table_row {
	const struct table *table;
	const struct owner *owner;
	uint32_t key;		     /* as given to table_want() */
	struct snapshot_cell *cells; /* one per column */
};

struct table {
	const char *name;
	enum owner_kind owner;
	int variant;		    /* tells the family's tables apart in its functions */
	const char *label;	    /* of a key's name; NULL: no label */
	const char *const *columns; /* ends with NULL; NULL: make_columns makes them */
	/* Add missing columns; existing ones keep their place. Returns 0 or -ENOMEM. */
	int (*make_columns)(void *state, const struct table *table, struct snapshot_table *to);
	/* Call table_want() for each key of the owner. NULL: one row per owner, without a key. */
	int (*keys)(void *state, const struct owner *owner, struct table_sync *sync);
	/*
	 * Called before rows are filled; values of all cells are absent. If it returns false, they
	 * stay so. NULL: as if it returned true.
	 */
	bool (*begin)(void *state);
	/* Set the known values of a row. Returns 0 or -ENOMEM. */
	int (*fill)(void *state, const struct table_row *row);
};

/*
 * Bring columns and rows of a snapshot table up to date. Rows that still exist keep their number;
 * numbers may be NULL if nobody looks at them. Returns 0 or -ENOMEM; then the rows are as before.
 */
int table_sync(const struct table *table, void *state, const struct owners *owners,
	       struct instance_numbers *numbers, struct snapshot_table *to);

/* Bring its columns up to date alone, which table_sync() does, too. Returns 0 or -ENOMEM. */
int table_columns_sync(const struct table *table, void *state, struct snapshot_table *to);

/* Fill in the present values of all rows. Returns 0 or -ENOMEM. */
int table_fill(const struct table *table, void *state, const struct owners *owners,
	       struct snapshot_table *to);

#endif /* PMDAKVM_TABLES_H */
