// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "command/halt_report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "command/percentiles.h"
#include "command/sheet_print.h"

const char *const halt_report_tables[HALT_REPORT_TABLES] = { "vm_halt", "vm_halt_time",
							     "vcpu_halt_time" };

/* --- histograms of a VM or vCPU --- */

#define HISTOGRAMS 3

/* A VM or vCPU: its rows of buckets, and its histograms; sums are 0 where it has none. */
struct halts {
	const char *name; /* [bytes] */
	size_t bytes;
	struct histogram histograms[HISTOGRAMS];
	uint64_t sums[HISTOGRAMS];
	struct snapshot_cell poll_time, poll_attempts;
};

enum { WAKE, POLLED, WAITED }; /* of a VM */
enum { LATE = 1 };	       /* of a vCPU */

static const char *const vm_columns[HISTOGRAMS] = { "wake", "polled", "waited" };
static const char *const vcpu_columns[HISTOGRAMS] = { "wake", "late", NULL };

struct halts_list {
	struct halts *list;
	size_t n;
};

static void list_free(struct halts_list *halts)
{
	for (size_t i = 0; i < halts->n; i++) {
		for (size_t j = 0; j < HISTOGRAMS; j++)
			histogram_free(&halts->list[i].histograms[j]);
	}
	free(halts->list);
}

static bool is_of(const struct halts *halts, const struct snapshot_row *row)
{
	return row->owner_bytes == halts->bytes &&
	       memcmp(row->name, halts->name, halts->bytes) == 0;
}

