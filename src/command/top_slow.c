// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The slow exits on a VM's screen of kvmbpf top. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/slow_report.h"
#include "command/top_model.h"
#include "kvm/exit_reasons.h"

enum { REASON, CAUSE, VCPU, TIME, MOSTLY, WHEN };

/* The states whose time a slow exit has. */
static const char *const states[] = { "guest", "kvm", "poll", "halted", "vmm", "ready" };

#define STATES (sizeof(states) / sizeof(states[0]))

struct slow_places {
	struct top_place when, duration, reason, cause;
	struct top_place states[STATES];
};

static struct slow_places places_find(const struct snapshot *snapshot)
{
	struct slow_places places = {
		.when = top_place(snapshot, "kvm.vcpu.slow.when"),
		.duration = top_place(snapshot, "kvm.vcpu.slow.duration"),
		.reason = top_place(snapshot, "kvm.vcpu.slow.reason"),
		.cause = top_place(snapshot, "kvm.vcpu.slow.cause"),
	};
	char name[64];

	for (size_t i = 0; i < STATES; i++) {
		snprintf(name, sizeof(name), "kvm.vcpu.slow.%s", states[i]);
		places.states[i] = top_place(snapshot, name);
	}
	return places;
}

/* The present cell, or NULL. */
static const struct snapshot_cell *cell_of(struct top_place place, size_t row)
{
	const struct snapshot_cell *cell =
		place.column < 0 ? NULL :
				   snapshot_table_cell(place.table, row, (size_t)place.column);

	return cell && cell->present ? cell : NULL;
}

/* A row's is VM::vcpuN::slowN. Returns its vCPU's number, or -1 if it is another VM's. */
static long vcpu_of(const struct snapshot_row *row, const char *vm)
{
	size_t n = strlen(vm);

	if (strncmp(row->name, vm, n) != 0 || strncmp(row->name + n, "::vcpu", 6) != 0)
		return -1;
	return strtol(row->name + n + 6, NULL, 10);
}

static int cause_set(struct grid_cell *cell, const char *cause)
{
	const char *device = slow_report_device(cause);
	char text[256];

	snprintf(text, sizeof(text), "%s%s%s", cause, device ? " " : "", device ? device : "");
	return grid_text(cell, text);
}

/* The state that most of the time went to. */
static int mostly_set(struct grid_cell *cell, const struct slow_places *places, size_t row)
{
	const struct snapshot_cell *most = NULL;
	const char *state = NULL;

	for (size_t i = 0; i < STATES; i++) {
		const struct snapshot_cell *time = cell_of(places->states[i], row);

		if (!time || (most && time->number <= most->number))
			continue;
		most = time;
		state = states[i];
	}
	return most && most->number ? grid_text(cell, state) : 0;
}

static int slow_add(struct grid *grid, const struct slow_places *places, size_t row, long vcpu)
{
	const struct snapshot_cell *when = cell_of(places->when, row);
	const struct snapshot_cell *time = cell_of(places->duration, row);
	const struct snapshot_cell *reason = cell_of(places->reason, row);
	const struct snapshot_cell *cause = cell_of(places->cause, row);
	struct grid_cell *cells;
	int err = 0;

	if (!when || !time)
		return 0;
	cells = grid_add(grid);
	if (!cells)
		return -ENOMEM;
	grid_number(&cells[VCPU], true, (double)vcpu);
	grid_number(&cells[TIME], true, (double)time->number / 1e6);
	grid_number(&cells[WHEN], true, (double)when->number / 1e9);
	if (reason && reason->text)
		err = grid_text(&cells[REASON], reason->text);
	if (!err && cause && cause->text)
		err = cause_set(&cells[CAUSE], cause->text);
	return err ? err : mostly_set(&cells[MOSTLY], places, row);
}

/* How many there were of the VM, kept or not. */
static void count_set(struct top_model *model, const struct snapshot *snapshot, const char *vm)
{
	struct top_place count = top_place(snapshot, "kvm.vm.slow_count");

	model->slow = (struct grid_cell){ .known = false };
	for (size_t row = 0; count.column >= 0 && row < count.table->nrows; row++) {
		const struct snapshot_cell *cell = cell_of(count, row);

		if (cell && strcmp(count.table->rows[row].name, vm) == 0)
			grid_number(&model->slow, true, (double)cell->number);
	}
}

int top_slow_make(struct top_model *model, const struct snapshot *snapshot, const char *vm)
{
	struct slow_places places = places_find(snapshot);
	const struct snapshot_table *table = places.when.table;
	int err = 0;

	count_set(model, snapshot, vm);
	for (size_t row = 0; !err && table && row < table->nrows; row++) {
		long vcpu = vcpu_of(&table->rows[row], vm);

		if (vcpu >= 0)
			err = slow_add(&model->grids[TOP_SLOW], &places, row, vcpu);
	}
	return err;
}

void top_slow_text(const struct top_model *model, char *text, size_t size)
{
	const struct grid *reasons = &model->grids[TOP_REASONS];
	const struct grid_cell *longest = NULL;
	const char *name = NULL;
	size_t n;

	if (!model->slow.known)
		snprintf(text, size, "SLOW EXIT: -");
	else if (model->slow.number > 0)
		snprintf(text, size, "SLOW EXIT: %.0f, of threads that have ended",
			 model->slow.number);
	else
		snprintf(text, size, "SLOW EXIT: none");
	for (size_t row = 0; row < reasons->nrows; row++) {
		const struct grid_cell *cells = &reasons->cells[row * reasons->ncolumns];
		const char *reason = strncmp(cells->text, TOP_TRIP, strlen(TOP_TRIP)) == 0 ?
					     cells->text + strlen(TOP_TRIP) :
					     cells->text;

		if (!cells[TOP_REASON_MAX].known || reasons_sleeps(reason, strlen(reason)) ||
		    (longest && cells[TOP_REASON_MAX].number <= longest->number))
			continue;
		longest = &cells[TOP_REASON_MAX];
		name = cells->text;
	}
	n = strlen(text);
	if (longest && n < size)
		snprintf(text + n, size - n, "   longest %.2f ms  %s", longest->number / 1e3, name);
}
