// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Lines of a grid: numbers for people, columns that fit the screen. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

#include "command/grid.h"

/* --- numbers --- */

/* Three digits and a letter: 4.05k, 56.3k, 563k. */
static void scaled_text(double number, char text[GRID_NUMBER])
{
	static const char letters[] = { 'k', 'M', 'G', 'T', 'P', 'E' };
	size_t i = 0;

	number /= 1000;
	while (number >= 999.5 && i + 1 < sizeof(letters)) {
		number /= 1000;
		i++;
	}
	snprintf(text, GRID_NUMBER, "%.*f%c",
		 number < 9.995 ? 2 :
		 number < 99.95 ? 1 :
				  0,
		 number, letters[i]);
}

/* Below this a number has a digit after its point, and from the other on it is scaled. */
static const struct {
	double fraction, scaled;
	int digits;
} formats[] = {
	[GRID_TEXT] = { 0, 0, 0 },
	[GRID_RATE] = { 9.95, 999.5, 1 },
	[GRID_COUNT] = { 0, 99999.5, 0 },
	[GRID_PERCENT] = { 0, 1e300, 0 },
	[GRID_MICRO] = { 99.95, 9999999.5, 1 },
	[GRID_MILLI] = { 99.995, 99999.5, 2 },
};

static void when_text(double number, char text[GRID_NUMBER])
{
	time_t seconds = (time_t)number;
	struct tm tm;

	if (!localtime_r(&seconds, &tm) || !strftime(text, GRID_NUMBER, "%m-%d %T", &tm))
		snprintf(text, GRID_NUMBER, "-");
}

void grid_number_text(enum grid_format format, double number, bool exact, char text[GRID_NUMBER])
{
	if (format == GRID_WHEN)
		when_text(number, text);
	else if (number >= formats[format].scaled && !exact)
		scaled_text(number, text);
	else
		snprintf(text, GRID_NUMBER, "%.*f",
			 number < formats[format].fraction ? formats[format].digits : 0, number);
}

/* --- texts --- */

/* The bytes of the next character, and the cells that it takes. */
static size_t character(const char *text, mbstate_t *state, int *ret_cells)
{
	wchar_t wide;
	size_t bytes = mbrtowc(&wide, text, strlen(text), state);

	if (bytes == (size_t)-1 || bytes == (size_t)-2 || bytes == 0) {
		*state = (mbstate_t){ 0 };
		*ret_cells = 1;
		return 1;
	}
	*ret_cells = wcwidth(wide) < 0 ? 1 : wcwidth(wide);
	return bytes;
}

static int cells_of(const char *text)
{
	mbstate_t state = { 0 };
	int cells = 0, one;

	for (; *text; text += character(text, &state, &one), cells += one)
		one = 0;
	return cells;
}

int grid_fit(const char *text, int width, char *to, size_t size, size_t *ret_bytes)
{
	bool cut = cells_of(text) > width;
	mbstate_t state = { 0 };
	size_t at = 0;
	int cells = 0, one = 0;

	if (width <= 0 || size < 2) {
		*ret_bytes = 0;
		return 0;
	}
	while (*text) {
		size_t bytes = character(text, &state, &one);

		if (cells + one > width - cut || at + bytes + 1 >= size)
			break;
		memcpy(to + at, text, bytes);
		at += bytes;
		text += bytes;
		cells += one;
	}
	if (cut) {
		to[at++] = '!';
		cells++;
	}
	*ret_bytes = at;
	return cells;
}

/* --- lines --- */

/* A line while it is made. */
struct making {
	struct grid_line *line;
	size_t at; /* bytes */
	int cells, width;
};

static void blanks_add(struct making *making, int n)
{
	while (n-- > 0 && making->cells < making->width && making->at + 1 < GRID_LINE) {
		making->line->text[making->at++] = ' ';
		making->cells++;
	}
}

/* Add a text in so many cells. Returns where it begins. */
static struct grid_mark text_add(struct making *making, const char *text, int width, bool right)
{
	int left = making->width - making->cells, used;
	struct grid_mark mark = { .how = GRID_PLAIN };
	char fitted[GRID_LINE];
	size_t bytes;

