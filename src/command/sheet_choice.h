/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* The order in which the columns and rows of a sheet are printed, by the user's choice. */
#ifndef PMDAKVM_SHEET_CHOICE_H
#define PMDAKVM_SHEET_CHOICE_H

#include "command/sheet.h"

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
