// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The host's numbers of kvmbpf top, and what both screens have in common. */
#define _GNU_SOURCE
#include "command/top_model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
	free(model->rest.times_begin.list);
	free(model->rest.reasons_begin.list);
	free(model->rest.causes_begin.list);
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

void top_value(struct grid_cell *cell, struct top_place place, size_t row)
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
	top_value(&host->vms, top_place(snapshot, "kvm.nvms"), 0);
	top_value(&host->vcpus, top_place(snapshot, "kvm.nvcpus"), 0);
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
