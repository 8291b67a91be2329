/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* What the user chose of sheets: checked, and applied to one. */
#ifndef PMDAKVM_SHEET_CHOICE_H
#define PMDAKVM_SHEET_CHOICE_H

#include "command/sheet.h"

/*
 * Check the choice against the columns of a command's sheets. Returns 0, or -EINVAL after telling
 * on stderr which name is unknown and which ones are known.
 */
int sheet_choice_check(const struct sheet_choice *choice, const char *command,
		       const struct sheet_columns *sets, size_t nsets);

/* Returns whether the choice leaves the sheet any column. */
bool sheet_is_chosen(const struct sheet *sheet, const struct sheet_choice *choice);

/* The order in which the columns and rows of a sheet are printed. */
struct sheet_order {
	size_t *columns; /* indexes of those to print */
	size_t ncolumns;
	size_t *rows; /* indexes of all rows; NULL: as they are */
};

/* Returns 0, or -ENOMEM with nothing to free. */
int sheet_order_make(const struct sheet *sheet, const struct sheet_choice *choice,
		     struct sheet_order *ret_order);
void sheet_order_free(struct sheet_order *order);

#endif /* PMDAKVM_SHEET_CHOICE_H */
