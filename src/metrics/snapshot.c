// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "metrics/snapshot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

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

void snapshot_range_text(const struct snapshot_range *range, char text[SNAPSHOT_RANGE_SIZE])
{
	if (range->last == range->first)
		snprintf(text, SNAPSHOT_RANGE_SIZE, "%" PRIu64, range->first);
	else if (range->last == UINT64_MAX)
		snprintf(text, SNAPSHOT_RANGE_SIZE, "%" PRIu64 "+", range->first);
	else
		snprintf(text, SNAPSHOT_RANGE_SIZE, "%" PRIu64 "-%" PRIu64, range->first,
			 range->last);
}

int snapshot_row_init(struct snapshot_row *row, const struct snapshot_name *name)
{
	const char *owner = name->owner ? name->owner : "", *key = name->key ? name->key : "";
	char range[SNAPSHOT_RANGE_SIZE] = "", *text;

	if (!name_is_plain(owner) || !name_is_plain(key))
		return -EINVAL;
	if (name->range)
		snapshot_range_text(name->range, range);
	if (asprintf(&text, "%s%s%s%s%s", owner, *owner && *key ? "::" : "", key,
		     (*owner || *key) && *range ? "::" : "", range) < 0)
		return -ENOMEM;
	*row = (struct snapshot_row){
		.name = text,
		.owner_bytes = (uint32_t)strlen(owner),
		.key_bytes = (uint32_t)strlen(key),
		.has_range = name->range,
	};
	if (name->range)
		row->range = *name->range;
	return 0;
}

void snapshot_row_free(struct snapshot_row *row)
{
	free(row->name);
	labels_unref(row->labels);
	labels_unref(row->own);
}

static void table_free(struct snapshot_table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->nrows * table->ncolumns; i++)
		free(table->cells[i].text);
	for (size_t i = 0; i < table->nrows; i++)
		snapshot_row_free(&table->rows[i]);
	for (size_t i = 0; i < table->ncolumns; i++)
		free(table->columns[i].name);
	free(table->cells);
	free(table->rows);
	free(table->by_number);
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

int snapshot_table_add_row(struct snapshot_table *table, const struct snapshot_row *row)
{
	size_t width = table->ncolumns;
	int err = rows_make_room(table);

	if (err)
		return err;
	if (width)
		memset(table->cells + table->nrows * width, 0, width * sizeof(*table->cells));
	table->rows[table->nrows++] = *row;
	table->changes++;
	return 0;
}

int snapshot_table_set_rows(struct snapshot_table *table, struct snapshot_row *rows, size_t n)
{
	struct snapshot_cell *cells = calloc(n * table->ncolumns + 1, sizeof(*cells));

	if (!cells)
		return -ENOMEM;
	for (size_t i = 0; i < table->nrows * table->ncolumns; i++)
		free(table->cells[i].text);
	free(table->cells);
	free(table->rows);
	table->rows = rows;
	table->cells = cells;
	table->nrows = table->room = n;
	table->changes++;
	return 0;
}

int snapshot_table_column(const struct snapshot_table *table, const char *name)
{
	for (size_t i = 0; i < table->ncolumns; i++) {
		if (strcmp(table->columns[i].name, name) == 0)
			return (int)i;
	}
	return -1;
}

static int number_compare(const void *left, const void *right, void *data)
{
	const struct snapshot_row *rows = data;
	uint32_t a = rows[*(const uint32_t *)left].number,
		 b = rows[*(const uint32_t *)right].number;

	return (a > b) - (a < b);
}

/* Sort the rows' indexes by number, unless that was done since the rows changed. */
static bool index_make(struct snapshot_table *table)
{
	uint32_t *index;

	if (table->by_number && table->by_number_changes == table->changes)
		return true;
	index = reallocarray(table->by_number, table->nrows + 1, sizeof(*index));
	if (!index)
		return false;
	for (size_t i = 0; i < table->nrows; i++)
		index[i] = (uint32_t)i;
	qsort_r(index, table->nrows, sizeof(*index), number_compare, table->rows);
	table->by_number = index;
	table->by_number_changes = table->changes;
	return true;
}

int snapshot_table_row(struct snapshot_table *table, uint32_t number)
{
	size_t low = 0, high = table->nrows;

	/* mostly rows are asked for in their order, or numbered densely from 0, as CPUs are */
	if (table->next_row < high && table->rows[table->next_row].number == number)
		return (int)table->next_row++;
	if (number < high && table->rows[number].number == number) {
		table->next_row = number + 1;
		return (int)number;
	}
	if (!index_make(table))
		return -1;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (table->rows[table->by_number[middle]].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == table->nrows || table->rows[table->by_number[low]].number != number)
		return -1;
	table->next_row = (size_t)table->by_number[low] + 1;
	return (int)table->by_number[low];
}

int snapshot_table_find_row(const struct snapshot_table *table, const char *name, size_t len,
			    size_t *at)
{
	for (size_t i = 0; i < table->nrows; i++) {
		size_t row = (*at + i) % table->nrows;

		if (strncmp(table->rows[row].name, name, len) == 0 && !table->rows[row].name[len]) {
			*at = row + 1;
			return (int)row;
		}
	}
	return -1;
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

	if (cell->text && strcmp(cell->text, text) == 0) {
		cell->present = true;
		return 0;
	}
	copy = strdup(text);
	snapshot_cell_unset(cell);
	if (!copy)
		return -ENOMEM;
	for (char *p = copy; *p; p++) {
		if (is_control(*p))
			*p = '?';
	}
	utf8_mark_invalid(copy, '?');
	cell->present = true;
	cell->text = copy;
	return 0;
}

void snapshot_table_unset(struct snapshot_table *table)
{
	for (size_t i = 0; i < table->nrows * table->ncolumns; i++)
		table->cells[i].present = false;
}
