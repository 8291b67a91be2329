// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "metrics/snapshot_copy.h"

#include <stdlib.h>
#include <string.h>

#include "metrics/metric_table.h"

static int columns_copy(const struct snapshot_table *from, struct snapshot_table *to)
{
	int err = 0;

	for (size_t i = 0; !err && i < from->ncolumns; i++) {
		err = snapshot_table_add_column(to, from->columns[i].name);
		if (!err)
			snapshot_table_describe(to, i, from->columns[i].semantics,
						from->columns[i].units);
	}
	return err;
}

static int row_copy(const struct snapshot_row *from, struct snapshot_table *to)
{
	struct snapshot_row row = *from;
	int err;

	row.name = strdup(from->name);
	if (!row.name)
		return -ENOMEM;
	labels_ref(row.labels);
	labels_ref(row.own);
	err = snapshot_table_add_row(to, &row);
	if (err)
		snapshot_row_free(&row);
	return err;
}

static int cell_copy(const struct snapshot_cell *from, struct snapshot_cell *to)
{
	if (!from->present)
		return 0;
	if (from->text)
		return snapshot_cell_set_text(to, from->text);
	snapshot_cell_set(to, from->number);
	return 0;
}

static int table_copy(const struct snapshot_table *from, struct snapshot *to)
{
	struct snapshot_table *table;
	int err = snapshot_add_table(to, from->name, &table);

	if (!err)
		err = columns_copy(from, table);
	for (size_t row = 0; !err && row < from->nrows; row++) {
		err = row_copy(&from->rows[row], table);
		for (size_t column = 0; !err && column < from->ncolumns; column++)
			err = cell_copy(snapshot_table_cell(from, row, column),
					snapshot_table_cell(table, row, column));
	}
	return err;
}

int snapshot_copy(const struct snapshot *snapshot, struct snapshot *ret_snapshot)
{
	struct snapshot copy = { 0 };
	int err = 0;

	for (size_t i = 0; !err && i < snapshot->ntables; i++)
		err = table_copy(snapshot->tables[i], &copy);
	if (err)
		snapshot_free(&copy);
	else
		*ret_snapshot = copy;
	return err;
}

void snapshot_table_keep(struct snapshot_table *table,
			 bool (*keep)(const struct snapshot_table *table, size_t row, void *data),
			 void *data)
{
	size_t kept = 0, width = table->ncolumns;

	for (size_t row = 0; row < table->nrows; row++) {
		struct snapshot_cell *cells = width ? snapshot_table_cell(table, row, 0) : NULL;

		if (!keep(table, row, data)) {
			for (size_t i = 0; i < width; i++)
				snapshot_cell_unset(&cells[i]);
			snapshot_row_free(&table->rows[row]);
			continue;
		}
		if (kept != row) {
			table->rows[kept] = table->rows[row];
			if (width)
				memcpy(snapshot_table_cell(table, kept, 0), cells,
				       width * sizeof(*cells));
		}
		kept++;
	}
	/* the texts of what was moved belong to the place where it went */
	if (width && kept < table->nrows)
		memset(snapshot_table_cell(table, kept, 0), 0,
		       (table->nrows - kept) * width * sizeof(struct snapshot_cell));
	table->nrows = kept;
	table->changes++;
}

static int name_compare(const void *left, const void *right)
{
	const struct snapshot_row *const *a = left, *const *b = right;

	return strcmp((*a)->name, (*b)->name);
}

/* The rows of a table by name. Returns NULL if there is no memory; the caller frees it. */
static const struct snapshot_row **rows_by_name(const struct snapshot_table *table)
{
	const struct snapshot_row **rows = calloc(table->nrows + 1,
						  sizeof(const struct snapshot_row *));

	if (!rows)
		return NULL;
	for (size_t i = 0; i < table->nrows; i++)
		rows[i] = &table->rows[i];
	qsort(rows, table->nrows, sizeof(*rows), name_compare);
	return rows;
}

static void cell_subtract(struct snapshot_cell *cell, const struct snapshot_cell *earlier)
{
	if (!cell->present || cell->text || !earlier->present)
		return;
	if (cell->number < earlier->number)
		snapshot_cell_unset(cell);
	else
		cell->number -= earlier->number;
}

static int subtract_visit(const struct metric_place *place, void *data)
{
	const struct snapshot *earlier = data;
	const struct snapshot_table *from = snapshot_find_table(earlier, place->table->name);
	int column = from ? snapshot_table_column(from, place->table->columns[place->column].name) :
			    -1;
	const struct snapshot_row **rows;

	if (column < 0 || place->semantics != METRIC_COUNTER)
		return 0;
	rows = rows_by_name(from);
	if (!rows)
		return -ENOMEM;
	for (size_t row = 0; row < place->table->nrows; row++) {
		const struct snapshot_row *key = &place->table->rows[row];
		const struct snapshot_row **found = bsearch(&key, rows, from->nrows, sizeof(*rows),
							    name_compare);

		if (found)
			cell_subtract(snapshot_table_cell(place->table, row, place->column),
				      snapshot_table_cell(from, (size_t)(*found - from->rows),
							  (size_t)column));
	}
	free(rows);
	return 0;
}

int snapshot_subtract(struct snapshot *snapshot, const struct snapshot *earlier)
{
	return metrics_each(snapshot, subtract_visit, (void *)earlier);
}
