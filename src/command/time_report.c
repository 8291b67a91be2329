// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "command/time_report.h"

#include <errno.h>
#include <inttypes.h>
#include <libsmartcols.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#include "command/text_table.h"

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

static int put(struct libscols_line *line, size_t column, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int put(struct libscols_line *line, size_t column, const char *format, ...)
{
	va_list args;
	char *text;
	int n;

	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	return n < 0 ? -ENOMEM : text_table_take(line, column, text);
}

static int row_print(struct libscols_table *printed, const struct snapshot_table *table, size_t row,
		     bool by_vcpu)
{
	struct share shares[STATES];
	uint64_t sum = times_read(table, row, shares), state;
	struct libscols_line *line;
	size_t at = 0;
	int err;

	if (!sum)
		return 0;
	shares_make(shares, sum);
	line = scols_table_new_line(printed, NULL);
	err = line ? put(line, at++, "%s", table->rows[row].name) : -ENOMEM;
	if (!err)
		err = put(line, at++, "%" PRIu64 ".%03" PRIu64 "s", sum / 1000000000,
			  sum / 1000000 % 1000);
	for (size_t i = 0; !err && i < STATES; i++) {
		if (shares[i].present)
			err = put(line, at++, "%" PRIu64 ".%02" PRIu64, shares[i].part / 100,
				  shares[i].part % 100);
		else
			err = put(line, at++, "-");
	}
	if (err || !by_vcpu)
		return err;
	if (!value_of(table, row, "state", &state) || state >= STATES)
		return put(line, at, "-");
	return put(line, at, "%s", states[state].name);
}

static struct libscols_table *table_make(bool by_vcpu, FILE *file)
{
	struct libscols_table *table = text_table_new(file);
	bool made = table && scols_table_new_column(table, by_vcpu ? "VCPU" : "VM", 0, 0) &&
		    scols_table_new_column(table, "Time", 0, SCOLS_FL_RIGHT);

	for (size_t i = 0; made && i < STATES; i++)
		made = scols_table_new_column(table, states[i].name, 0, SCOLS_FL_RIGHT);
	if (made && by_vcpu)
		made = scols_table_new_column(table, "Now", 0, 0);
	if (!made && table)
		scols_unref_table(table);
	return made ? table : NULL;
}

static int report_print(const struct snapshot_table *table, size_t number, FILE *file)
{
	struct libscols_table *printed = table_make(number == 1, file);
	int err = printed ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < table->nrows; i++)
		err = row_print(printed, table, i, number == 1);
	if (!err && scols_table_get_nlines(printed)) {
		fprintf(file, "%s:\n\n", titles[number]);
		err = scols_print_table(printed);
		fputc('\n', file);
	}
	if (printed)
		scols_unref_table(printed);
	return err ? err : text_table_written(file);
}

int time_report_print(const struct snapshot *snapshot, FILE *file)
{
	int err = 0;

	for (size_t i = 0; !err && i < TIME_REPORT_TABLES; i++) {
		const struct snapshot_table *table = snapshot_find_table(snapshot,
									 time_report_tables[i]);

		if (table)
			err = report_print(table, i, file);
	}
	return err;
}
