// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The host's screen of kvmbpf top, and what both screens have in common. */
#define _GNU_SOURCE
#include "command/top_model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VM_NAME, VM_VCPUS, VM_RATE, VM_SHARES, VM_REASON = VM_SHARES + TOP_SHARES, VM_CAUSE };

static const struct grid_column vm_columns[TOP_VM_COLUMNS] = {
	{ .heading = "VM", .width = 14, .grows = true },
	{ .heading = "VCPU", .width = 4, .format = GRID_COUNT },
	{ .heading = "VMM-X/s", .width = 7, .format = GRID_RATE }, /* or EXITS/s */
	{ .heading = "GST", .width = 3, .format = GRID_PERCENT },
	{ .heading = "KVM", .width = 3, .format = GRID_PERCENT },
	{ .heading = "VMM", .width = 3, .format = GRID_PERCENT },
	{ .heading = "HLT", .width = 3, .format = GRID_PERCENT },
	{ .heading = "RDY", .width = 3, .format = GRID_PERCENT, .warns = 5, .alarms = 10 },
	{ .heading = "UNK", .width = 3, .format = GRID_PERCENT },
	{ .heading = "TOP REASON", .width = 11 },
	{ .heading = "TOP CAUSE", .width = 16, .grows = true },
};

static const struct grid_column vcpu_columns[] = {
	{ .heading = "VCPU", .width = 4, .format = GRID_COUNT },
	{ .heading = "STATE", .width = 9 },
	{ .heading = "OPEN ms", .width = 8, .format = GRID_MILLI },
	{ .heading = "EXITS/s", .width = 8, .format = GRID_RATE },
	{ .heading = "GST", .width = 3, .format = GRID_PERCENT },
	{ .heading = "KVM", .width = 3, .format = GRID_PERCENT },
	{ .heading = "VMM", .width = 3, .format = GRID_PERCENT },
	{ .heading = "HLT", .width = 3, .format = GRID_PERCENT },
	{ .heading = "RDY", .width = 3, .format = GRID_PERCENT, .warns = 5, .alarms = 10 },
	{ .heading = "UNK", .width = 3, .format = GRID_PERCENT },
};

static const struct grid_column reason_columns[] = {
	{ .heading = "REASON", .width = 14, .grows = true },
	{ .heading = "/s", .width = 7, .format = GRID_COUNT },
	{ .heading = "avg us", .width = 7, .format = GRID_MICRO },
	{ .heading = "p99 us", .width = 7, .format = GRID_MICRO },
	{ .heading = "max us", .width = 8, .format = GRID_MICRO },
	{ .heading = "ms/s", .width = 7, .format = GRID_MILLI },
};

static const struct grid_column cause_columns[] = {
	{ .heading = "CAUSE", .width = 19, .grows = true },
	{ .heading = "DEVICE", .width = 10, .grows = true },
	{ .heading = "access/s", .width = 8, .format = GRID_COUNT },
	{ .heading = "VMM-X/s", .width = 8, .format = GRID_COUNT },
	{ .heading = "VMM ms/s", .width = 8, .format = GRID_MILLI },
	{ .heading = "avg us", .width = 7, .format = GRID_MICRO },
	{ .heading = "KVM ms/s", .width = 8, .format = GRID_MILLI },
};

static const struct grid_column slow_columns[] = {
	{ .heading = "SLOW EXIT", .width = 14, .grows = true },
	{ .heading = "CAUSE", .width = 24, .grows = true },
	{ .heading = "VCPU", .width = 4, .format = GRID_COUNT },
	{ .heading = "ms", .width = 8, .format = GRID_MILLI },
	{ .heading = "MOSTLY", .width = 8 },
	{ .heading = "WHEN", .width = 14, .format = GRID_WHEN },
};

#define N(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	const struct grid_column *columns;
	size_t n, texts;
} sections[TOP_SECTIONS] = {
	[TOP_VMS] = { vm_columns, N(vm_columns), 1 },
	[TOP_VCPUS] = { vcpu_columns, N(vcpu_columns), 0 },
	[TOP_REASONS] = { reason_columns, N(reason_columns), 1 },
	[TOP_CAUSES] = { cause_columns, N(cause_columns), 2 },
	[TOP_SLOW] = { slow_columns, N(slow_columns), 2 },
};

