// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "command/cause_report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "command/sheet_print.h"

const char *const cause_report_tables[CAUSE_REPORT_TABLES] = { "cause", "vm_cause" };

static const char *const titles[CAUSE_REPORT_TABLES] = {
	"Causes of VM exits, all VMs",
	"Causes of VM exits by VM",
};

/* Columns of the snapshot. */
enum value { ACCESSES, COUNT, TIME, USERSPACE_COUNT, USERSPACE_TIME, VALUES };

static const char *const value_names[VALUES] = {
	"accesses", "count", "time", "userspace_count", "userspace_time",
};

/* Columns that are printed: a text, or a value, in microseconds or plain. */
enum { COLUMNS = 8 };

static const struct column {
	enum { TEXT_VM, TEXT_CAUSE, TEXT_DEVICE, PLAIN, MICROSECONDS } how;
	enum value value;
} columns[COLUMNS] = {
	{ TEXT_VM, 0 },
	{ TEXT_CAUSE, 0 },
	{ TEXT_DEVICE, 0 },
	{ PLAIN, ACCESSES },
	{ PLAIN, COUNT },
	{ MICROSECONDS, TIME },
	{ PLAIN, USERSPACE_COUNT },
	{ MICROSECONDS, USERSPACE_TIME },
};

static const struct sheet_column headings[COLUMNS] = {
	{ .name = "VM" },
	{ .name = "CAUSE" },
	{ .name = "DEVICE" },
	{ .name = "Accesses", .right = true },
	{ .name = "Samples", .right = true },
	{ .name = "Exit time", .right = true },
	{ .name = "To VMM", .right = true },
	{ .name = "VMM time", .right = true },
};

struct line {
	const struct snapshot_row *row;
	struct snapshot_cell values[VALUES];
};

static uint64_t number(const struct line *line, enum value value)
{
	return line->values[value].present ? line->values[value].number : 0;
}

static bool is_empty(const struct line *line)
{
	uint64_t any = 0;

	for (enum value value = 0; value < VALUES; value++)
		any |= number(line, value);
	return !any;
}

/* By VM; then those that took most time, in the VMM where exits have none. */
static int line_order(const void *left, const void *right)
{
	static const enum value by[] = { TIME, USERSPACE_TIME, ACCESSES };
	const struct line *a = left, *b = right;
	int order = strverscmp(a->row->name, b->row->name);

	if (a->row->owner_bytes != b->row->owner_bytes ||
	    memcmp(a->row->name, b->row->name, a->row->owner_bytes) != 0)
		return order;
	for (size_t i = 0; i < sizeof(by) / sizeof(by[0]); i++) {
		if (number(a, by[i]) != number(b, by[i]))
			return number(a, by[i]) < number(b, by[i]) ? 1 : -1;
	}
	return order;
}

/* Read the lines that have numbers. Returns 0 or -ENOMEM. */
static int lines_read(const struct snapshot_table *table, struct line **ret_lines, size_t *ret_n)
{
	struct line *lines = calloc(table->nrows + 1, sizeof(*lines));
	size_t n = 0;

	if (!lines)
		return -ENOMEM;
	for (size_t i = 0; i < table->nrows; i++) {
		struct line *line = &lines[n];

		*line = (struct line){ .row = &table->rows[i] };
		for (enum value value = 0; value < VALUES; value++) {
			int column = snapshot_table_column(table, value_names[value]);

			if (column >= 0)
				line->values[value] = *snapshot_table_cell(table, i,
									   (size_t)column);
		}
		n += !is_empty(line);
	}
	qsort(lines, n, sizeof(*lines), line_order);
	*ret_lines = lines;
	*ret_n = n;
	return 0;
}

/* The text of a label in a set, which may be NULL; NULL: it has none. */
static const char *label_text(const struct labels *labels, const char *key)
{
	for (size_t i = 0; labels && i < labels->n; i++) {
		if (strcmp(labels->list[i].key, key) == 0)
			return labels->list[i].text;
	}
	return NULL;
}

/* NULL: it is not known. A snapshot that was loaded from a file has all labels in one set. */
static const char *device_of(const struct snapshot_row *row)
{
	const char *device = label_text(row->own, "device");

	if (!device)
		device = label_text(row->labels, "device");
	return device;
}

/* The lines of a table; those of the host have no column VM. */
struct cause_sheet {
	const struct line *lines;
	size_t first; /* column */
};

static int cause_cell(const struct sheet *sheet, size_t row, size_t at, struct sheet_cell *cell)
{
	const struct cause_sheet *causes = sheet->data;
	const struct column *column = &columns[causes->first + at];
	const struct line *line = &causes->lines[row];
	const struct snapshot_cell *value = &line->values[column->value];
	const char *key = line->row->name + line->row->owner_bytes;
	char *text;

	switch (column->how) {
	case TEXT_VM:
		if (asprintf(&text, "%.*s", (int)line->row->owner_bytes, line->row->name) < 0)
			return -ENOMEM;
		cell->text = text;
		cell->present = true;
		break;
	case TEXT_CAUSE:
		return sheet_cell_text(cell, line->row->owner_bytes ? key + strlen("::") : key);
	case TEXT_DEVICE:
		return sheet_cell_text(cell, device_of(line->row));
	case PLAIN:
		if (value->present)
			sheet_cell_number(cell, value->number);
		break;
	case MICROSECONDS:
		if (!value->present)
			break;
		sheet_cell_number(cell, value->number);
		/* rounded to hundredths */
		if (asprintf(&text, "%" PRIu64 ".%02" PRIu64 "us", (value->number + 5) / 1000,
			     (value->number + 5) / 10 % 100) < 0)
			return -ENOMEM;
		cell->text = text;
		break;
	}
	return 0;
}

const struct sheet_column *cause_report_columns(size_t *ret_n)
{
	*ret_n = COLUMNS;
	return headings;
}

static int report_print(const struct snapshot_table *table, const char *title, bool by_vm,
			const struct sheet_choice *choice, FILE *file)
{
	struct cause_sheet causes = { .first = !by_vm };
	struct sheet sheet = { .columns = headings + causes.first,
			       .ncolumns = COLUMNS - causes.first,
			       .cell = cause_cell,
			       .data = &causes };
	struct line *lines;
	int err = lines_read(table, &lines, &sheet.nrows);

	if (err)
		return err;
	causes.lines = lines;
	err = sheet_print_titled(&sheet, title, choice, file);
	free(lines);
	return err;
}

int cause_report_print(const struct snapshot *snapshot, const struct sheet_choice *choice,
		       FILE *file)
{
	int err = 0;

	for (size_t i = 0; !err && i < CAUSE_REPORT_TABLES; i++) {
		const struct snapshot_table *table = snapshot_find_table(snapshot,
									 cause_report_tables[i]);

		if (table)
			err = report_print(table, titles[i], i == 1, choice, file);
	}
	return err;
}
