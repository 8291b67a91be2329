// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "metrics/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_control(char c)
{
	return (unsigned char)c < ' ' || c == 0x7f;
}

static bool name_is_plain(const char *name)
{
	for (; *name; name++) {
		if (is_control(*name))
			return false;
	}
	return true;
}

/* JSON requires escapes for control characters, except for DEL. */
static bool labels_are_plain(const char *json)
{
	for (; *json; json++) {
		if (is_control(*json) && *json != 0x7f)
			return false;
	}
	return true;
}

struct snapshot_labels *snapshot_labels_new(const char *json)
{
	size_t size = strlen(json) + 1;
	struct snapshot_labels *labels = labels_are_plain(json) ? malloc(sizeof(*labels) + size) :
								  NULL;

	if (labels) {
		labels->refs = 1;
		memcpy(labels->json, json, size);
	}
	return labels;
}

void snapshot_labels_unref(struct snapshot_labels *labels)
{
	if (labels && --labels->refs == 0)
		free(labels);
}

void snapshot_row_label(struct snapshot_row *row, struct snapshot_labels *labels)
{
	if (labels)
		labels->refs++;
	snapshot_labels_unref(row->labels);
	row->labels = labels;
}

static void row_free(struct snapshot_row *row)
{
	free(row->name);
	snapshot_labels_unref(row->labels);
}

static void table_free(struct snapshot_table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->nrows * table->ncolumns; i++)
		free(table->cells[i].text);
	for (size_t i = 0; i < table->nrows; i++)
		row_free(&table->rows[i]);
	for (size_t i = 0; i < table->ncolumns; i++)
		free(table->columns[i].name);
	free(table->cells);
	free(table->rows);
	free(table->columns);
	free(table->name);
	free(table);
}

void snapshot_free(struct snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->ntables; i++)
		table_free(snapshot->tables[i]);
	free(snapshot->tables);
	*snapshot = (struct snapshot){ 0 };
}

struct snapshot_table *snapshot_find_table(const struct snapshot *snapshot, const char *name)
{
	for (size_t i = 0; i < snapshot->ntables; i++) {
		if (strcmp(snapshot->tables[i]->name, name) == 0)
			return snapshot->tables[i];
	}
	return NULL;
}

int snapshot_add_table(struct snapshot *snapshot, const char *name,
		       struct snapshot_table **ret_table)
{
	struct snapshot_table **tables, *table;

	if (!name_is_plain(name))
		return -EINVAL;
	if (snapshot_find_table(snapshot, name))
		return -EEXIST;
	tables = reallocarray(snapshot->tables, snapshot->ntables + 1,
			      sizeof(struct snapshot_table *));
	if (!tables)
		return -ENOMEM;
	snapshot->tables = tables;
	table = calloc(1, sizeof(*table));
	if (table)
		table->name = strdup(name);
	if (!table || !table->name) {
		table_free(table);
		return -ENOMEM;
	}
	tables[snapshot->ntables++] = table;
	*ret_table = table;
	return 0;
}

/* Append an absent cell to every row. */
static int cells_widen(struct snapshot_table *table)
{
	size_t old = table->ncolumns, new = old + 1;
	struct snapshot_cell *cells;

	if (!table->room)
		return 0;
	cells = calloc(table->room * new, sizeof(*cells));
	if (!cells)
		return -ENOMEM;
	for (size_t row = 0; old && row < table->nrows; row++)
		memcpy(cells + row * new, table->cells + row * old, old * sizeof(*cells));
	free(table->cells);
	table->cells = cells;
	return 0;
}

int snapshot_table_add_column(struct snapshot_table *table, const char *name)
{
	struct snapshot_column *columns;
	char *copy;

	if (!name_is_plain(name))
		return -EINVAL;
	if (snapshot_table_column(table, name) >= 0)
		return -EEXIST;
	columns = reallocarray(table->columns, table->ncolumns + 1, sizeof(*columns));
	if (!columns)
		return -ENOMEM;
	table->columns = columns;
	copy = strdup(name);
	if (!copy || cells_widen(table)) {
		free(copy);
		return -ENOMEM;
	}
	columns[table->ncolumns++] = (struct snapshot_column){ .name = copy,
							       .semantics = METRIC_BY_COLUMN };
	return 0;
}

void snapshot_table_describe(struct snapshot_table *table, size_t column,
			     enum metric_semantics semantics, enum metric_units units)
{
	table->columns[column].semantics = semantics;
	table->columns[column].units = units;
}

