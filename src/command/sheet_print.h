/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Prints sheets: as a table for people, as CSV, or as JSON. */
#ifndef PMDAKVM_SHEET_PRINT_H
#define PMDAKVM_SHEET_PRINT_H

#include <stdio.h>

#include "command/sheet.h"

/*
 * Print the chosen columns, rows as chosen. Columns and an order that the sheet does not have are
 * passed over. Return 0, -ENOMEM, or the error of writing.
 */
int sheet_print_table(const struct sheet *sheet, const struct sheet_choice *choice, FILE *file);
/*
 * The same as a table with a title, and an empty line behind it; nothing if the sheet has no row,
 * or no chosen column.
 */
int sheet_print_titled(const struct sheet *sheet, const char *title,
		       const struct sheet_choice *choice, FILE *file);
int sheet_print_csv(const struct sheet *sheet, const struct sheet_choice *choice, FILE *file);

/*
 * Print {"schema":1,"NAME":[{...}]}, an object for each row; absent values are left out. Returns as
 * sheet_print_table() does.
 */
int sheet_print_json(const struct sheet *sheet, const struct sheet_choice *choice, const char *name,
		     FILE *file);

#endif /* PMDAKVM_SHEET_PRINT_H */
