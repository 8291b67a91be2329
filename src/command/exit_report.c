// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* All arithmetic uses integers, since a double cannot hold 64 bits of nanoseconds exactly. */
#define _GNU_SOURCE
#include "command/exit_report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "command/exit_report_lines.h"
#include "command/sheet_choice.h"
#include "command/sheet_print.h"
#include "command/text_table.h"

enum column {
	COLUMN_VM,
	COLUMN_VCPU,
	COLUMN_NAME,
	COLUMN_SAMPLES,
	COLUMN_SAMPLES_SHARE,
	COLUMN_TIME_SHARE,
	COLUMN_P50,
	COLUMN_P99,
	COLUMN_MAX,
	COLUMN_AVERAGE,
	COLUMN_EXIT_TIME,
	COLUMN_GUEST_TIME,
	COLUMN_HALT_TIME,
	COLUMN_RUN_DELAY,
	COLUMNS,
};

#define BIT(column) (1U << COLUMN_##column)
#define SHARES	    (BIT(NAME) | BIT(SAMPLES) | BIT(SAMPLES_SHARE) | BIT(TIME_SHARE) | BIT(AVERAGE))
/* columns of vCPUs hidden by --no-halt: a vCPU counts halts' time, but not how many exits halted */
#define NOT_AWAKE (BIT(SAMPLES) | BIT(SAMPLES_SHARE) | BIT(AVERAGE) | BIT(HALT_TIME))

struct view {
	const char *title;
	const char *heading; /* of COLUMN_NAME */
	unsigned columns;    /* bits by enum column */
	const char *beside;  /* a table with the same numbers as the totals, or NULL */
	bool total;	     /* print a line of totals below */
	bool by_vcpu;	     /* print it only for options->by_vcpu */
	struct exit_lines_source source;
};

#define COUNT_AND_TIME [EXIT_NUMBER_COUNT] = "count", [EXIT_NUMBER_TIME] = "time"

static const struct view views[] = {
	{ .title = "VM exits by reason, all VMs",
	  .heading = "VM-EXIT",
	  .columns = SHARES | BIT(P50) | BIT(P99) | BIT(MAX),
	  .beside = "exit_total",
	  .total = true,
	  .source = { .table = "exit",
		      .numbers = { [EXIT_NUMBER_COUNT] = "count",
				   [EXIT_NUMBER_TIME] = "time",
				   [EXIT_NUMBER_MAX] = "max" },
		      .latency = "exit_latency" } },
	{ .title = "VM exits by VM",
	  .heading = "VM",
	  .columns = SHARES,
	  .source = { .table = "vm_exit",
		      .numbers = { COUNT_AND_TIME },
		      .totals = "vm_exit_total",
		      .by_vm = true } },
	{ .title = "VM exits by VM and reason, as shares of the VM's",
	  .heading = "VM-EXIT",
	  .columns = SHARES | BIT(VM),
	  .source = { .table = "vm_exit", .numbers = { COUNT_AND_TIME }, .by_vm = true } },
	{ .title = "VM exits by vCPU",
	  .heading = "VCPU",
	  .columns = SHARES | BIT(EXIT_TIME) | BIT(GUEST_TIME) | BIT(HALT_TIME) | BIT(RUN_DELAY),
	  .source = { .table = "vcpu",
		      .numbers = { [EXIT_NUMBER_COUNT] = "exits",
				   [EXIT_NUMBER_TIME] = "exit_time",
				   [EXIT_NUMBER_GUEST] = "guest_time",
				   [EXIT_NUMBER_HALT] = "halt_time" },
		      .delays = "vcpu_thread" } },
	{ .title = "VM exits by vCPU and reason, as shares of the vCPU's",
	  .heading = "VM-EXIT",
	  .columns = SHARES | BIT(VCPU) | BIT(MAX),
	  .by_vcpu = true,
	  .source = { .table = "vcpu_exit",
		      .numbers = { [EXIT_NUMBER_COUNT] = "count",
				   [EXIT_NUMBER_TIME] = "time",
				   [EXIT_NUMBER_MAX] = "max" },
		      .by_vm = true } },
	{ .title = "Exits to userspace by reason, all VMs",
	  .heading = "USERSPACE-EXIT",
	  .columns = SHARES,
	  .total = true,
	  .source = { .table = "userspace_exit", .numbers = { COUNT_AND_TIME } } },
	{ .title = "Exits to userspace by VM and reason, as shares of the VM's",
	  .heading = "USERSPACE-EXIT",
	  .columns = SHARES | BIT(VM),
	  .source = { .table = "vm_userspace_exit",
		      .numbers = { COUNT_AND_TIME },
		      .by_vm = true } },
};

