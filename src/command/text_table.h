/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* What the command's tables for people have in common; libsmartcols prints them. */
#ifndef PMDAKVM_TEXT_TABLE_H
#define PMDAKVM_TEXT_TABLE_H

#include <libsmartcols.h>
#include <stdio.h>

/*
 * Make a table that is printed to the file, without columns. scols_unref_table() frees it. Returns
 * NULL if there is no memory.
 */
struct libscols_table *text_table_new(FILE *file);

/*
 * Make an allocated text that of a line's column. The line owns it; on failure it is freed. Returns
 * 0 or a negative errno.
 */
int text_table_take(struct libscols_line *line, size_t column, char *text);

/* Flush what was printed. Returns 0, or the error of writing any of it, -EIO if that is unknown. */
int text_table_written(FILE *file);

#endif /* PMDAKVM_TEXT_TABLE_H */
