/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * A table of numbers and texts for a screen: sorted by a column, filtered, and formatted in lines
 * of a given width. A number that is not known is shown as "-", and sorted last.
 */
#ifndef PMDAKVM_GRID_H
#define PMDAKVM_GRID_H

#include <stdbool.h>
#include <stddef.h>

enum grid_format {
	GRID_TEXT,
	GRID_RATE,    /* 0.0, 2.6, 768, 4.05k */
	GRID_COUNT,   /* 3, 12345; large ones as rates */
	GRID_PERCENT, /* 0 to 100, rounded */
	GRID_MICRO,   /* us: 6.7, 1056 */
	GRID_MILLI,   /* ms per second: 6.58 */
	GRID_WHEN,    /* s since 1970, in local time: 11-27 19:00:01 */
};

struct grid_column {
	const char *heading;
	int width; /* in cells of the screen, at least; the last column has what is left */
	enum grid_format format;
	bool grows;	      /* a text that gets what a wider screen has left */
	double warns, alarms; /* a number from here on is marked; 0: never */
};

struct grid_cell {
	bool known;
	double number;
	char *text; /* of a GRID_TEXT; owned */
};

struct grid {
	const struct grid_column *columns;
	size_t ncolumns;
	struct grid_cell *cells; /* [nrows][ncolumns] */
	size_t nrows, room;
};

/* An empty grid of these columns, at most GRID_COLUMNS, which must outlive it. */
void grid_init(struct grid *grid, const struct grid_column *columns, size_t ncolumns);
void grid_free(struct grid *grid);

/* Forget all rows. */
void grid_clear(struct grid *grid);

/* Add a row whose cells are not known. Returns its cells, valid until the next one, or NULL. */
struct grid_cell *grid_add(struct grid *grid);

/* Set a text; it is copied. Returns 0 or -ENOMEM. */
int grid_text(struct grid_cell *cell, const char *text);

static inline void grid_number(struct grid_cell *cell, bool known, double number)
{
	cell->known = known;
	cell->number = known ? number : 0;
}

/* Sort by a column, numbers from the largest, texts in natural order; ties by the first column. */
void grid_sort(struct grid *grid, size_t column);

/*
 * Keep the rows of which a text of the first ntexts columns has the words, or matches them if they
 * have one of *?[; letters are not told from capitals. NULL or "": all rows.
 */
void grid_filter(struct grid *grid, size_t ntexts, const char *words);

/* The column of this heading, without capitals, or -1. */
int grid_find(const struct grid_column *columns, size_t n, const char *heading);

/* --- formatting --- */

#define GRID_LINE 1024 /* bytes of a line, with its NUL */

/* What is special about a part of a line, in bytes. */
struct grid_mark {
	int at, bytes;
	enum grid_marked { GRID_PLAIN, GRID_SORTED, GRID_WARNS, GRID_ALARMS } how;
};

#define GRID_MARKS 4

struct grid_line {
	char text[GRID_LINE];
	struct grid_mark marks[GRID_MARKS];
	size_t nmarks;
};

#define GRID_COLUMNS 16

/* How a grid's columns are laid out on a screen of that width, once for all of its lines. */
struct grid_layout {
	int width;
	int columns[GRID_COLUMNS];
};

void grid_lay_out(const struct grid *grid, int width, struct grid_layout *ret_layout);

/* The headings, of which that of the sorted column is marked. */
void grid_heading(const struct grid *grid, const struct grid_layout *layout, size_t sorted,
		  struct grid_line *ret_line);

/* A row; exact: large numbers have all their digits. */
void grid_row(const struct grid *grid, const struct grid_layout *layout, size_t row, size_t sorted,
	      bool exact, struct grid_line *ret_line);

/* Room for the text of a number. */
#define GRID_NUMBER 32
void grid_number_text(enum grid_format format, double number, bool exact, char text[GRID_NUMBER]);

/*
 * Copy as much of a UTF-8 text as width cells of the screen have room for; a text that is cut ends
 * in "!". Returns the cells that are used; *ret_bytes are those of the copy.
 */
int grid_fit(const char *text, int width, char *to, size_t size, size_t *ret_bytes);

#endif /* PMDAKVM_GRID_H */