void top_model_init(struct top_model *model)
{
	*model = (struct top_model){ .exits = false };
	for (int i = 0; i < TOP_SECTIONS; i++)
		grid_init(&model->grids[i], sections[i].columns, sections[i].n);
	memcpy(model->vm_columns, vm_columns, sizeof(vm_columns));
	model->grids[TOP_VMS].columns = model->vm_columns;
}

void top_model_free(struct top_model *model)
{
	for (int i = 0; i < TOP_SECTIONS; i++)
		grid_free(&model->grids[i]);
}

size_t top_texts(enum top_section section)
{
	return sections[section].texts;
}

/* --- metrics --- */

void top_rate(struct grid_cell *cell, const struct rates *rates, struct top_place place, size_t row)
{
	double rate = 0;
	bool known = place.column >= 0 && row < place.table->nrows &&
		     rates_get(rates, place.table, row, place.column, &rate);

	grid_number(cell, known, rate);
}

bool top_has_exits(const struct snapshot *snapshot)
{
	struct top_place total = top_place(snapshot, "kvm.exit.total");

	return total.column >= 0 && total.table->nrows &&
	       snapshot_table_cell(total.table, 0, (size_t)total.column)->present;
}

/* The tables of metrics; the list ends with NULL. */
static uint64_t tables_of(const struct snapshot *snapshot, const char *const *names)
{
	uint64_t tables = 0;

	for (; *names; names++) {
		struct top_place place = top_place(snapshot, *names);

		for (size_t j = 0; place.table && j < snapshot->ntables && j < 64; j++)
			tables |= (uint64_t)(snapshot->tables[j] == place.table) << j;
	}
	return tables;
}

uint64_t top_host_tables(const struct snapshot *snapshot)
{
	static const char *const names[] = { "kvm.nvms",
					     "kvm.exit.total",
					     "kvm.userspace_exit.count",
					     "kvm.halt_exits",
					     "kvm.time.total",
					     "kvm.vm.open.total",
					     NULL };

	return tables_of(snapshot, names);
}

uint64_t top_tables(const struct snapshot *snapshot, bool of_vm)
{
	static const char *const both[] = { "kvm.vm.vcpus",
					    "kvm.exit.total",
					    "kvm.vm.exit.total",
					    "kvm.vm.exit.count",
					    "kvm.vm.userspace_exit.count",
					    "kvm.vm.cause.count",
					    "kvm.vm.time.total",
					    NULL };
	static const char *const vm[] = {
		"kvm.vcpu.exits",      "kvm.vm.exit.latency", "kvm.vm.userspace_exit.latency",
		"kvm.vcpu.time.total", "kvm.vcpu.time.open",  "kvm.vcpu.state",
		"kvm.vcpu.slow.when",  "kvm.vm.slow_count",   NULL
	};

	return tables_of(snapshot, both) |
	       (of_vm ? tables_of(snapshot, vm) : top_host_tables(snapshot));
}

/* --- the host --- */

/* The sum of the rates of all rows. */
static void sum_rate(struct grid_cell *cell, const struct rates *rates, struct top_place place)
{
	struct grid_cell one;

	*cell = (struct grid_cell){ .known = false };
	for (size_t row = 0; place.column >= 0 && row < place.table->nrows; row++) {
		top_rate(&one, rates, place, row);
		cell->known |= one.known;
		cell->number += one.known ? one.number : 0;
	}
}

static void value_get(struct grid_cell *cell, struct top_place place, size_t row)
{
	const struct snapshot_cell *from;

	*cell = (struct grid_cell){ .known = false };
	if (place.column < 0 || row >= place.table->nrows)
		return;
	from = snapshot_table_cell(place.table, row, (size_t)place.column);
	grid_number(cell, from->present && !from->text, (double)from->number);
}

