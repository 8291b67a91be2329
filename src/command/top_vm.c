// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* A VM's screen of kvmbpf top: its vCPUs, reasons, causes and slow exits. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/percentiles.h"
#include "command/top_model.h"

enum { VCPU_NUMBER, VCPU_STATE, VCPU_OPEN, VCPU_RATE, VCPU_SHARES };
enum { REASON, REASON_RATE, REASON_AVERAGE, REASON_P99, REASON_MAX = TOP_REASON_MAX, REASON_TIME };
enum { CAUSE, DEVICE, ACCESSES, TRIPS, TRIP_TIME, AVERAGE, KVM_TIME };

static bool is_vms(const struct snapshot_row *row, const char *vm)
{
	size_t n = strlen(vm);

	return strncmp(row->name, vm, n) == 0 &&
	       (!row->name[n] || strncmp(row->name + n, "::", 2) == 0);
}

/* A row's name without its VM. */
static const char *rest_of(const struct snapshot_row *row, const char *vm)
{
	size_t n = strlen(vm);

	return row->name[n] ? row->name + n + 2 : row->name + n;
}

/* The row of this name, or nrows. */
static size_t row_of(const struct snapshot_table *table, const char *name)
{
	size_t row = 0;

	while (row < table->nrows && strcmp(table->rows[row].name, name) != 0)
		row++;
	return row;
}

/* A number as it is. */
static void value_of(struct grid_cell *cell, struct top_place place, size_t row, double unit)
{
	const struct snapshot_cell *from;

	*cell = (struct grid_cell){ .known = false };
	if (place.column < 0 || row >= place.table->nrows)
		return;
	from = snapshot_table_cell(place.table, row, (size_t)place.column);
	grid_number(cell, from->present && !from->text, (double)from->number / unit);
}

static void ratio(struct grid_cell *cell, const struct grid_cell *part, const struct grid_cell *of,
		  double unit)
{
	bool known = part->known && of->known && of->number > 0;

	grid_number(cell, known, known ? part->number / of->number / unit : 0);
}

/* --- vCPUs --- */

/* Values of kvm.vcpu.state. */
static const char *const states[] = { "guest", "kvm", "poll", "halted", "vmm", "ready", "unknown" };

static int state_set(struct grid_cell *cell, struct top_place place, const char *name)
{
	struct grid_cell state = { .known = false };

	if (place.table)
		value_of(&state, place, row_of(place.table, name), 1);
	if (!state.known || state.number >= sizeof(states) / sizeof(states[0]))
		return 0;
	return grid_text(cell, states[(size_t)state.number]);
}

/* Where each of a vCPU's numbers is. */
struct vcpu_places {
	struct top_place exits, state, open;
	struct top_times times;
};

/* The shares of the row of this name. Returns false if there is none. */
static bool shares_of(const struct top_times *places, const struct rates *rates, const char *name,
		      struct grid_cell ret_shares[TOP_ALL_SHARES])
{
	const struct snapshot_table *table = places->times[TOP_VMM].table;
	struct grid_cell times[TOP_ALL_SHARES];

	if (!table)
		return false;
	top_times_get(places, rates, row_of(table, name), times);
	top_shares_make(times, ret_shares);
	return true;
}

static int vcpu_add(struct grid *grid, const struct vcpu_places *places, const struct rates *rates,
		    const char *name, const char *number)
{
	struct grid_cell *cells = grid_add(grid), shares[TOP_ALL_SHARES];

	if (!cells)
		return -ENOMEM;
	grid_number(&cells[VCPU_NUMBER], true, strtod(number, NULL));
	if (places->open.table)
		value_of(&cells[VCPU_OPEN], places->open, row_of(places->open.table, name), 1e6);
	if (places->exits.table)
		top_rate(&cells[VCPU_RATE], rates, places->exits,
			 row_of(places->exits.table, name));
	if (shares_of(&places->times, rates, name, shares)) {
		top_shares_round(shares);
		memcpy(&cells[VCPU_SHARES], shares, TOP_SHARES * sizeof(*shares));
	}
	return state_set(&cells[VCPU_STATE], places->state, name);
}

