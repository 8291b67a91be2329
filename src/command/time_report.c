// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "command/time_report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "command/sheet_print.h"

const char *const time_report_tables[TIME_REPORT_TABLES] = { "vm_time", "vcpu_time" };

static const char *const titles[TIME_REPORT_TABLES] = {
	"Where vCPUs' time went, in percent, by VM",
	"Where vCPUs' time went, in percent, by vCPU",
};

#define STATES 7

/* Columns of the snapshot by state, in the order of kvm.vcpu.state; NULL: it has none. */
static const struct {
	const char *name, *open;
} states[STATES] = {
	{ "guest", "open_guest" },     { "kvm", "open_kvm" }, { "poll", NULL },
	{ "halted", "open_halted" },   { "vmm", "open_vmm" }, { "ready", NULL },
	{ "unknown", "open_unknown" },
};

/* A share of 100 %, in hundredths of one. */
#define WHOLE 10000

struct share {
	bool present;
	uint64_t time; /* ns */
	uint64_t part;
};

static bool value_of(const struct snapshot_table *table, size_t row, const char *name,
		     uint64_t *ret_value)
{
	int column = name ? snapshot_table_column(table, name) : -1;
	const struct snapshot_cell *cell;

	if (column < 0)
		return false;
	cell = snapshot_table_cell(table, row, (size_t)column);
	if (cell->present)
		*ret_value = cell->number;
	return cell->present;
}

/* Read a row's times. Returns their sum, ns. */
static uint64_t times_read(const struct snapshot_table *table, size_t row,
			   struct share shares[STATES])
{
	uint64_t sum = 0;

	for (size_t i = 0; i < STATES; i++) {
		uint64_t open = 0;

		shares[i] = (struct share){ .time = 0 };
		shares[i].present = value_of(table, row, states[i].name, &shares[i].time);
		value_of(table, row, states[i].open, &open);
		shares[i].time += open;
		sum += shares[i].time;
	}
	return sum;
}

/* What rounding down has left goes to those that have lost most by it. */
static void shares_make(struct share shares[STATES], uint64_t sum)
{
	double rest[STATES];
	uint64_t left = WHOLE;

	for (size_t i = 0; i < STATES; i++) {
		double part = (double)shares[i].time / (double)sum * WHOLE;

		shares[i].part = (uint64_t)part;
		rest[i] = part - (double)shares[i].part;
		left -= shares[i].part;
	}
	while (left--) {
		size_t most = 0;

		for (size_t i = 1; i < STATES; i++)
			most = rest[i] > rest[most] ? i : most;
		shares[most].part++;
		rest[most] = -1;
	}
}

enum {
	COLUMN_VM,
	COLUMN_VCPU,
	COLUMN_TIME,
	COLUMN_STATE,
	COLUMN_NOW = COLUMN_STATE + STATES,
	COLUMNS
};

static const struct sheet_column headings[COLUMNS] = {
	{ .name = "VM" },
	{ .name = "VCPU" },
	{ .name = "Time", .right = true },
	{ .name = "guest", .right = true },
	{ .name = "kvm", .right = true },
	{ .name = "poll", .right = true },
	{ .name = "halted", .right = true },
	{ .name = "vmm", .right = true },
	{ .name = "ready", .right = true },
	{ .name = "unknown", .right = true },
	{ .name = "Now" },
};

const struct sheet_column *time_report_columns(size_t *ret_n)
{
	*ret_n = COLUMNS;
	return headings;
}

struct line {
	const char *name;
	uint64_t sum; /* ns */
	struct share shares[STATES];
	const char *now; /* NULL: not known */
};

struct time_sheet {
	const struct line *lines;
	bool by_vcpu;
};

/* Which heading a sheet's column has: that by VM has neither VCPU nor Now. */
static size_t heading_of(bool by_vcpu, size_t column)
{
	return column == 0 ? (by_vcpu ? COLUMN_VCPU : COLUMN_VM) : column + 1;
}

static int share_cell(const struct share *share, struct sheet_cell *cell)
{
	if (!share->present)
		return 0;
	sheet_cell_number(cell, share->part);
	return asprintf(&cell->text, "%" PRIu64 ".%02" PRIu64, share->part / 100,
			share->part % 100) < 0 ?
		       -ENOMEM :
		       0;
}

static int time_cell(const struct sheet *sheet, size_t row, size_t column, struct sheet_cell *cell)
{
	const struct time_sheet *times = sheet->data;
	const struct line *line = &times->lines[row];
	size_t heading = heading_of(times->by_vcpu, column);

	switch (heading) {
	case COLUMN_VM:
	case COLUMN_VCPU:
		return sheet_cell_text(cell, line->name);
	case COLUMN_TIME:
		sheet_cell_number(cell, line->sum);
		return asprintf(&cell->text, "%" PRIu64 ".%03" PRIu64 "s", line->sum / 1000000000,
				line->sum / 1000000 % 1000) < 0 ?
			       -ENOMEM :
			       0;
	case COLUMN_NOW:
		return sheet_cell_text(cell, line->now);
	default:
		return share_cell(&line->shares[heading - COLUMN_STATE], cell);
	}
}

/* The rows that have any time. Returns 0, with an array to free, or -ENOMEM. */
static int lines_read(const struct snapshot_table *table, struct line **ret_lines, size_t *ret_n)
{
	struct line *lines = calloc(table->nrows + 1, sizeof(*lines));
	size_t n = 0;

	if (!lines)
		return -ENOMEM;
	for (size_t i = 0; i < table->nrows; i++) {
		struct line *line = &lines[n];
		uint64_t state;

		*line = (struct line){ .name = table->rows[i].name };
		line->sum = times_read(table, i, line->shares);
		if (!line->sum)
			continue;
		shares_make(line->shares, line->sum);
		if (value_of(table, i, "state", &state) && state < STATES)
			line->now = states[state].name;
		n++;
	}
	*ret_lines = lines;
	*ret_n = n;
	return 0;
}

static int report_print(const struct snapshot_table *table, size_t number,
			const struct sheet_choice *choice, FILE *file)
{
	struct sheet_column columns[COLUMNS];
	struct time_sheet times = { .by_vcpu = number == 1 };
	struct sheet sheet = { .columns = columns,
			       .ncolumns = COLUMNS - (times.by_vcpu ? 1 : 2),
			       .cell = time_cell,
			       .data = &times };
	struct line *lines;
	int err = lines_read(table, &lines, &sheet.nrows);

	if (err)
		return err;
	times.lines = lines;
	for (size_t i = 0; i < sheet.ncolumns; i++)
		columns[i] = headings[heading_of(times.by_vcpu, i)];
	err = sheet_print_titled(&sheet, titles[number], choice, file);
	free(lines);
	return err;
}

int time_report_print(const struct snapshot *snapshot, const struct sheet_choice *choice,
		      FILE *file)
{
	int err = 0;

	for (size_t i = 0; !err && i < TIME_REPORT_TABLES; i++) {
		const struct snapshot_table *table = snapshot_find_table(snapshot,
									 time_report_tables[i]);

		if (table)
			err = report_print(table, i, choice, file);
	}
	return err;
}