/* Format a number of hundredths with two decimals, between the texts before and after. */
static int format_hundredths(const char *before, unsigned __int128 hundredths, const char *after,
			     char **ret_text)
{
	char *text;

	if (asprintf(&text, "%s%" PRIu64 ".%02u%s", before, (uint64_t)(hundredths / 100),
		     (unsigned)(hundredths % 100), after) < 0)
		return -ENOMEM;
	*ret_text = text;
	return 0;
}

static unsigned __int128 divide(unsigned __int128 dividend, unsigned __int128 divisor)
{
	return (dividend + divisor / 2) / divisor;
}

static int format_time(const struct exit_value *value, char **ret_text)
{
	return format_hundredths(value->more ? ">" : "", divide(value->number, 10), "us", ret_text);
}

/* The part of the whole, which is above 0, in hundredths of a percent. */
static uint64_t share(const struct exit_value *value, const struct exit_value *whole)
{
	return (uint64_t)divide((unsigned __int128)value->number * 10000, whole->number);
}

/* Time per exit in hundredths of a microsecond; both are above 0 (time 0: no exit has ended yet).
 */
static uint64_t average(const struct exit_line *entry)
{
	unsigned __int128 count = entry->values[EXIT_NUMBER_COUNT].number;

	return (uint64_t)divide(entry->values[EXIT_NUMBER_TIME].number, count * 10);
}

/* Which number of an entry a column shows, and in which format. */
static const struct {
	const char *heading; /* NULL: view.heading */
	enum { TEXT_VM, TEXT_NAME, PLAIN, SHARE, AVERAGE, NANOSECONDS } how;
	enum exit_number number;
} columns[COLUMNS] = {
	[COLUMN_VM] = { "VM", TEXT_VM, 0 },
	[COLUMN_VCPU] = { "VCPU", TEXT_VM, 0 },
	[COLUMN_NAME] = { NULL, TEXT_NAME, 0 },
	[COLUMN_SAMPLES] = { "Samples", PLAIN, EXIT_NUMBER_COUNT },
	[COLUMN_SAMPLES_SHARE] = { "Samples%", SHARE, EXIT_NUMBER_COUNT },
	[COLUMN_TIME_SHARE] = { "Time%", SHARE, EXIT_NUMBER_TIME },
	[COLUMN_P50] = { "p50", NANOSECONDS, EXIT_NUMBER_P50 },
	[COLUMN_P99] = { "p99", NANOSECONDS, EXIT_NUMBER_P99 },
	[COLUMN_MAX] = { "Max Time", NANOSECONDS, EXIT_NUMBER_MAX },
	[COLUMN_AVERAGE] = { "Avg time", AVERAGE, EXIT_NUMBER_TIME },
	[COLUMN_EXIT_TIME] = { "Exit time", NANOSECONDS, EXIT_NUMBER_TIME },
	[COLUMN_GUEST_TIME] = { "Guest time", NANOSECONDS, EXIT_NUMBER_GUEST },
	[COLUMN_HALT_TIME] = { "Halt time", NANOSECONDS, EXIT_NUMBER_HALT },
	[COLUMN_RUN_DELAY] = { "Run delay", NANOSECONDS, EXIT_NUMBER_DELAY },
};

/* A view's lines as a sheet. */
struct view_sheet {
	const struct exit_lines *lines;
	struct sheet_column list[COLUMNS];
	enum column columns[COLUMNS]; /* what they show */
	struct sheet sheet;
};

static int text_cell(const char *text, size_t len, struct sheet_cell *cell)
{
	char *copy;

	if (asprintf(&copy, "%.*s", (int)len, text) < 0)
		return -ENOMEM;
	cell->text = copy;
	cell->present = true;
	return 0;
}

static int view_cell(const struct sheet *sheet, size_t row, size_t at, struct sheet_cell *cell)
{
	const struct view_sheet *view = sheet->data;
	const struct exit_line *entry = &view->lines->entries[row];
	enum column column = view->columns[at];
	const struct exit_value *value = &entry->values[columns[column].number];
	const struct exit_value *whole =
		&view->lines->groups[entry->group].values[columns[column].number];

	switch (columns[column].how) {
	case TEXT_VM:
		return text_cell(entry->vm, entry->vm_len, cell);
	case TEXT_NAME:
		return text_cell(entry->name, entry->name_len, cell);
	case PLAIN:
		if (value->present)
			sheet_cell_number(cell, value->number);
		break;
	case SHARE:
		if (!value->present || !whole->number)
			break;
		sheet_cell_number(cell, share(value, whole));
		return format_hundredths("", cell->number, "%", &cell->text);
	case AVERAGE:
		if (!value->number || !entry->values[EXIT_NUMBER_COUNT].number)
			break;
		sheet_cell_number(cell, average(entry));
		return format_hundredths("", cell->number, "us", &cell->text);
	case NANOSECONDS:
		if (!value->present)
			break;
		sheet_cell_number(cell, value->number);
		return format_time(value, &cell->text);
	}
	return 0;
}

