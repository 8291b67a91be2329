// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "command/grid.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

void grid_init(struct grid *grid, const struct grid_column *columns, size_t ncolumns)
{
	*grid = (struct grid){ .columns = columns, .ncolumns = ncolumns };
}

static void row_free(struct grid *grid, size_t row)
{
	for (size_t i = 0; i < grid->ncolumns; i++)
		free(grid->cells[row * grid->ncolumns + i].text);
}

void grid_clear(struct grid *grid)
{
	for (size_t row = 0; row < grid->nrows; row++)
		row_free(grid, row);
	grid->nrows = 0;
}

void grid_free(struct grid *grid)
{
	grid_clear(grid);
	free(grid->cells);
	grid->cells = NULL;
	grid->room = 0;
}

struct grid_cell *grid_add(struct grid *grid)
{
	struct grid_cell *cells;

	if (grid->nrows == grid->room) {
		size_t room = grid->room ? 2 * grid->room : 16;

		cells = reallocarray(grid->cells, room * grid->ncolumns, sizeof(*cells));
		if (!cells)
			return NULL;
		grid->cells = cells;
		grid->room = room;
	}
	cells = &grid->cells[grid->nrows++ * grid->ncolumns];
	memset(cells, 0, grid->ncolumns * sizeof(*cells));
	return cells;
}

int grid_text(struct grid_cell *cell, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		return -ENOMEM;
	free(cell->text);
	cell->text = copy;
	cell->known = true;
	return 0;
}

/* --- sorting --- */

struct sorting {
	size_t column;
	bool text;
};

static int text_order(const struct grid_cell *a, const struct grid_cell *b)
{
	return strverscmp(a->text ? a->text : "", b->text ? b->text : "");
}

static int row_order(const void *left, const void *right, void *data)
{
	const struct sorting *sorting = data;
	const struct grid_cell *a = (const struct grid_cell *)left + sorting->column;
	const struct grid_cell *b = (const struct grid_cell *)right + sorting->column;

	if (a->known != b->known)
		return a->known ? -1 : 1;
	if (sorting->text && text_order(a, b) != 0)
		return text_order(a, b);
	/* the first column is a name, or a number that is one */
	if (!sorting->text && a->number != b->number)
		return (a->number > b->number) == (sorting->column > 0) ? -1 : 1;
	a = left;
	b = right;
	if (a->number != b->number)
		return a->number > b->number ? 1 : -1;
	return text_order(a, b);
}

void grid_sort(struct grid *grid, size_t column)
{
	struct sorting sorting = { column, grid->columns[column].format == GRID_TEXT };

	if (grid->nrows)
		qsort_r(grid->cells, grid->nrows, grid->ncolumns * sizeof(*grid->cells), row_order,
			&sorting);
}

/* --- filtering --- */

static bool text_has(const char *text, const char *words)
{
	if (!text)
		return false;
	if (strpbrk(words, "*?["))
		return fnmatch(words, text, FNM_CASEFOLD) == 0;
	return strcasestr(text, words) != NULL;
}

void grid_filter(struct grid *grid, size_t ntexts, const char *words)
{
	size_t n = 0;

	if (!words || !*words)
		return;
	for (size_t row = 0; row < grid->nrows; row++) {
		struct grid_cell *cells = &grid->cells[row * grid->ncolumns];
		bool has = false;

		for (size_t i = 0; i < ntexts; i++)
			has |= text_has(cells[i].text, words);
		if (!has) {
			row_free(grid, row);
			continue;
		}
		if (n != row)
			memcpy(&grid->cells[n * grid->ncolumns], cells,
			       grid->ncolumns * sizeof(*cells));
		n++;
	}
	grid->nrows = n;
}

int grid_find(const struct grid_column *columns, size_t n, const char *heading)
{
	for (size_t i = 0; i < n; i++) {
		if (strcasecmp(columns[i].heading, heading) == 0)
			return (int)i;
	}
	return -1;
}
