// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "command/sheet_print.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "command/json_text.h"
#include "command/sheet_choice.h"
#include "command/text_table.h"

/* A format: what it does with a row, and with each of the row's cells in turn. */
struct format {
	int (*row)(void *out);
	int (*cell)(void *out, const struct sheet_column *column, size_t at,
		    struct sheet_cell *cell);
};

static int row_print(const struct sheet *sheet, const struct sheet_order *order, size_t row,
		     const struct format *format, void *out)
{
	int err = format->row(out);

	for (size_t at = 0; !err && at < order->ncolumns; at++) {
		struct sheet_cell cell = { 0 };

		err = sheet->cell(sheet, row, order->columns[at], &cell);
		if (!err)
			err = format->cell(out, &sheet->columns[order->columns[at]], at, &cell);
		free(cell.text);
	}
	return err;
}

static int rows_print(const struct sheet *sheet, const struct sheet_order *order,
		      const struct format *format, void *out)
{
	int err = 0;

	for (size_t i = 0; !err && i < sheet->nrows; i++)
		err = row_print(sheet, order, order->rows ? order->rows[i] : i, format, out);
	return err;
}

struct table_out {
	struct libscols_table *table;
	struct libscols_line *line;
};

static int table_row(void *data)
{
	struct table_out *out = data;

	out->line = scols_table_new_line(out->table, NULL);
	return out->line ? 0 : -ENOMEM;
}

static int table_cell(void *data, const struct sheet_column *column, size_t at,
		      struct sheet_cell *cell)
{
	struct table_out *out = data;
	char *text = cell->text;

	(void)column;
	cell->text = NULL;
	if (!cell->present)
		text = strdup("-");
	else if (!text && asprintf(&text, "%" PRIu64, cell->number) < 0)
		return -ENOMEM;
	return text ? text_table_take(out->line, at, text) : -ENOMEM;
}

int sheet_print_table(const struct sheet *sheet, const struct sheet_choice *choice, FILE *file)
{
	static const struct format format = { table_row, table_cell };
	struct table_out out = { .table = text_table_new(file) };
	struct sheet_order order = { 0 };
	int err = out.table ? sheet_order_make(sheet, choice, &order) : -ENOMEM;

	for (size_t i = 0; !err && i < order.ncolumns; i++) {
		const struct sheet_column *column = &sheet->columns[order.columns[i]];

		if (!scols_table_new_column(out.table, column->name, 0,
					    column->right ? SCOLS_FL_RIGHT : 0))
			err = -ENOMEM;
	}
	if (!err)
		err = rows_print(sheet, &order, &format, &out);
	if (!err)
		err = scols_print_table(out.table);
	sheet_order_free(&order);
	scols_unref_table(out.table);
	return err ? err : text_table_written(file);
}

int sheet_print_titled(const struct sheet *sheet, const char *title,
		       const struct sheet_choice *choice, FILE *file)
{
	int err;

	if (!sheet->nrows || !sheet_is_chosen(sheet, choice))
		return 0;
	fprintf(file, "%s:\n\n", title);
	err = sheet_print_table(sheet, choice, file);
	fputc('\n', file);
	return err ? err : text_table_written(file);
}

/* A column's name for machines: "Max Time" is max_time. */
static void name_write(const char *name, FILE *file)
{
	for (; *name; name++)
		fputc(*name == ' ' || *name == '-' ? '_' : tolower((unsigned char)*name), file);
}

/* As RFC 4180 says, but for the ends of lines. */
static void csv_text(const char *text, FILE *file)
{
	if (!text[strcspn(text, ",\"\r\n")]) {
		fputs(text, file);
		return;
	}
	fputc('"', file);
	for (; *text; text++) {
		if (*text == '"')
			fputc('"', file);
		fputc(*text, file);
	}
	fputc('"', file);
}

struct csv_out {
	FILE *file;
	size_t ncolumns;
};

static int csv_row(void *data)
{
	(void)data;
	return 0;
}

static int csv_cell(void *data, const struct sheet_column *column, size_t at,
		    struct sheet_cell *cell)
{
	const struct csv_out *out = data;

	(void)column;
	if (cell->is_number)
		fprintf(out->file, "%" PRIu64, cell->number);
	else if (cell->present)
		csv_text(cell->text, out->file);
	fputc(at + 1 == out->ncolumns ? '\n' : ',', out->file);
	return 0;
}

int sheet_print_csv(const struct sheet *sheet, const struct sheet_choice *choice, FILE *file)
{
	static const struct format format = { csv_row, csv_cell };
	struct sheet_order order;
	struct csv_out out = { .file = file };
	int err = sheet_order_make(sheet, choice, &order);

	if (err)
		return err;
	out.ncolumns = order.ncolumns;
	for (size_t i = 0; i < order.ncolumns; i++) {
		name_write(sheet->columns[order.columns[i]].name, file);
		fputc(i + 1 == order.ncolumns ? '\n' : ',', file);
	}
	err = rows_print(sheet, &order, &format, &out);
	sheet_order_free(&order);
	return err ? err : text_table_written(file);
}

struct json_out {
	struct json_writer writer;
	json_t *row; /* the one that is made; NULL: none */
};

/* Write the row that has been made, if there is one. */
static int json_row_end(struct json_out *out)
{
	int err = out->row ? json_put(&out->writer, NULL, out->row) : 0;

	out->row = NULL;
	return err;
}

static int json_row(void *data)
{
	struct json_out *out = data;
	int err = json_row_end(out);

	out->row = json_object();
	return out->row ? err : -ENOMEM;
}

static int json_cell(void *data, const struct sheet_column *column, size_t at,
		     struct sheet_cell *cell)
{
	struct json_out *out = data;
	json_t *value;
	char *name = NULL;
	size_t size;
	FILE *text;
	int err;

	(void)at;
	if (!cell->present)
		return 0;
	text = open_memstream(&name, &size);
	if (!text)
		return -ENOMEM;
	name_write(column->name, text);
	if (fclose(text)) {
		free(name);
		return -ENOMEM;
	}
	/* json_int_t is signed; json_put() writes its bits as an unsigned number */
	value = cell->is_number ? json_integer((json_int_t)cell->number) : json_string(cell->text);
	err = json_object_set_new(out->row, name, value) ? -ENOMEM : 0;
	free(name);
	return err;
}

int sheet_print_json(const struct sheet *sheet, const struct sheet_choice *choice, const char *name,
		     FILE *file)
{
	static const struct format format = { json_row, json_cell };
	struct json_out out = { .writer = { .file = file } };
	struct sheet_order order;
	int err = sheet_order_make(sheet, choice, &order);

	if (err)
		return err;
	json_begin(&out.writer, NULL, '{');
	err = json_put(&out.writer, "schema", json_integer(1));
	json_begin(&out.writer, name, '[');
	if (!err)
		err = rows_print(sheet, &order, &format, &out);
	sheet_order_free(&order);
	if (!err)
		err = json_row_end(&out);
	json_decref(out.row);
	if (err)
		return err;
	json_end(&out.writer, ']');
	json_end(&out.writer, '}');
	fputc('\n', file);
	return text_table_written(file);
}
