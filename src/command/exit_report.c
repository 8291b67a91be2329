// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* All arithmetic uses integers, since a double cannot hold 64 bits of nanoseconds exactly. */
#define _GNU_SOURCE
#include "command/exit_report.h"

#include <errno.h>
#include <inttypes.h>
#include <libsmartcols.h>
#include <stdlib.h>
#include <string.h>

#include "command/exit_report_lines.h"
#include "command/text_table.h"

enum column {
	COLUMN_VM,
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
	return asprintf(ret_text, "%s%" PRIu64 ".%02u%s", before, (uint64_t)(hundredths / 100),
			(unsigned)(hundredths % 100), after) < 0 ?
		       -ENOMEM :
		       0;
}

static unsigned __int128 divide(unsigned __int128 dividend, unsigned __int128 divisor)
{
	return (dividend + divisor / 2) / divisor;
}

static int format_time(const struct exit_value *value, char **ret_text)
{
	return format_hundredths(value->more ? ">" : "", divide(value->number, 10), "us", ret_text);
}

static int format_share(const struct exit_value *value, const struct exit_value *whole,
			char **ret_text)
{
	unsigned __int128 part = value->number;

	return format_hundredths("", divide(part * 10000, whole->number), "%", ret_text);
}

/* Time per exit; the caller checks that both are above 0 (a time of 0: no exit has ended yet). */
static int format_average(const struct exit_line *entry, char **ret_text)
{
	unsigned __int128 count = entry->values[EXIT_NUMBER_COUNT].number;

	return format_hundredths("", divide(entry->values[EXIT_NUMBER_TIME].number, count * 10),
				 "us", ret_text);
}

/* Which number of an entry a column shows, and in which format. */
static const struct {
	const char *heading; /* NULL: view.heading */
	enum { TEXT_VM, TEXT_NAME, PLAIN, SHARE, AVERAGE, NANOSECONDS } how;
	enum exit_number number;
} columns[COLUMNS] = {
	[COLUMN_VM] = { "VM", TEXT_VM, 0 },
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

static int format(const struct exit_line *entry, const struct exit_line *group, enum column column,
		  char **ret_text)
{
	const struct exit_value *value = &entry->values[columns[column].number];
	const struct exit_value *whole = &group->values[columns[column].number];

	switch (columns[column].how) {
	case TEXT_VM:
		return asprintf(ret_text, "%.*s", (int)entry->vm_len, entry->vm) < 0 ? -ENOMEM : 0;
	case TEXT_NAME:
		return asprintf(ret_text, "%.*s", (int)entry->name_len, entry->name) < 0 ? -ENOMEM :
											   0;
	case PLAIN:
		if (value->present)
			return asprintf(ret_text, "%" PRIu64, value->number) < 0 ? -ENOMEM : 0;
		break;
	case SHARE:
		if (value->present && whole->number)
			return format_share(value, whole, ret_text);
		break;
	case AVERAGE:
		if (value->number && entry->values[EXIT_NUMBER_COUNT].number)
			return format_average(entry, ret_text);
		break;
	case NANOSECONDS:
		if (value->present)
			return format_time(value, ret_text);
		break;
	}
	return asprintf(ret_text, "-") < 0 ? -ENOMEM : 0;
}

static int print_line(struct libscols_table *table, unsigned shown, const struct exit_line *entry,
		      const struct exit_line *group)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	size_t at = 0;

	if (!line)
		return -ENOMEM;
	for (enum column column = 0; column < COLUMNS; column++) {
		char *text;
		int err;

		if (!(shown & (1U << column)))
			continue;
		err = format(entry, group, column, &text);
		if (err)
			return err;
		err = text_table_take(line, at++, text);
		if (err)
			return err;
	}
	return 0;
}

static int print_lines(const struct view *view, unsigned shown, const struct exit_lines *lines,
		       FILE *file)
{
	struct libscols_table *table = text_table_new(file);
	int err = -ENOMEM;

	if (!table)
		return -ENOMEM;
	for (enum column column = 0; column < COLUMNS; column++) {
		const char *heading = columns[column].heading;

		if ((shown & (1U << column)) &&
		    !scols_table_new_column(table, heading ? heading : view->heading, 0,
					    columns[column].how <= TEXT_NAME ? 0 : SCOLS_FL_RIGHT))
			goto out;
	}
	for (size_t i = 0; i < lines->n; i++) {
		const struct exit_line *entry = &lines->entries[i];

		err = print_line(table, shown, entry, &lines->groups[entry->group]);
		if (err)
			goto out;
	}
	err = scols_print_table(table);
out:
	scols_unref_table(table);
	return err;
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

static int print_view(const struct view *view, const struct exit_lines *lines, bool awake,
		      FILE *file)
{
	unsigned shown = view->columns;
	int err;

	if (awake && view->source.numbers[EXIT_NUMBER_HALT])
		shown &= ~NOT_AWAKE;
	fprintf(file, "%s%s:\n\n", view->title, awake ? ", without those that sleep" : "");
	err = print_lines(view, shown, lines, file);
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

int exit_report_print(const struct snapshot *snapshot, bool awake, FILE *file,
		      const struct snapshot_table *ret_shown[EXIT_REPORT_TABLES + 1])
{
	const struct snapshot_table *shown[EXIT_REPORT_TABLES + 1] = { NULL };
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(views) / sizeof(views[0]); i++) {
		struct exit_lines lines;

		err = exit_lines_read(&views[i].source, snapshot, awake, &lines);
		if (!err && lines.n)
			err = print_view(&views[i], &lines, awake, file);
		if (lines.some)
			view_shown(&views[i], snapshot, shown);
		exit_lines_free(&lines);
	}
	if (!err)
		memcpy(ret_shown, shown, sizeof(shown));
	return err;
}
