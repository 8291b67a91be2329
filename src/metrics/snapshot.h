/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * What was read at one moment: tables of rows (instances) and columns (values).
 * Every cell is a number, a text, or absent. A snapshot can be saved as text and
 * loaded again, so that what shows numbers can be tested without a kernel.
 */
#ifndef PMDAKVM_SNAPSHOT_H
#define PMDAKVM_SNAPSHOT_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "metrics/units.h"

/* A JSON object of an instance's labels, on one line; rows share it. */
struct snapshot_labels {
	size_t refs;
	char json[];
};

struct snapshot_row {
	uint32_t id;			/* the instance's number; rows are in its order */
	char *name;			/* the instance's name; "" in a table of one nameless row */
	struct snapshot_labels *labels; /* NULL: what its instance domain says */
};

struct snapshot_column {
	char *name;
	/* Where the metric leaves it to the column; METRIC_BY_COLUMN: nobody has said. */
	enum metric_semantics semantics;
	enum metric_units units;
};

struct snapshot_cell {
	bool present;
	uint64_t number;
	char *text; /* NULL in a number */
};

struct snapshot_table {
	char *name;
	struct snapshot_column *columns;
	size_t ncolumns;
	struct snapshot_row *rows;
	size_t nrows;
	size_t room;		     /* rows that rows and cells have memory for */
	struct snapshot_cell *cells; /* [nrows][ncolumns] */
	uint64_t changes;	     /* how often rows have come or gone */
};

struct snapshot {
	struct snapshot_table **tables; /* a table stays where it is */
	size_t ntables;
};

void snapshot_free(struct snapshot *snapshot);

/*
 * Add an empty table. Returns 0, -EEXIST for a name that is there, -EINVAL for one
 * with a control character, or -ENOMEM.
 */
int snapshot_add_table(struct snapshot *snapshot, const char *name,
		       struct snapshot_table **ret_table);

/* The table of that name, or NULL. */
struct snapshot_table *snapshot_find_table(const struct snapshot *snapshot, const char *name);

/*
 * Add a column or a row; cells that this makes are absent. A row goes to its
 * place in the order of ids. Return 0, -EEXIST for a name or id that is there,
 * -EINVAL for a name with a control character, or -ENOMEM.
 */
int snapshot_table_add_column(struct snapshot_table *table, const char *name);
int snapshot_table_add_row(struct snapshot_table *table, uint32_t id, const char *name);

/* Say what a column's numbers mean. */
void snapshot_table_describe(struct snapshot_table *table, size_t column,
			     enum metric_semantics semantics, enum metric_units units);

/* Remove the rows that keep says false to. */
void snapshot_table_keep_rows(struct snapshot_table *table, bool (*keep)(uint32_t id, void *data),
			      void *data);

/*
 * Labels of rows: made of a copy of the text, with one reference, or NULL for no memory
 * or a control character in it, other than DEL; a row takes a reference of its own.
 */
struct snapshot_labels *snapshot_labels_new(const char *json);
void snapshot_labels_unref(struct snapshot_labels *labels);
void snapshot_row_label(struct snapshot_row *row, struct snapshot_labels *labels);

/* The number of the column of that name, or -1. */
int snapshot_table_column(const struct snapshot_table *table, const char *name);

/* The number of the row with that id, or -1. */
int snapshot_table_row(const struct snapshot_table *table, uint32_t id);

/* The cell at a row and a column, by their numbers. */
struct snapshot_cell *snapshot_table_cell(const struct snapshot_table *table, size_t row,
					  size_t column);

/* To those who add what may be there already, that it is there is no error. */
static inline int snapshot_once(int err)
{
	return err == -EEXIST ? 0 : err;
}

/* Make all cells absent. */
void snapshot_table_unset(struct snapshot_table *table);

/*
 * Set a cell to a number; to a copy of a text, with '?' for what is a control
 * character (0, or -ENOMEM and the cell is absent); to nothing.
 */
void snapshot_cell_set(struct snapshot_cell *cell, uint64_t number);
int snapshot_cell_set_text(struct snapshot_cell *cell, const char *text);
void snapshot_cell_unset(struct snapshot_cell *cell);

/* Write all of it as text. Returns 0 or what writing gave. */
int snapshot_save(const struct snapshot *snapshot, FILE *file);

/*
 * Read what snapshot_save wrote. Returns 0; -EINVAL if the text is no snapshot,
 * with the number of the bad line in *ret_line; -ENOMEM; or what reading gave.
 * ret_snapshot is untouched on failure.
 */
int snapshot_load(FILE *file, struct snapshot *ret_snapshot, unsigned *ret_line);

#endif /* PMDAKVM_SNAPSHOT_H */