static int vcpus_make(struct top_model *model, const struct snapshot *snapshot,
		      const struct rates *rates, const char *vm)
{
	struct vcpu_places places = {
		.exits = top_place(snapshot, "kvm.vcpu.exits"),
		.state = top_place(snapshot, "kvm.vcpu.state"),
		.open = top_place(snapshot, "kvm.vcpu.time.open"),
	};
	const struct snapshot_table *table = places.exits.table;
	int err = 0;

	top_times_find(snapshot, "kvm.vcpu.time", "kvm.vcpu.open", &places.times);
	if (places.times.times[TOP_VMM].table)
		table = places.times.times[TOP_VMM].table;
	for (size_t row = 0; !err && table && row < table->nrows; row++) {
		const char *name = table->rows[row].name, *rest;

		if (!is_vms(&table->rows[row], vm))
			continue;
		rest = rest_of(&table->rows[row], vm);
		if (strncmp(rest, "vcpu", 4) == 0)
			err = vcpu_add(&model->grids[TOP_VCPUS], &places, rates, name, rest + 4);
	}
	return err;
}

/* --- reasons --- */

/* Metrics of exits, or of trips to the VMM. */
struct reason_places {
	struct top_place count, time, max, latency;
};

/* The rows of a reason's histogram, with what was counted since. */
static int growth_read(const struct reason_places *places, const struct rates *rates,
		       const char *name, struct histogram *ret_histogram)
{
	const struct snapshot_table *table = places->latency.table;
	struct histogram histogram = { 0 };
	size_t bytes = strlen(name), n = 0;

	for (size_t row = 0; row < table->nrows; row++)
		n += strncmp(table->rows[row].name, name, bytes) == 0;
	histogram.buckets = calloc(n + 1, sizeof(*histogram.buckets));
	if (!histogram.buckets)
		return -ENOMEM;
	for (size_t row = 0; row < table->nrows; row++) {
		const struct snapshot_row *of = &table->rows[row];
		uint64_t growth;

		if (!of->has_range || strncmp(of->name, name, bytes) != 0 ||
		    strncmp(of->name + bytes, "::", 2) != 0 ||
		    !rates_growth(rates, table, row, places->latency.column, &growth) || !growth)
			continue;
		histogram.buckets[histogram.n++] =
			(struct histogram_bucket){ of->range.first, of->range.last, growth };
	}
	*ret_histogram = histogram;
	return 0;
}

static int p99_set(struct grid_cell *cell, const struct reason_places *places,
		   const struct rates *rates, const char *name)
{
	struct histogram histogram;
	bool more = false;
	uint64_t value;
	int err;

	if (places->latency.column < 0)
		return 0;
	err = growth_read(places, rates, name, &histogram);
	if (err)
		return err;
	if (histogram.n) {
		value = histogram_percentile(&histogram, 99, NULL, &more);
		grid_number(cell, !more, (double)value / 1e3);
	}
	histogram_free(&histogram);
	return 0;
}

static int reasons_add(struct top_model *model, const struct reason_places *places,
		       const struct rates *rates, const char *vm, const char *prefix)
{
	const struct snapshot_table *table = places->count.table;
	int err = 0;

	for (size_t row = 0; !err && table && row < table->nrows; row++) {
		const struct snapshot_row *of = &table->rows[row];
		struct grid_cell *cells, time;
		char name[128];

		if (!is_vms(of, vm))
			continue;
		cells = grid_add(&model->grids[TOP_REASONS]);
		if (!cells)
			return -ENOMEM;
		snprintf(name, sizeof(name), "%s%s", prefix, rest_of(of, vm));
		err = grid_text(&cells[REASON], name);
		top_rate(&cells[REASON_RATE], rates, places->count, row);
		top_rate(&time, rates, places->time, row);
		ratio(&cells[REASON_AVERAGE], &time, &cells[REASON_RATE], 1e3);
		value_of(&cells[REASON_MAX], places->max, row, 1e3);
		grid_number(&cells[REASON_TIME], time.known, time.number / 1e6);
		if (!err)
			err = p99_set(&cells[REASON_P99], places, rates, of->name);
	}
	return err;
}