static void view_sheet_make(const struct view *view, unsigned shown, const struct exit_lines *lines,
			    struct view_sheet *to)
{
	size_t n = 0;

	for (enum column column = 0; column < COLUMNS; column++) {
		const char *heading = columns[column].heading;

		if (!(shown & (1U << column)))
			continue;
		to->columns[n] = column;
		to->list[n++] = (struct sheet_column){ .name = heading ? heading : view->heading,
						       .right = columns[column].how > TEXT_NAME };
	}
	to->lines = lines;
	to->sheet = (struct sheet){
		.columns = to->list, .ncolumns = n, .nrows = lines->n, .cell = view_cell, .data = to
	};
}

/* The line of totals, in perf kvm stat's format. */
static int print_total(const struct exit_line *group, FILE *file)
{
	const struct exit_value *time = &group->values[EXIT_NUMBER_TIME];
	char *text;
	int err;

	fprintf(file, "\nTotal Samples:%" PRIu64, group->values[EXIT_NUMBER_COUNT].number);
	if (time->present) {
		err = format_time(time, &text);
		if (err)
			return err;
		fprintf(file, ", Total events handled time:%s", text);
		free(text);
	}
	fputs(".\n", file);
	return 0;
}

static int print_view(const struct view *view, const struct exit_lines *lines,
		      const struct exit_report_options *options, FILE *file)
{
	unsigned shown = view->columns;
	struct view_sheet sheet;
	int err;

	if (options->awake && view->source.numbers[EXIT_NUMBER_HALT])
		shown &= ~NOT_AWAKE;
	view_sheet_make(view, shown, lines, &sheet);
	if (!sheet_is_chosen(&sheet.sheet, options->choice))
		return 0;
	fprintf(file, "%s%s:\n\n", view->title, options->awake ? ", without those that sleep" : "");
	err = sheet_print_table(&sheet.sheet, options->choice, file);
	if (!err && view->total && lines->groups[0].values[EXIT_NUMBER_COUNT].present)
		err = print_total(&lines->groups[0], file);
	fputc('\n', file);
	return err ? err : text_table_written(file);
}

/* Add a table to the NULL-terminated list, unless it is in it. */
static void shown_add(const struct snapshot *snapshot, const char *name,
		      const struct snapshot_table **shown)
{
	const struct snapshot_table *table = name ? snapshot_find_table(snapshot, name) : NULL;

	while (*shown && *shown != table)
		shown++;
	*shown = table;
}

/* Tables that a view names at most. */
#define TABLES_OF_A_VIEW 5

_Static_assert(EXIT_REPORT_TABLES >= sizeof(views) / sizeof(views[0]) * TABLES_OF_A_VIEW,
	       "the list of shown tables can overflow");

static void view_shown(const struct view *view, const struct snapshot *snapshot,
		       const struct snapshot_table **shown)
{
	const char *const tables[TABLES_OF_A_VIEW] = {
		view->source.table,  view->source.delays, view->source.latency,
		view->source.totals, view->beside,
	};

	for (size_t i = 0; i < TABLES_OF_A_VIEW; i++)
		shown_add(snapshot, tables[i], shown);
}

const struct sheet_column *exit_report_columns(size_t *ret_n)
{
	static struct sheet_column list[COLUMNS + sizeof(views) / sizeof(views[0])];
	size_t n = 0;

	for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++)
		list[n++] = (struct sheet_column){ .name = views[i].heading };
	for (enum column column = 0; column < COLUMNS; column++) {
		if (columns[column].heading)
			list[n++] = (struct sheet_column){ .name = columns[column].heading };
	}
	*ret_n = n;
	return list;
}

int exit_report_print(const struct snapshot *snapshot, const struct exit_report_options *options,
		      FILE *file, const struct snapshot_table *ret_shown[EXIT_REPORT_TABLES + 1])
{
	const struct snapshot_table *shown[EXIT_REPORT_TABLES + 1] = { NULL };
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(views) / sizeof(views[0]); i++) {
		struct exit_lines lines;

		if (views[i].by_vcpu && !options->by_vcpu)
			continue;
		err = exit_lines_read(&views[i].source, snapshot, options->awake, &lines);
		if (!err && lines.n)
			err = print_view(&views[i], &lines, options, file);
		if (lines.some)
			view_shown(&views[i], snapshot, shown);
		exit_lines_free(&lines);
	}
	if (!err)
		memcpy(ret_shown, shown, sizeof(shown));
	return err;
}
