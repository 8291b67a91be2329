// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "command/sheet_choice.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The next character of a column's name that tells it from others; 0 at the end. */
static int next(const char **name, const char *end)
{
	while (*name < end && !isalnum((unsigned char)**name) && **name != '%')
		(*name)++;
	return *name < end ? tolower((unsigned char)*(*name)++) : 0;
}

/* Does the text name the column? As its beginning too, if part. */
static bool is_name(const char *text, size_t len, const char *name, bool part)
{
	const char *end = text + len, *name_end = name + strlen(name);
	bool some = false;

	for (;;) {
		int a = next(&text, end), b = next(&name, name_end);

		if (!a)
			return some && (!b || part);
		if (a != b)
			return false;
		some = true;
	}
}

/*
 * The index of the column that the text names; of those that begin so the first, which takes
 * "sample" and "time" as perf does. -1: none.
 */
static int column_find(const struct sheet_column *columns, size_t n, const char *text, size_t len)
{
	for (int part = 0; part < 2; part++) {
		for (size_t i = 0; i < n; i++) {
			if (is_name(text, len, columns[i].name, part))
				return (int)i;
		}
	}
	return -1;
}

/* Split the name of --sort from what follows it. Returns its length. */
static size_t sort_split(const char *sort, const char **ret_direction)
{
	size_t len = strcspn(sort, ":");

	*ret_direction = sort + len;
	return len;
}

static bool name_is_known(const struct sheet_columns *sets, size_t nsets, const char *text,
			  size_t len)
{
	for (size_t i = 0; i < nsets; i++) {
		if (column_find(sets[i].list, sets[i].n, text, len) >= 0)
			return true;
	}
	return false;
}

/* Has an earlier column of the sets this name? */
static bool is_repeated(const struct sheet_columns *sets, size_t set, size_t column)
{
	for (size_t i = 0; i <= set; i++) {
		for (size_t j = 0; j < (i < set ? sets[i].n : column); j++) {
			if (strcasecmp(sets[i].list[j].name, sets[set].list[column].name) == 0)
				return true;
		}
	}
	return false;
}

static int name_unknown(const char *command, const char *text, size_t len,
			const struct sheet_columns *sets, size_t nsets)
{
	const char *separator = "";

	fprintf(stderr, "kvmbpf %s: there is no column \"%.*s\"; columns are ", command, (int)len,
		text);
	for (size_t i = 0; i < nsets; i++) {
		for (size_t j = 0; j < sets[i].n; j++) {
			if (is_repeated(sets, i, j))
				continue;
			fprintf(stderr, "%s%s", separator, sets[i].list[j].name);
			separator = ", ";
		}
	}
	fputc('\n', stderr);
	return -EINVAL;
}

int sheet_choice_check(const struct sheet_choice *choice, const char *command,
		       const struct sheet_columns *sets, size_t nsets)
{
	const char *direction, *text = choice->columns;
	size_t len;

	while (text) {
		len = strcspn(text, ",");
		if (!name_is_known(sets, nsets, text, len))
			return name_unknown(command, text, len, sets, nsets);
		text = text[len] ? text + len + 1 : NULL;
	}
	if (!choice->sort)
		return 0;
	len = sort_split(choice->sort, &direction);
	if (!name_is_known(sets, nsets, choice->sort, len))
		return name_unknown(command, choice->sort, len, sets, nsets);
	if (*direction && strcmp(direction, ":asc") != 0 && strcmp(direction, ":desc") != 0) {
		fprintf(stderr, "kvmbpf %s: unknown order \"%s\"; it is :asc or :desc\n", command,
			direction);
		return -EINVAL;
	}
	return 0;
}

