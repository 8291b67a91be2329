// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "command/slow_report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/sorted_array.h"
#include "command/sheet_choice.h"
#include "command/sheet_print.h"
#include "command/text_table.h"
#include "kvm/cause_key.h"
#include "kvm/cause_names.h"

const char *const slow_report_tables[SLOW_REPORT_TABLES] = { "vcpu_slow" };

enum { WHEN, VM, VCPU, TIME, REASON, CAUSE, DEVICE, GUEST, KVM, POLL, HALTED, VMM, READY, COLUMNS };

static const struct sheet_column headings[COLUMNS] = {
	[WHEN] = { .name = "When", .right = true },
	[VM] = { .name = "VM" },
	[VCPU] = { .name = "VCPU", .right = true },
	[TIME] = { .name = "Time", .right = true },
	[REASON] = { .name = "Reason" },
	[CAUSE] = { .name = "Cause" },
	[DEVICE] = { .name = "Device" },
	[GUEST] = { .name = "guest", .right = true, .extra = true },
	[KVM] = { .name = "kvm", .right = true },
	[POLL] = { .name = "poll", .right = true },
	[HALTED] = { .name = "halted", .right = true },
	[VMM] = { .name = "vmm", .right = true },
	[READY] = { .name = "ready", .right = true },
};

/* The snapshot's columns. */
static const char *const sources[COLUMNS] = {
	[WHEN] = "when",     [TIME] = "duration", [REASON] = "reason", [CAUSE] = "cause",
	[DEVICE] = "cause",  [GUEST] = "guest",	  [KVM] = "kvm",       [POLL] = "poll",
	[HALTED] = "halted", [VMM] = "vmm",	  [READY] = "ready",
};

const struct sheet_column *slow_report_columns(size_t *ret_n)
{
	*ret_n = COLUMNS;
	return headings;
}

struct line {
	size_t row;
	uint64_t when;
};

/* The rows to print. */
struct slow_sheet {
	const struct snapshot_table *table;
	struct line *lines; /* [sheet.nrows] */
};

/* The present cell of a row, or NULL. */
static const struct snapshot_cell *cell_of(const struct snapshot_table *table, size_t row,
					   const char *name)
{
	int column = snapshot_table_column(table, name);
	const struct snapshot_cell *cell = column < 0 ?
						   NULL :
						   snapshot_table_cell(table, row, (size_t)column);

	return cell && cell->present ? cell : NULL;
}

/* "2026-11-27 19:00:01.234", by the time zone of who reads it. */
static int when_cell(uint64_t when, struct sheet_cell *cell)
{
	time_t seconds = (time_t)(when / 1000000000);
	char text[32];
	struct tm tm;

	sheet_cell_number(cell, when);
	if (!localtime_r(&seconds, &tm) || !strftime(text, sizeof(text), "%F %T", &tm))
		return 0;
	return asprintf(&cell->text, "%s.%03" PRIu64, text, when / 1000000 % 1000) < 0 ? -ENOMEM :
											 0;
}

static int time_cell(uint64_t time, struct sheet_cell *cell)
{
	sheet_cell_number(cell, time);
	return asprintf(&cell->text, "%" PRIu64 ".%03" PRIu64 "ms", time / 1000000,
			time / 1000 % 1000) < 0 ?
		       -ENOMEM :
		       0;
}

const char *slow_report_device(const char *cause)
{
	const char *device;
	uint64_t key;

	if (cause_key_parse(cause, &key))
		return NULL;
	device = cause_device(key);
	return strcmp(device, CAUSE_DEVICE_UNKNOWN) == 0 ? NULL : device;
}

static int device_cell(const char *cause, struct sheet_cell *cell)
{
	const char *device = cause ? slow_report_device(cause) : NULL;

	return device ? sheet_cell_text(cell, device) : 0;
}

/* A vCPU's row is VM::vcpuN::slowN. */
static int owner_cell(const struct snapshot_row *row, size_t column, struct sheet_cell *cell)
{
	char *name = strndup(row->name, row->owner_bytes), *cut;
	int err = 0;

	if (!name)
		return -ENOMEM;
	cut = strstr(name, "::vcpu");
	if (column == VCPU && cut)
		sheet_cell_number(cell, strtoull(cut + strlen("::vcpu"), NULL, 10));
	if (cut)
		*cut = '\0';
	if (column == VM)
		err = sheet_cell_text(cell, name);
	free(name);
	return err;
}

static int slow_cell(const struct sheet *sheet, size_t row, size_t column, struct sheet_cell *cell)
{
	const struct slow_sheet *slow = sheet->data;
	const struct snapshot_cell *from;

	row = slow->lines[row].row;
	if (column == VM || column == VCPU)
		return owner_cell(&slow->table->rows[row], column, cell);
	from = cell_of(slow->table, row, sources[column]);
	if (!from)
		return 0;
	switch (column) {
	case WHEN:
		return when_cell(from->number, cell);
	case REASON:
	case CAUSE:
		return sheet_cell_text(cell, from->text);
	case DEVICE:
		return device_cell(from->text, cell);
	default:
		return time_cell(from->number, cell);
	}
}

/* The newest first; those of one time as they are. */
static int line_order(const void *left, const void *right)
{
	const struct line *a = left, *b = right;
	int order = sorted_numbers(b->when, a->when);

	return order ? order : sorted_numbers(a->row, b->row);
}

/* Returns 0, with lines to free, or -ENOMEM. */
static int lines_make(struct slow_sheet *slow, uint64_t least, size_t *ret_n)
{
	size_t nrows = slow->table ? slow->table->nrows : 0, n = 0;

	slow->lines = calloc(nrows + 1, sizeof(*slow->lines));
	if (!slow->lines)
		return -ENOMEM;
	for (size_t i = 0; i < nrows; i++) {
		const struct snapshot_cell *when = cell_of(slow->table, i, sources[WHEN]);
		const struct snapshot_cell *time = cell_of(slow->table, i, sources[TIME]);

		if (when && time && time->number >= least)
			slow->lines[n++] = (struct line){ i, when->number };
	}
	qsort(slow->lines, n, sizeof(*slow->lines), line_order);
	*ret_n = n;
	return 0;
}

int slow_report_print(const struct snapshot *snapshot, uint64_t least,
		      const struct sheet_choice *choice, enum slow_format format, FILE *file)
{
	struct slow_sheet slow = { .table = snapshot_find_table(snapshot, slow_report_tables[0]) };
	struct sheet sheet = {
		.columns = headings, .ncolumns = COLUMNS, .cell = slow_cell, .data = &slow
	};
	int err = lines_make(&slow, least, &sheet.nrows);

	if (err)
		return err;
	if (format == SLOW_JSON)
		err = sheet_print_json(&sheet, choice, "slow", file);
	else if (format == SLOW_CSV)
		err = sheet_print_csv(&sheet, choice, file);
	else if (sheet.nrows && sheet_is_chosen(&sheet, choice)) {
		if (format == SLOW_TITLED)
			fputs("Slow exits, the newest first:\n\n", file);
		err = sheet_print_table(&sheet, choice, file);
		if (format == SLOW_TITLED)
			fputc('\n', file);
	}
	free(slow.lines);
	return err ? err : text_table_written(file);
}