/* Return the index of the first row whose id is not below id. */
static size_t row_bound(const struct snapshot_table *table, uint32_t id)
{
	size_t low = 0, high = table->nrows;

	/* fast path: ids are often dense from 0, like CPU numbers */
	if (id < high && table->rows[id].id == id)
		return id;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (table->rows[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Reserve memory for one more row; doubles it, since tables can have thousands of rows. */
static int rows_make_room(struct snapshot_table *table)
{
	size_t room = table->room ? table->room * 2 : 4, width = table->ncolumns;
	struct snapshot_row *rows;
	struct snapshot_cell *cells;

	if (table->nrows < table->room)
		return 0;
	rows = reallocarray(table->rows, room, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	table->rows = rows;
	if (width) {
		cells = reallocarray(table->cells, room * width, sizeof(*cells));
		if (!cells)
			return -ENOMEM;
		table->cells = cells;
	}
	table->room = room;
	return 0;
}

int snapshot_table_add_row(struct snapshot_table *table, uint32_t id, const char *name)
{
	size_t at = row_bound(table, id), width = table->ncolumns, after = table->nrows - at;
	struct snapshot_row *rows;
	struct snapshot_cell *cells;
	char *copy;
	int err;

	if (!name_is_plain(name))
		return -EINVAL;
	if (at < table->nrows && table->rows[at].id == id)
		return -EEXIST;
	err = rows_make_room(table);
	if (err)
		return err;
	rows = table->rows;
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	memmove(rows + at + 1, rows + at, after * sizeof(*rows));
	rows[at] = (struct snapshot_row){ .id = id, .name = copy };
	if (width) {
		cells = table->cells + at * width;
		memmove(cells + width, cells, after * width * sizeof(*cells));
		memset(cells, 0, width * sizeof(*cells));
	}
	table->nrows++;
	table->changes++;
	return 0;
}

void snapshot_table_keep_rows(struct snapshot_table *table, bool (*keep)(uint32_t id, void *data),
			      void *data)
{
	size_t width = table->ncolumns, kept = 0;

	for (size_t row = 0; row < table->nrows; row++) {
		struct snapshot_cell *cells = table->cells + row * width;

		if (!keep(table->rows[row].id, data)) {
			row_free(&table->rows[row]);
			for (size_t i = 0; i < width; i++)
				free(cells[i].text);
			continue;
		}
		if (kept != row) {
			table->rows[kept] = table->rows[row];
			if (width)
				memcpy(table->cells + kept * width, cells, width * sizeof(*cells));
		}
		kept++;
	}
	if (kept != table->nrows)
		table->changes++;
	table->nrows = kept;
}

int snapshot_table_column(const struct snapshot_table *table, const char *name)
{
	for (size_t i = 0; i < table->ncolumns; i++) {
		if (strcmp(table->columns[i].name, name) == 0)
			return (int)i;
	}
	return -1;
}

int snapshot_table_row(const struct snapshot_table *table, uint32_t id)
{
	size_t at = row_bound(table, id);

	return at < table->nrows && table->rows[at].id == id ? (int)at : -1;
}

struct snapshot_cell *snapshot_table_cell(const struct snapshot_table *table, size_t row,
					  size_t column)
{
	return table->cells + row * table->ncolumns + column;
}

void snapshot_cell_unset(struct snapshot_cell *cell)
{
	free(cell->text);
	*cell = (struct snapshot_cell){ 0 };
}

void snapshot_cell_set(struct snapshot_cell *cell, uint64_t number)
{
	if (cell->text)
		snapshot_cell_unset(cell);
	cell->present = true;
	cell->number = number;
}

int snapshot_cell_set_text(struct snapshot_cell *cell, const char *text)
{
	char *copy;

	if (cell->text && strcmp(cell->text, text) == 0)
		return 0;
	copy = strdup(text);
	snapshot_cell_unset(cell);
	if (!copy)
		return -ENOMEM;
	for (char *p = copy; *p; p++) {
		if (is_control(*p))
			*p = '?';
	}
	cell->present = true;
	cell->text = copy;
	return 0;
}

void snapshot_table_unset(struct snapshot_table *table)
{
	for (size_t i = 0; i < table->nrows * table->ncolumns; i++)
		snapshot_cell_unset(&table->cells[i]);
}