static int reasons_make(struct top_model *model, const struct snapshot *snapshot,
			const struct rates *rates, const char *vm)
{
	struct reason_places exits = {
		.count = top_place(snapshot, "kvm.vm.exit.count"),
		.time = top_place(snapshot, "kvm.vm.exit.time"),
		.max = top_place(snapshot, "kvm.vm.exit.max"),
		.latency = top_place(snapshot, "kvm.vm.exit.latency"),
	};
	struct reason_places trips = {
		.count = top_place(snapshot, "kvm.vm.userspace_exit.count"),
		.time = top_place(snapshot, "kvm.vm.userspace_exit.time"),
		.max = top_place(snapshot, "kvm.vm.userspace_exit.max"),
		.latency = top_place(snapshot, "kvm.vm.userspace_exit.latency"),
	};
	int err = reasons_add(model, &exits, rates, vm, "");

	return err ? err : reasons_add(model, &trips, rates, vm, model->exits ? TOP_TRIP : "");
}

/* --- causes --- */

struct cause_places {
	struct top_place accesses, count, time, trips, trip_time, device;
};

static int cause_add(struct grid *grid, const struct cause_places *places,
		     const struct rates *rates, size_t row, const char *name)
{
	struct grid_cell *cells = grid_add(grid), count, time, trip_time;
	const struct snapshot_cell *device;
	int err;

	if (!cells)
		return -ENOMEM;
	err = grid_text(&cells[CAUSE], name);
	if (!err && places->device.column >= 0) {
		device = snapshot_table_cell(places->device.table, row,
					     (size_t)places->device.column);
		if (device->present && device->text && strcmp(device->text, "-") != 0)
			err = grid_text(&cells[DEVICE], device->text);
	}
	top_rate(&cells[ACCESSES], rates, places->accesses, row);
	top_rate(&cells[TRIPS], rates, places->trips, row);
	top_rate(&count, rates, places->count, row);
	top_rate(&time, rates, places->time, row);
	top_rate(&trip_time, rates, places->trip_time, row);
	grid_number(&cells[TRIP_TIME], trip_time.known, trip_time.number / 1e6);
	if (time.known && trip_time.known && time.number >= trip_time.number)
		grid_number(&cells[KVM_TIME], true, (time.number - trip_time.number) / 1e6);
	/* of an exit, where there are any; else of a trip */
	if (count.known)
		ratio(&cells[AVERAGE], &time, &count, 1e3);
	else
		ratio(&cells[AVERAGE], &trip_time, &cells[TRIPS], 1e3);
	return err;
}

static int causes_make(struct top_model *model, const struct snapshot *snapshot,
		       const struct rates *rates, const char *vm)
{
	struct cause_places places = {
		.accesses = top_place(snapshot, "kvm.vm.cause.accesses"),
		.count = top_place(snapshot, "kvm.vm.cause.count"),
		.time = top_place(snapshot, "kvm.vm.cause.time"),
		.trips = top_place(snapshot, "kvm.vm.cause.userspace_count"),
		.trip_time = top_place(snapshot, "kvm.vm.cause.userspace_time"),
		.device = top_place(snapshot, "kvm.vm.cause.device"),
	};
	const struct snapshot_table *table = places.accesses.table;
	int err = 0;

	for (size_t row = 0; !err && table && row < table->nrows; row++) {
		if (is_vms(&table->rows[row], vm))
			err = cause_add(&model->grids[TOP_CAUSES], &places, rates, row,
					rest_of(&table->rows[row], vm));
	}
	return err;
}

/* --- the screen --- */

int top_model_vm(struct top_model *model, const struct snapshot *snapshot,
		 const struct rates *rates, const char *vm)
{
	struct top_place vcpus = top_place(snapshot, "kvm.vm.vcpus");
	struct top_times times;
	struct grid_cell n = { .known = false };
	int err;

	for (int i = TOP_VCPUS; i < TOP_SECTIONS; i++)
		grid_clear(&model->grids[i]);
	model->exits = top_has_exits(snapshot);
	memset(model->shares, 0, sizeof(model->shares));
	if (vcpus.table) {
		size_t row = row_of(vcpus.table, vm);

		model->there = row < vcpus.table->nrows;
		value_of(&n, vcpus, row, 1);
	}
	model->vcpus = (unsigned)n.number;
	top_times_find(snapshot, "kvm.vm.time", "kvm.vm.open", &times);
	shares_of(&times, rates, vm, model->shares);
	err = vcpus_make(model, snapshot, rates, vm);
	if (!err)
		err = reasons_make(model, snapshot, rates, vm);
	if (!err)
		err = causes_make(model, snapshot, rates, vm);
	return err ? err : top_slow_make(model, snapshot, vm);
}