void top_model_numbers(struct top_model *model, const struct snapshot *snapshot,
		       const struct rates *rates)
{
	struct top_host *host = &model->host;
	struct grid_cell times[TOP_ALL_SHARES];
	double seconds = 0;
	struct top_times places;

	model->exits = top_has_exits(snapshot);
	value_get(&host->vms, top_place(snapshot, "kvm.nvms"), 0);
	value_get(&host->vcpus, top_place(snapshot, "kvm.nvcpus"), 0);
	top_rate(&host->exits, rates, top_place(snapshot, "kvm.exit.total"), 0);
	sum_rate(&host->trips, rates, top_place(snapshot, "kvm.userspace_exit.count"));
	top_rate(&host->halts, rates, top_place(snapshot, "kvm.halt_exits"), 0);
	top_rate(&host->emulated, rates, top_place(snapshot, "kvm.insn_emulation"), 0);
	top_times_find(snapshot, "kvm.time", "kvm.vm.open", &places);
	if (places.times[TOP_VMM].table)
		seconds = rates_seconds(rates, places.times[TOP_VMM].table);
	top_times_get(&places, rates, 0, times);
	for (int i = 0; i < TOP_ALL_SHARES; i++)
		grid_number(&host->cpus[i], times[i].known && seconds > 0,
			    seconds > 0 ? times[i].number / seconds / 1e9 : 0);
	top_shares_make(times, host->shares);
}

/* The VM of a row, by its place in the grid, which is in the order of the table of VMs. */
struct owners {
	const struct snapshot_table *vms;
	size_t at; /* the last one found: rows of a VM follow each other */
};

static bool owner_is(const struct owners *owners, size_t vm, const struct snapshot_row *row)
{
	const char *name = owners->vms->rows[vm].name;

	return strncmp(name, row->name, row->owner_bytes) == 0 && !name[row->owner_bytes];
}

static size_t owner_find(struct owners *owners, const struct snapshot_row *row)
{
	size_t n = owners->vms->nrows;

	for (size_t i = 0; i < n; i++) {
		size_t vm = (owners->at + i) % n;

		if (owner_is(owners, vm, row)) {
			owners->at = vm;
			return vm;
		}
	}
	return n;
}

static struct grid_cell *cells_of(struct grid *grid, size_t row)
{
	return &grid->cells[row * grid->ncolumns];
}

/* The best row of each VM so far; a cell's number is what it is measured by. */
struct best {
	size_t row;
	double first, second;
};

/* Is it what guests do, rather than what could not be told apart? */
static bool is_named(const struct snapshot_row *row)
{
	const char *key = row->name + (row->owner_bytes ? row->owner_bytes + 2 : 0);

	return strcmp(key, "none") != 0 && strcmp(key, "other") != 0;
}

static void best_take(struct best *best, size_t row, const struct snapshot_row *of, double first,
		      double second)
{
	bool counts = first > 0 || second > 0;
	double weight = is_named(of) ? 1 : 1e-9; /* only if there is nothing else */

	first *= weight;
	second *= weight;
	if (counts && (first > best->first || (first == best->first && second > best->second)))
		*best = (struct best){ row + 1, first, second };
}

/* Find each VM's best row of a table by two metrics' rates, where each is known. */
static void bests_find(struct best *bests, struct top_place by, struct top_place then,
		       const struct rates *rates, const struct snapshot_table *vms)
{
	const struct snapshot_table *table = by.table ? by.table : then.table;
	struct owners owners = { .vms = vms };

	memset(bests, 0, vms->nrows * sizeof(*bests));
	for (size_t row = 0; table && row < table->nrows; row++) {
		struct grid_cell first, second;
		size_t vm;

		top_rate(&first, rates, by, row);
		top_rate(&second, rates, then, row);
		if (!(first.number > 0) && !(second.number > 0))
			continue;
		vm = owner_find(&owners, &table->rows[row]);
		if (vm < vms->nrows)
			best_take(&bests[vm], row, &table->rows[row], first.number, second.number);
	}
}

/* What a row is about, without its owner; with the device of a cause. */
static int name_set(struct grid_cell *cell, const struct snapshot_table *table, size_t row)
{
	const struct snapshot_row *of = &table->rows[row];
	int device = snapshot_table_column(table, "device");
	const struct snapshot_cell *known;
	char text[256];

	known = device < 0 ? NULL : snapshot_table_cell(table, row, (size_t)device);
	snprintf(text, sizeof(text), "%s", of->name + (of->owner_bytes ? of->owner_bytes + 2 : 0));
	if (known && known->present && known->text && strcmp(known->text, "-") != 0)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), " %s", known->text);
	return grid_text(cell, text);
}

