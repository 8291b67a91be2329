/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Snapshots: the values read at one moment, as tables of rows (instances) and columns (values).
 * Every cell is a number, a text, or absent. A snapshot can be saved as text and loaded again, so
 * that output code can be tested without a kernel.
 */
#ifndef PMDAKVM_SNAPSHOT_H
#define PMDAKVM_SNAPSHOT_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "metrics/labels.h"
#include "metrics/units.h"

/* The values that fall into a bucket of a histogram. */
struct snapshot_range {
	uint64_t first, last; /* both inclusive; last UINT64_MAX: no upper bound */
};

/* A range as text: 4096-8191, 7, 2147483648+. */
#define SNAPSHOT_RANGE_SIZE 48
void snapshot_range_text(const struct snapshot_range *range, char text[SNAPSHOT_RANGE_SIZE]);

/* The parts of a row's name, joined by "::"; NULL: none. */
struct snapshot_name {
	const char *owner, *key;
	const struct snapshot_range *range;
};

/* A row is an instance. */
struct snapshot_row {
	uint32_t number;      /* the PCP instance number */
	uint32_t owner_bytes; /* length of the owner in name; 0: none */
	uint32_t key_bytes;   /* length of the key in name; 0: none */
	bool has_range;
	bool by_name; /* the number is one of metrics/instance_numbers.h */
	uint64_t id;  /* identifies the row in its table while this process runs */
	char *name;   /* OWNER::KEY::RANGE, of those it has; "" in a table without instances */
	struct snapshot_range range;
	struct labels *labels; /* of the owner, shared by its rows; NULL: none */
	struct labels *own;    /* of key and range; NULL: none */
};

struct snapshot_column {
	char *name;
	/* Used if the metric is METRIC_BY_COLUMN. METRIC_BY_COLUMN here: not set. */
	enum metric_semantics semantics;
	enum metric_units units;
};

struct snapshot_cell {
	bool present;
	uint64_t number;
	char *text; /* NULL: the cell is a number */
};

struct snapshot_table {
	char *name;
	struct snapshot_column *columns;
	size_t ncolumns;
	struct snapshot_row *rows; /* in natural order */
	size_t nrows;
	size_t room;		     /* allocated rows, of rows and of cells */
	struct snapshot_cell *cells; /* [nrows][ncolumns] */
	uint64_t changes;	     /* incremented when rows are added or removed */
	uint32_t *by_number;	     /* [nrows] row indexes sorted by number; made on demand */
	uint64_t by_number_changes;  /* the value of changes when that was made */
	size_t next_row;	     /* the row after the last that was found by number */
	struct past_names *past;     /* keeps the names of rows by name that go; NULL: nobody */
};

struct snapshot {
	struct snapshot_table **tables; /* pointers to tables stay valid */
	size_t ntables;
};

void snapshot_free(struct snapshot *snapshot);

/*
 * Add an empty table. Returns 0, -EEXIST for an existing name, -EINVAL for a name with a control
 * character, or -ENOMEM.
 */
int snapshot_add_table(struct snapshot *snapshot, const char *name,
		       struct snapshot_table **ret_table);

/* Return the table of this name, or NULL. */
struct snapshot_table *snapshot_find_table(const struct snapshot *snapshot, const char *name);

/*
 * Add a column at the end; new cells are absent. Returns 0, -EEXIST for an existing name, -EINVAL
 * for a name with a control character, or -ENOMEM.
 */
int snapshot_table_add_column(struct snapshot_table *table, const char *name);

/* Set the semantics and units of a column. */
void snapshot_table_describe(struct snapshot_table *table, size_t column,
			     enum metric_semantics semantics, enum metric_units units);

/*
 * Initialize a row: its name is composed of the parts, all else is 0. Returns 0, -EINVAL for a
 * name with a control character, or -ENOMEM. snapshot_row_free() frees what the row points to.
 */
int snapshot_row_init(struct snapshot_row *row, const struct snapshot_name *name);
void snapshot_row_free(struct snapshot_row *row);

/* Add a row at the end, which the table owns from then on; cells are absent. 0 or -ENOMEM. */
int snapshot_table_add_row(struct snapshot_table *table, const struct snapshot_row *row);

/*
 * Make the allocated array of n rows the table's rows; all cells become absent. Does not free what
 * the replaced rows point to: the caller moves or frees them. On -ENOMEM nothing has changed.
 */
int snapshot_table_set_rows(struct snapshot_table *table, struct snapshot_row *rows, size_t n);

/* Return the index of the column of this name, or -1. */
int snapshot_table_column(const struct snapshot_table *table, const char *name);

/* Return the index of the row with this instance number, or -1. */
int snapshot_table_row(struct snapshot_table *table, uint32_t number);

/*
 * Return the index of the row with this name of len bytes, or -1. *at is where to look first, and
 * becomes what follows the row: rows of tables in the same order are found at once.
 */
int snapshot_table_find_row(const struct snapshot_table *table, const char *name, size_t len,
			    size_t *at);

/* Return the cell at a row index and a column index. */
struct snapshot_cell *snapshot_table_cell(const struct snapshot_table *table, size_t row,
					  size_t column);

/* Treat -EEXIST as success, for callers that add what may exist already. */
static inline int snapshot_once(int err)
{
	return err == -EEXIST ? 0 : err;
}

/* Make all cells absent. The memory of texts is kept for reuse. */
void snapshot_table_unset(struct snapshot_table *table);

/*
 * Set a cell to a number, to a copy of a text, or to absent. Control characters in the text, and
 * bytes that are not UTF-8, are replaced by '?'. snapshot_cell_set_text() returns 0, or -ENOMEM
 * with the cell absent.
 */
void snapshot_cell_set(struct snapshot_cell *cell, uint64_t number);
int snapshot_cell_set_text(struct snapshot_cell *cell, const char *text);
void snapshot_cell_unset(struct snapshot_cell *cell);

/* Write the snapshot as text. Returns 0 or the error of writing. */
int snapshot_save(const struct snapshot *snapshot, FILE *file);

/*
 * Read the text format of snapshot_save(), or of version 2. Returns 0; -EINVAL for an invalid line;
 * -EILSEQ for one that is not UTF-8; -ENODATA if the end is missing; -ENOMEM; or the error of
 * reading. On failure *ret_line is the line number and ret_snapshot is untouched.
 */
int snapshot_load(FILE *file, struct snapshot *ret_snapshot, unsigned *ret_line);

#endif /* PMDAKVM_SNAPSHOT_H */
