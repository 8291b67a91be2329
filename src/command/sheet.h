/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Sheets: rows of values of which the user chooses columns and order; sheet_print.h prints them. */
#ifndef PMDAKVM_SHEET_H
#define PMDAKVM_SHEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sheet_column {
	const char *name; /* the heading; in CSV and JSON in lower case, with "_" for spaces */
	bool right;	  /* right-aligned; sorted with the largest first */
	bool extra;	  /* left out unless the user asks for it */
};

struct sheet_cell {
	bool present;
	bool is_number;
	uint64_t number;
	char *text; /* allocated; of a number: what people read, or NULL for its digits */
};

struct sheet {
	const struct sheet_column *columns;
	size_t ncolumns;
	size_t nrows;
	/* Fill in a cell that is all 0. Returns 0 or -ENOMEM. The sheet frees the text. */
	int (*cell)(const struct sheet *sheet, size_t row, size_t column, struct sheet_cell *cell);
	const void *data; /* the cell function's */
};

/* What the user chose. Names of columns are taken whatever their case, spaces and hyphens are. */
struct sheet_choice {
	const char
		*columns; /* separated by commas, in the order to print them; NULL: all but extra */
	const char *sort; /* a column, with ":asc" or ":desc" behind it; NULL: as they are */
};

/* A set of columns, of the sheets that a command can print. */
struct sheet_columns {
	const struct sheet_column *list;
	size_t n;
};

/* Set a cell to a copy of a text; NULL: it stays absent. Returns 0 or -ENOMEM. */
int sheet_cell_text(struct sheet_cell *cell, const char *text);
void sheet_cell_number(struct sheet_cell *cell, uint64_t number);

#endif /* PMDAKVM_SHEET_H */