static int bests_set(struct grid *grid, int column, const struct best *bests,
		     const struct snapshot_table *table)
{
	int err = 0;

	for (size_t vm = 0; !err && table && vm < grid->nrows; vm++) {
		if (bests[vm].row)
			err = name_set(&cells_of(grid, vm)[column], table, bests[vm].row - 1);
	}
	return err;
}

/* Each VM's first reason and cause. */
static int tops_make(struct top_model *model, const struct snapshot *snapshot,
		     const struct rates *rates, const struct snapshot_table *vms)
{
	struct grid *grid = &model->grids[TOP_VMS];
	struct best *bests = reallocarray(NULL, vms->nrows + 1, sizeof(*bests));
	struct top_place by = top_place(snapshot, model->exits ? "kvm.vm.exit.count" :
								 "kvm.vm.userspace_exit.count");
	struct top_place then = top_place(snapshot, "kvm.vm.cause.accesses");
	int err;

	if (!bests)
		return -ENOMEM;
	bests_find(bests, by, (struct top_place){ NULL, -1 }, rates, vms);
	err = bests_set(grid, VM_REASON, bests, by.table);
	by = top_place(snapshot,
		       model->exits ? "kvm.vm.cause.count" : "kvm.vm.cause.userspace_count");
	bests_find(bests, by, then, rates, vms);
	if (!err)
		err = bests_set(grid, VM_CAUSE, bests, by.table);
	free(bests);
	return err;
}

/* Exits of VMs have a total; trips are summed up. */
static void rates_make(struct top_model *model, const struct snapshot *snapshot,
		       const struct rates *rates, const struct snapshot_table *vms)
{
	struct top_place place = top_place(snapshot, model->exits ? "kvm.vm.exit.total" :
								    "kvm.vm.userspace_exit.count");
	struct owners owners = { .vms = vms };

	for (size_t row = 0; place.column >= 0 && row < place.table->nrows; row++) {
		size_t vm = owner_find(&owners, &place.table->rows[row]);
		struct grid_cell rate, *cell;

		if (vm == vms->nrows)
			continue;
		top_rate(&rate, rates, place, row);
		cell = &cells_of(&model->grids[TOP_VMS], vm)[VM_RATE];
		cell->known |= rate.known;
		cell->number += rate.known ? rate.number : 0;
	}
}

static void shares_make(struct top_model *model, const struct snapshot *snapshot,
			const struct rates *rates, const struct snapshot_table *vms)
{
	struct grid_cell times[TOP_ALL_SHARES], shares[TOP_ALL_SHARES];
	struct owners owners = { .vms = vms };
	const struct snapshot_table *table;
	struct top_times places;

	top_times_find(snapshot, "kvm.vm.time", "kvm.vm.open", &places);
	table = places.times[TOP_VMM].table;
	for (size_t row = 0; table && row < table->nrows; row++) {
		size_t vm = owner_find(&owners, &table->rows[row]);

		if (vm == vms->nrows)
			continue;
		top_times_get(&places, rates, row, times);
		top_shares_make(times, shares);
		top_shares_round(shares);
		memcpy(cells_of(&model->grids[TOP_VMS], vm) + VM_SHARES, shares,
		       TOP_SHARES * sizeof(*shares));
	}
}

int top_model_host(struct top_model *model, const struct snapshot *snapshot,
		   const struct rates *rates)
{
	struct grid *grid = &model->grids[TOP_VMS];
	struct top_place vms = top_place(snapshot, "kvm.vm.vcpus");
	int err = 0;

	grid_clear(grid);
	top_model_numbers(model, snapshot, rates);
	model->vm_columns[VM_RATE].heading = model->exits ? "EXITS/s" : "VMM-X/s";
	for (size_t row = 0; !err && vms.column >= 0 && row < vms.table->nrows; row++) {
		struct grid_cell *cells = grid_add(grid);

		if (!cells)
			return -ENOMEM;
		value_get(&cells[VM_VCPUS], vms, row);
		err = grid_text(&cells[VM_NAME], vms.table->rows[row].name);
	}
	if (err || !grid->nrows)
		return err;
	rates_make(model, snapshot, rates, vms.table);
	shares_make(model, snapshot, rates, vms.table);
	return tops_make(model, snapshot, rates, vms.table);
}
