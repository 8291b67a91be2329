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

#include "metrics/units.h"

/* An instance's labels: a JSON object on one line, reference-counted and shared by rows. */
struct snapshot_labels {
	size_t refs;
	char json[];
};

struct snapshot_row {
	uint32_t id;			/* instance number; rows are sorted by it */
	char *name;			/* instance name; "" in a table without instances */
	struct snapshot_labels *labels; /* NULL: derived from the instance domain */
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
	struct snapshot_row *rows;
	size_t nrows;
	size_t room;		     /* allocated rows, of rows and of cells */
	struct snapshot_cell *cells; /* [nrows][ncolumns] */
	uint64_t changes;	     /* incremented when rows are added or removed */
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
 * Add a column at the end, or a row in the order of ids; new cells are absent. Return 0, -EEXIST
 * for an existing column name or row id, -EINVAL for a name with a control character, or -ENOMEM.
 */
int snapshot_table_add_column(struct snapshot_table *table, const char *name);
int snapshot_table_add_row(struct snapshot_table *table, uint32_t id, const char *name);

/* Set the semantics and units of a column. */
void snapshot_table_describe(struct snapshot_table *table, size_t column,
			     enum metric_semantics semantics, enum metric_units units);

/* Remove the rows for which keep returns false; keep is called once per row, in order. */
void snapshot_table_keep_rows(struct snapshot_table *table, bool (*keep)(uint32_t id, void *data),
			      void *data);

/*
 * Row labels. snapshot_labels_new() copies the text and returns it with one reference; NULL
 * without memory or if the text contains a control character other than DEL. snapshot_row_label()
 * takes its own reference and drops the row's previous labels.
 */
struct snapshot_labels *snapshot_labels_new(const char *json);
void snapshot_labels_unref(struct snapshot_labels *labels);
void snapshot_row_label(struct snapshot_row *row, struct snapshot_labels *labels);

/* Return the index of the column of this name, or -1. */
int snapshot_table_column(const struct snapshot_table *table, const char *name);

/* Return the index of the row with this id, or -1. */
int snapshot_table_row(const struct snapshot_table *table, uint32_t id);

/* Return the cell at a row index and a column index. */
struct snapshot_cell *snapshot_table_cell(const struct snapshot_table *table, size_t row,
					  size_t column);

/* Treat -EEXIST as success, for callers that add what may exist already. */
static inline int snapshot_once(int err)
{
	return err == -EEXIST ? 0 : err;
}

/* Make all cells absent. */
void snapshot_table_unset(struct snapshot_table *table);

/*
 * Set a cell to a number, to a copy of a text, or to absent. Control characters in the text are
 * replaced by '?'. snapshot_cell_set_text() returns 0, or -ENOMEM with the cell absent.
 */
void snapshot_cell_set(struct snapshot_cell *cell, uint64_t number);
int snapshot_cell_set_text(struct snapshot_cell *cell, const char *text);
void snapshot_cell_unset(struct snapshot_cell *cell);

/* Write the snapshot as text. Returns 0 or the error of writing. */
int snapshot_save(const struct snapshot *snapshot, FILE *file);

/*
 * Read the text format of snapshot_save(). Returns 0; -EINVAL for an invalid line; -ENOMEM; or the
 * error of reading. On failure *ret_line is the line number and ret_snapshot is untouched.
 */
int snapshot_load(FILE *file, struct snapshot *ret_snapshot, unsigned *ret_line);

#endif /* PMDAKVM_SNAPSHOT_H */