static size_t columns_choose(const struct sheet *sheet, const char *text, size_t *columns)
{
	size_t n = 0;

	for (size_t i = 0; !text && i < sheet->ncolumns; i++) {
		if (!sheet->columns[i].extra)
			columns[n++] = i;
	}
	while (text) {
		size_t len = strcspn(text, ",");
		int found = column_find(sheet->columns, sheet->ncolumns, text, len);

		if (found >= 0)
			columns[n++] = (size_t)found;
		text = text[len] ? text + len + 1 : NULL;
	}
	return n;
}

/* The columns of a choice are at most as many as it has names. */
static size_t columns_room(const struct sheet *sheet, const char *text)
{
	size_t n = 1;

	for (; text && *text; text++)
		n += *text == ',';
	return n > sheet->ncolumns ? n : sheet->ncolumns;
}

bool sheet_is_chosen(const struct sheet *sheet, const struct sheet_choice *choice)
{
	const char *text = choice->columns;

	if (!text)
		return true;
	while (text) {
		size_t len = strcspn(text, ",");

		if (column_find(sheet->columns, sheet->ncolumns, text, len) >= 0)
			return true;
		text = text[len] ? text + len + 1 : NULL;
	}
	return false;
}

/* The cells of the column to sort by. */
struct keys {
	struct sheet_cell *cells;
	bool down;
};

/* Absent values come last; rows whose values are equal stay in order. */
static int row_compare(const void *left, const void *right, void *data)
{
	const struct keys *keys = data;
	size_t i = *(const size_t *)left, j = *(const size_t *)right;
	const struct sheet_cell *a = &keys->cells[i], *b = &keys->cells[j];
	int order;

	if (a->present != b->present)
		return a->present ? -1 : 1;
	if (a->is_number && b->is_number)
		order = (a->number > b->number) - (a->number < b->number);
	else if (a->is_number != b->is_number)
		order = a->is_number ? -1 : 1;
	else
		order = a->present ? strverscmp(a->text, b->text) : 0;
	if (order)
		return keys->down ? -order : order;
	return (i > j) - (i < j);
}

static int rows_sort(const struct sheet *sheet, size_t column, bool down, size_t *rows)
{
	struct keys keys = { .cells = calloc(sheet->nrows + 1, sizeof(*keys.cells)), .down = down };
	int err = keys.cells ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < sheet->nrows; i++) {
		rows[i] = i;
		err = sheet->cell(sheet, i, column, &keys.cells[i]);
	}
	if (!err)
		qsort_r(rows, sheet->nrows, sizeof(*rows), row_compare, &keys);
	for (size_t i = 0; keys.cells && i < sheet->nrows; i++)
		free(keys.cells[i].text);
	free(keys.cells);
	return err;
}

static int rows_choose(const struct sheet *sheet, const char *sort, struct sheet_order *order)
{
	const char *direction;
	size_t len;
	int column;

	if (!sort)
		return 0;
	len = sort_split(sort, &direction);
	column = column_find(sheet->columns, sheet->ncolumns, sort, len);
	if (column < 0)
		return 0;
	order->rows = calloc(sheet->nrows + 1, sizeof(*order->rows));
	if (!order->rows)
		return -ENOMEM;
	return rows_sort(sheet, (size_t)column,
			 *direction ? strcmp(direction, ":desc") == 0 :
				      sheet->columns[column].right,
			 order->rows);
}

int sheet_order_make(const struct sheet *sheet, const struct sheet_choice *choice,
		     struct sheet_order *ret_order)
{
	struct sheet_order order = { 0 };
	int err;

	order.columns = calloc(columns_room(sheet, choice->columns) + 1, sizeof(*order.columns));
	if (!order.columns)
		return -ENOMEM;
	order.ncolumns = columns_choose(sheet, choice->columns, order.columns);
	err = rows_choose(sheet, choice->sort, &order);
	if (err)
		sheet_order_free(&order);
	else
		*ret_order = order;
	return err;
}

void sheet_order_free(struct sheet_order *order)
{
	free(order->columns);
	free(order->rows);
	*order = (struct sheet_order){ 0 };
}