	width = width < left ? width : left;
	/* what is left of a number would be another one */
	if (right && cells_of(text) > width)
		text = "!";
	used = grid_fit(text, width, fitted, sizeof(fitted), &bytes);
	if (right)
		blanks_add(making, width - used);
	if (making->at + bytes + 1 > GRID_LINE)
		bytes = 0;
	mark.at = (int)making->at;
	mark.bytes = (int)bytes;
	memcpy(making->line->text + making->at, fitted, bytes);
	making->at += bytes;
	making->cells += bytes ? used : 0;
	if (!right)
		blanks_add(making, width - used);
	return mark;
}

static void mark_add(struct grid_line *line, struct grid_mark mark, enum grid_marked how)
{
	mark.how = how;
	if (how != GRID_PLAIN && mark.bytes && line->nmarks < GRID_MARKS)
		line->marks[line->nmarks++] = mark;
}

/* The bytes of a column's longest text, which are as many cells or more. */
static int longest_of(const struct grid *grid, size_t column)
{
	size_t most = 0;

	for (size_t row = 0; row < grid->nrows; row++) {
		const char *text = grid->cells[row * grid->ncolumns + column].text;
		size_t bytes = text ? strlen(text) : 0;

		most = bytes > most ? bytes : most;
	}
	return most < GRID_LINE ? (int)most : GRID_LINE;
}

/* A column that grows gets what a wider screen leaves, as far as its texts need it. */
static int width_of(const struct grid *grid, size_t column, int width)
{
	int sum = 0, growing = 0, own = grid->columns[column].width, spare, longest;

	if (!grid->columns[column].grows)
		return own;
	for (size_t i = 0; i < grid->ncolumns; i++) {
		sum += grid->columns[i].width + (i > 0);
		growing += grid->columns[i].grows;
	}
	spare = width > sum ? (width - sum) / growing : 0;
	longest = spare ? longest_of(grid, column) : 0;
	if (longest < own)
		return own;
	return longest < own + spare ? longest : own + spare;
}

static void line_end(struct making *making)
{
	while (making->at && making->line->text[making->at - 1] == ' ')
		making->at--;
	making->line->text[making->at] = '\0';
}

void grid_lay_out(const struct grid *grid, int width, struct grid_layout *ret_layout)
{
	ret_layout->width = width;
	for (size_t i = 0; i < grid->ncolumns; i++)
		ret_layout->columns[i] = width_of(grid, i, width);
}

static struct making line_begin(struct grid_line *line, const struct grid_layout *layout)
{
	line->nmarks = 0;
	return (struct making){ .line = line, .width = layout->width };
}

void grid_heading(const struct grid *grid, const struct grid_layout *layout, size_t sorted,
		  struct grid_line *ret_line)
{
	struct making making = line_begin(ret_line, layout);

	for (size_t i = 0; i < grid->ncolumns; i++) {
		const struct grid_column *column = &grid->columns[i];
		struct grid_mark mark;

		blanks_add(&making, i > 0);
		mark = text_add(&making, column->heading, layout->columns[i],
				column->format != GRID_TEXT);
		mark_add(ret_line, mark, i == sorted ? GRID_SORTED : GRID_PLAIN);
	}
	line_end(&making);
}

static enum grid_marked marked(const struct grid_column *column, const struct grid_cell *cell)
{
	if (!cell->known || !column->warns)
		return GRID_PLAIN;
	if (cell->number >= column->alarms)
		return GRID_ALARMS;
	return cell->number >= column->warns ? GRID_WARNS : GRID_PLAIN;
}

void grid_row(const struct grid *grid, const struct grid_layout *layout, size_t row, size_t sorted,
	      bool exact, struct grid_line *ret_line)
{
	struct making making = line_begin(ret_line, layout);

	for (size_t i = 0; i < grid->ncolumns; i++) {
		const struct grid_column *column = &grid->columns[i];
		const struct grid_cell *cell = &grid->cells[row * grid->ncolumns + i];
		const char *text = cell->text ? cell->text : "-";
		char number[GRID_NUMBER];
		enum grid_marked how;
		struct grid_mark mark;

		if (cell->known && column->format != GRID_TEXT) {
			grid_number_text(column->format, cell->number, exact, number);
			text = number;
		}
		blanks_add(&making, i > 0);
		mark = text_add(&making, text, layout->columns[i], column->format != GRID_TEXT);
		how = marked(column, cell);
		mark_add(ret_line, mark, how == GRID_PLAIN && i == sorted ? GRID_SORTED : how);
	}
	line_end(&making);
}