/* Add a row to what it is a bucket of; rows come in ascending order. Returns 0 or -ENOMEM. */
static int bucket_add(struct halts *halts, const struct snapshot_table *table, size_t row,
		      const char *const columns[HISTOGRAMS])
{
	const struct snapshot_range *range = &table->rows[row].range;

	for (size_t i = 0; i < HISTOGRAMS && columns[i]; i++) {
		struct histogram *histogram = &halts->histograms[i];
		int column = snapshot_table_column(table, columns[i]);
		const struct snapshot_cell *cell;
		struct histogram_bucket *grown;

		cell = column < 0 ? NULL : snapshot_table_cell(table, row, (size_t)column);
		if (!cell || !cell->present || !cell->number)
			continue;
		grown = reallocarray(histogram->buckets, histogram->n + 1, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		histogram->buckets = grown;
		grown[histogram->n++] = (struct histogram_bucket){ range->first, range->last,
								   cell->number };
		halts->sums[i] += cell->number;
	}
	return 0;
}

static bool has_any(const struct halts *halts)
{
	return halts->sums[0] || halts->sums[1] || halts->sums[2];
}

/* Read what has any. Returns 0 or -ENOMEM; list_free() in both cases. */
static int list_read(const struct snapshot_table *table, const char *const columns[HISTOGRAMS],
		     struct halts_list *halts)
{
	struct halts *one = calloc(table->nrows + 1, sizeof(*one));
	int err = 0;

	if (!one)
		return -ENOMEM;
	halts->list = one;
	for (size_t i = 0; !err && i < table->nrows; i++) {
		const struct snapshot_row *row = &table->rows[i];

		if (!row->has_range)
			continue;
		if (one->name && !is_of(one, row) && has_any(one))
			one++;
		if (!one->name || !is_of(one, row))
			*one = (struct halts){ .name = row->name, .bytes = row->owner_bytes };
		err = bucket_add(one, table, i, columns);
	}
	halts->n = (size_t)(one - halts->list) + has_any(one);
	return err;
}

static void polls_read(const struct snapshot_table *table, struct halts_list *halts)
{
	int columns[] = { snapshot_table_column(table, "poll_time"),
			  snapshot_table_column(table, "poll_attempts") };
	size_t at = 0;

	for (size_t i = 0; i < halts->n; i++) {
		struct halts *one = &halts->list[i];
		int row = snapshot_table_find_row(table, one->name, one->bytes, &at);

		if (row >= 0 && columns[0] >= 0)
			one->poll_time = *snapshot_table_cell(table, (size_t)row,
							      (size_t)columns[0]);
		if (row >= 0 && columns[1] >= 0)
			one->poll_attempts = *snapshot_table_cell(table, (size_t)row,
								  (size_t)columns[1]);
	}
}

/* --- cells --- */

static int cell_name(const struct halts *halts, struct sheet_cell *cell)
{
	cell->present = true;
	return asprintf(&cell->text, "%.*s", (int)halts->bytes, halts->name) < 0 ? -ENOMEM : 0;
}

/* ns, shown in us, rounded to hundredths; more: it is at least that. */
static int cell_time(uint64_t time, bool more, struct sheet_cell *cell)
{
	uint64_t hundredths = time / 10 + (time % 10 >= 5);

	sheet_cell_number(cell, time);
	return asprintf(&cell->text, "%s%" PRIu64 ".%02" PRIu64 "us", more ? ">" : "",
			hundredths / 100, hundredths % 100) < 0 ?
		       -ENOMEM :
		       0;
}

static int cell_percentile(const struct histogram *histogram, unsigned percent,
			   struct sheet_cell *cell)
{
	bool more = false;
	uint64_t time;

	if (!histogram->n)
		return 0;
	time = histogram_percentile(histogram, percent, NULL, &more);
	return cell_time(time, more, cell);
}

static uint64_t halts_of(const struct halts *halts)
{
	return halts->sums[POLLED] + halts->sums[WAITED];
}

/* --- VMs --- */

static const struct sheet_column vm_headings[] = {
	{ .name = "VM" },
	{ .name = "Halts", .right = true },
	{ .name = "Polled", .right = true },
	{ .name = "Slept", .right = true },
	{ .name = "Poll time", .right = true },
	{ .name = "Attempts", .right = true },
	{ .name = "Per attempt", .right = true },
	{ .name = "Wake p50", .right = true },
	{ .name = "Wake p99", .right = true },
};

static int vm_cell(const struct sheet *sheet, size_t row, size_t column, struct sheet_cell *cell)
{
	const struct halts *halts = &((const struct halts_list *)sheet->data)->list[row];
	const struct snapshot_cell *time = &halts->poll_time, *attempts = &halts->poll_attempts;

	switch (column) {
	case 0:
		return cell_name(halts, cell);
	case 1:
		sheet_cell_number(cell, halts_of(halts));
		return 0;
	case 2:
	case 3:
		sheet_cell_number(cell, halts->sums[column == 2 ? POLLED : WAITED]);
		return 0;
	case 4:
		return time->present ? cell_time(time->number, false, cell) : 0;
	case 5:
		if (attempts->present)
			sheet_cell_number(cell, attempts->number);
		return 0;
	case 6:
		if (!time->present || !attempts->present || !attempts->number)
			return 0;
		return cell_time(time->number / attempts->number, false, cell);
	default:
		return cell_percentile(&halts->histograms[WAKE], column == 7 ? 50 : 99, cell);
	}
}

/* --- what another window would do --- */

/* The windows: powers of two in ns, 8 us to 1 ms. */
#define WINDOW_FIRST 13
#define WINDOWS	     8

static const struct sheet_column window_headings[] = {
	{ .name = "VM" },
	{ .name = "halt_poll_ns", .right = true },
	{ .name = "Polls at most", .right = true },
	{ .name = "Hits at least", .right = true },
	{ .name = "Of halts", .right = true },
};

/*
 * Halts that were no longer than the window are hits; each polls as long as it was, or as the
 * window is. What it has waited for a CPU is in a halt, too: without that it would poll less, and
 * hit more.
 */
static void window_sum(const struct halts *halts, uint64_t window, uint64_t *ret_time,
		       uint64_t *ret_hits)
{
	*ret_time = *ret_hits = 0;
	for (size_t i = POLLED; i <= WAITED; i++) {
		const struct histogram *histogram = &halts->histograms[i];

		for (size_t j = 0; j < histogram->n; j++) {
			const struct histogram_bucket *bucket = &histogram->buckets[j];
			bool hits = bucket->last <= window;

			*ret_time += bucket->count * (hits ? bucket->last : window);
			*ret_hits += hits ? bucket->count : 0;
		}
	}
}

static int window_cell(const struct sheet *sheet, size_t row, size_t column,
		       struct sheet_cell *cell)
{
	const struct halts *halts = &((const struct halts_list *)sheet->data)->list[row / WINDOWS];
	uint64_t window = UINT64_C(1) << (WINDOW_FIRST + row % WINDOWS), time, hits, share;

	window_sum(halts, window, &time, &hits);
	switch (column) {
	case 0:
		return cell_name(halts, cell);
	case 1:
		sheet_cell_number(cell, window);
		return 0;
	case 2:
		return cell_time(time, false, cell);
	case 3:
		sheet_cell_number(cell, hits);
		return 0;
	default:
		share = halts_of(halts) ? (uint64_t)((double)hits / (double)halts_of(halts) * 1e4) :
					  0;
		sheet_cell_number(cell, share);
		return asprintf(&cell->text, "%" PRIu64 ".%02" PRIu64 "%%", share / 100,
				share % 100) < 0 ?
			       -ENOMEM :
			       0;
	}
}

/* --- vCPUs --- */

static const struct sheet_column vcpu_headings[] = {
	{ .name = "VCPU" },
	{ .name = "Wake-ups", .right = true },
	{ .name = "Wake p50", .right = true },
	{ .name = "Wake p99", .right = true },
	{ .name = "Timers", .right = true },
	{ .name = "Late p50", .right = true },
	{ .name = "Late p99", .right = true },
};

static int vcpu_cell(const struct sheet *sheet, size_t row, size_t column, struct sheet_cell *cell)
{
	const struct halts *halts = &((const struct halts_list *)sheet->data)->list[row];
	size_t histogram = column < 4 ? WAKE : LATE;

	if (column == 0)
		return cell_name(halts, cell);
	if (column % 3 == 1) {
		if (halts->sums[histogram])
			sheet_cell_number(cell, halts->sums[histogram]);
		return 0;
	}
	return cell_percentile(&halts->histograms[histogram], column % 3 == 2 ? 50 : 99, cell);
}

/* --- printing --- */

#define HEADINGS(list) list, sizeof(list) / sizeof((list)[0])

static const struct halt_sheet {
	const char *title;
	const struct sheet_column *columns;
	size_t ncolumns;
	size_t rows; /* of a VM or vCPU */
	bool by_vcpu;
	int (*cell)(const struct sheet *sheet, size_t row, size_t column, struct sheet_cell *cell);
} sheets[HALT_REPORT_SHEETS] = {
	{ "Halts, and how long woken vCPUs waited for a CPU, by VM", HEADINGS(vm_headings), 1,
	  false, vm_cell },
	{ "What a fixed halt_poll_ns would do where CPUs are idle: a bound, by VM",
	  HEADINGS(window_headings), WINDOWS, false, window_cell },
	{ "Wake-ups, and how late timers were, by vCPU", HEADINGS(vcpu_headings), 1, true,
	  vcpu_cell },
};

const struct sheet_column *halt_report_columns(size_t number, size_t *ret_n)
{
	*ret_n = sheets[number].ncolumns;
	return sheets[number].columns;
}

static int sheet_print(const struct halt_sheet *of, const struct halts_list *halts,
		       const struct sheet_choice *choice, FILE *file)
{
	const struct sheet sheet = {
		.columns = of->columns,
		.ncolumns = of->ncolumns,
		.nrows = halts->n * of->rows,
		.cell = of->cell,
		.data = halts,
	};

	return sheet_print_titled(&sheet, of->title, choice, file);
}

static int report_print(const struct snapshot *snapshot, bool by_vcpu,
			const struct sheet_choice *choice, FILE *file)
{
	const struct snapshot_table *polls = snapshot_find_table(snapshot, "vm_halt");
	const struct snapshot_table *table =
		snapshot_find_table(snapshot, by_vcpu ? "vcpu_halt_time" : "vm_halt_time");
	struct halts_list halts = { .n = 0 };
	int err = table ? list_read(table, by_vcpu ? vcpu_columns : vm_columns, &halts) : 0;

	if (!by_vcpu && polls)
		polls_read(polls, &halts);
	for (size_t i = 0; !err && i < HALT_REPORT_SHEETS; i++) {
		if (sheets[i].by_vcpu == by_vcpu)
			err = sheet_print(&sheets[i], &halts, choice, file);
	}
	list_free(&halts);
	return err;
}

int halt_report_print(const struct snapshot *snapshot, const struct sheet_choice *choice,
		      FILE *file)
{
	int err = report_print(snapshot, false, choice, file);

	return err ? err : report_print(snapshot, true, choice, file);
}
