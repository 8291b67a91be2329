// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* kvmbpf events: which of KVM's tracepoints this kernel has, and whether they can be counted. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command/commands.h"
#include "command/list.h"
#include "metrics/item_numbers.h"
#include "metrics/snapshot.h"

enum { EVENT, ATTACHED, STATUS, COUNT, MISSED, HELP, COLUMNS };

static const struct sheet_column columns[COLUMNS] = {
	[EVENT] = { .name = "EVENT" },
	[ATTACHED] = { .name = "ATTACHED", .right = true },
	[STATUS] = { .name = "STATUS" },
	[COUNT] = { .name = "COUNT", .right = true },
	[MISSED] = { .name = "MISSED", .right = true },
	[HELP] = { .name = "HELP", .extra = true },
};

/* Where the values are; tables may be NULL. */
struct events {
	const struct snapshot_table *events, *missed, *counts;
};

static const struct snapshot_cell *cell_of(const struct snapshot_table *table, int row,
					   const char *column)
{
	int at = table && row >= 0 ? snapshot_table_column(table, column) : -1;

	return at < 0 ? NULL : snapshot_table_cell(table, (size_t)row, (size_t)at);
}

static int cell_copy(const struct snapshot_cell *from, struct sheet_cell *cell)
{
	if (!from || !from->present)
		return 0;
	if (from->text)
		return sheet_cell_text(cell, from->text);
	sheet_cell_number(cell, from->number);
	return 0;
}

/* The sum over CPUs; absent if no CPU has a value. */
static void count_cell(const struct snapshot_table *counts, const char *name,
		       struct sheet_cell *cell)
{
	for (size_t row = 0; counts && row < counts->nrows; row++) {
		const struct snapshot_cell *from = cell_of(counts, (int)row, name);

		if (from && from->present && !from->text)
			sheet_cell_number(cell, cell->number + from->number);
	}
}

static int event_cell(const struct sheet *sheet, size_t row, size_t column, struct sheet_cell *cell)
{
	const struct events *events = sheet->data;
	const char *name = events->events->rows[row].name;
	const struct item *item;
	size_t at = row;
	int found;

	switch (column) {
	case EVENT:
		return sheet_cell_text(cell, name);
	case ATTACHED:
		return cell_copy(cell_of(events->events, (int)row, "attached"), cell);
	case STATUS:
		return cell_copy(cell_of(events->events, (int)row, "status"), cell);
	case COUNT:
		count_cell(events->counts, name, cell);
		return 0;
	case MISSED:
		found = events->missed ?
				snapshot_table_find_row(events->missed, name, strlen(name), &at) :
				-1;
		return cell_copy(cell_of(events->missed, found, "missed"), cell);
	default:
		item = items_find(ITEMS_TRACE, name);
		return sheet_cell_text(cell, item ? item->help : NULL);
	}
}

static int events_make(const struct snapshot *snapshot, struct sheet *sheet)
{
	struct events *events = calloc(1, sizeof(*events));

	if (!events)
		return -ENOMEM;
	events->events = snapshot_find_table(snapshot, "event");
	events->missed = snapshot_find_table(snapshot, "event_missed");
	events->counts = snapshot_find_table(snapshot, "trace");
	sheet->nrows = events->events ? events->events->nrows : 0;
	sheet->cell = event_cell;
	sheet->data = events;
	return 0;
}

static void events_free(struct sheet *sheet)
{
	free((void *)sheet->data);
}

int command_events(int argc, char **argv)
{
	static const struct list list = {
		.command = "events",
		.about =
			"List KVM's tracepoints in this kernel: whether each can be counted, or why not,\n"
			"how often it came, and how many of these times the kernel skipped the counting\n"
			"program.\n",
		.family = "trace",
		.events = true,
		.seconds = true,
		.columns = columns,
		.ncolumns = COLUMNS,
		.sheet_make = events_make,
		.sheet_free = events_free,
	};

	return list_run(&list, argc, argv);
}
