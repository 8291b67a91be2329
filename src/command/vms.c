// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* kvmbpf vms: which VMs run, their names and labels. */
#include <errno.h>
#include <string.h>

#include "command/commands.h"
#include "command/list.h"
#include "metrics/snapshot.h"

enum { VM, PID, VCPUS, NAME, UUID, MACHINE, POD, CGROUP, COLUMNS };

static const struct sheet_column columns[COLUMNS] = {
	[VM] = { .name = "VM" },
	[PID] = { .name = "PID", .right = true },
	[VCPUS] = { .name = "VCPUS", .right = true },
	[NAME] = { .name = "NAME" },
	[UUID] = { .name = "UUID" },
	[MACHINE] = { .name = "MACHINE" },
	[POD] = { .name = "POD", .extra = true },
	[CGROUP] = { .name = "CGROUP", .extra = true },
};

/* The columns of the snapshot's table, or the labels, that have what is shown. */
static const struct {
	const char *column, *label;
} sources[COLUMNS] = {
	[PID] = { .column = "pid" },	    [VCPUS] = { .column = "vcpus" },
	[NAME] = { .column = "name" },	    [UUID] = { .label = "uuid" },
	[MACHINE] = { .label = "machine" }, [POD] = { .label = "pod" },
	[CGROUP] = { .label = "cgroup" },
};

static int label_cell(const struct labels *labels, const char *key, struct sheet_cell *cell)
{
	for (size_t i = 0; labels && i < labels->n; i++) {
		if (strcmp(labels->list[i].key, key) == 0)
			return sheet_cell_text(cell, labels->list[i].text);
	}
	return 0;
}

static int vm_cell(const struct sheet *sheet, size_t row, size_t column, struct sheet_cell *cell)
{
	const struct snapshot_table *table = sheet->data;
	const struct snapshot_cell *from;
	int at;

	if (column == VM)
		return sheet_cell_text(cell, table->rows[row].name);
	if (sources[column].label)
		return label_cell(table->rows[row].labels, sources[column].label, cell);
	at = snapshot_table_column(table, sources[column].column);
	if (at < 0)
		return 0;
	from = snapshot_table_cell(table, row, (size_t)at);
	if (from->present && from->text)
		return sheet_cell_text(cell, from->text);
	if (from->present)
		sheet_cell_number(cell, from->number);
	return 0;
}

static int vms_make(const struct snapshot *snapshot, struct sheet *sheet)
{
	const struct snapshot_table *table = snapshot_find_table(snapshot, "vm");

	sheet->nrows = table ? table->nrows : 0;
	sheet->cell = vm_cell;
	sheet->data = table;
	return 0;
}

static void vms_free(struct sheet *sheet)
{
	(void)sheet;
}

int command_vms(int argc, char **argv)
{
	static const struct list list = {
		.command = "vms",
		.about =
			"List the VMs that run, how many vCPUs they have, and by which names they are\n"
			"known.\n",
		.family = "stat",
		.columns = columns,
		.ncolumns = COLUMNS,
		.sheet_make = vms_make,
		.sheet_free = vms_free,
	};

	return list_run(&list, argc, argv);
}
