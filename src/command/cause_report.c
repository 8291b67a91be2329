// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "command/cause_report.h"

#include <errno.h>
#include <inttypes.h>
#include <libsmartcols.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "command/text_table.h"

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
static const struct column {
	const char *heading;
	enum { TEXT_VM, TEXT_CAUSE, TEXT_DEVICE, PLAIN, MICROSECONDS } how;
	enum value value;
} columns[] = {
	{ "VM", TEXT_VM, 0 },
	{ "CAUSE", TEXT_CAUSE, 0 },
	{ "DEVICE", TEXT_DEVICE, 0 },
	{ "Accesses", PLAIN, ACCESSES },
	{ "Samples", PLAIN, COUNT },
	{ "Exit time", MICROSECONDS, TIME },
	{ "To VMM", PLAIN, USERSPACE_COUNT },
	{ "VMM time", MICROSECONDS, USERSPACE_TIME },
};

#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

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

/* A snapshot that was loaded from a file has all labels in one set. */
static const char *device_of(const struct snapshot_row *row)
{
	const char *device = label_text(row->own, "device");

	if (!device)
		device = label_text(row->labels, "device");
	return device ? device : "-";
}

static int format(const struct line *line, const struct column *column, char **ret_text)
{
	const struct snapshot_row *row = line->row;
	const struct snapshot_cell *cell = &line->values[column->value];
	const char *key = row->name + row->owner_bytes;
	int n = -1;

	switch (column->how) {
	case TEXT_VM:
		n = asprintf(ret_text, "%.*s", (int)row->owner_bytes, row->name);
		break;
	case TEXT_CAUSE:
		n = asprintf(ret_text, "%s", row->owner_bytes ? key + strlen("::") : key);
		break;
	case TEXT_DEVICE:
		n = asprintf(ret_text, "%s", device_of(row));
		break;
	case PLAIN:
		n = cell->present ? asprintf(ret_text, "%" PRIu64, cell->number) :
				    asprintf(ret_text, "-");
		break;
	case MICROSECONDS:
		/* rounded to hundredths */
		n = cell->present ?
			    asprintf(ret_text, "%" PRIu64 ".%02" PRIu64 "us",
				     (cell->number + 5) / 1000, (cell->number + 5) / 10 % 100) :
			    asprintf(ret_text, "-");
		break;
	}
	return n < 0 ? -ENOMEM : 0;
}

static int line_print(struct libscols_table *table, bool by_vm, const struct line *line)
{
	struct libscols_line *printed = scols_table_new_line(table, NULL);
	size_t at = 0;

	if (!printed)
		return -ENOMEM;
	for (size_t i = !by_vm; i < COLUMNS; i++) {
		char *text;
		int err = format(line, &columns[i], &text);

		if (err)
			return err;
		err = text_table_take(printed, at++, text);
		if (err)
			return err;
	}
	return 0;
}

static int lines_print(bool by_vm, const struct line *lines, size_t n, FILE *file)
{
	struct libscols_table *table = text_table_new(file);
	int err = -ENOMEM;

	if (!table)
		return -ENOMEM;
	for (size_t i = !by_vm; i < COLUMNS; i++) {
		if (!scols_table_new_column(table, columns[i].heading, 0,
					    columns[i].how <= TEXT_DEVICE ? 0 : SCOLS_FL_RIGHT))
			goto out;
	}
	for (size_t i = 0; i < n; i++) {
		err = line_print(table, by_vm, &lines[i]);
		if (err)
			goto out;
	}
	err = scols_print_table(table);
out:
	scols_unref_table(table);
	return err;
}

static int report_print(const struct snapshot_table *table, const char *title, bool by_vm,
			FILE *file)
{
	struct line *lines;
	size_t n;
	int err = lines_read(table, &lines, &n);

	if (err)
		return err;
	if (n) {
		fprintf(file, "%s:\n\n", title);
		err = lines_print(by_vm, lines, n, file);
		fputc('\n', file);
	}
	free(lines);
	return err ? err : text_table_written(file);
}

int cause_report_print(const struct snapshot *snapshot, FILE *file)
{
	int err = 0;

	for (size_t i = 0; !err && i < CAUSE_REPORT_TABLES; i++) {
		const struct snapshot_table *table = snapshot_find_table(snapshot,
									 cause_report_tables[i]);

		if (table)
			err = report_print(table, titles[i], i == 1, file);
	}
	return err;
}
