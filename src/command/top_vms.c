// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * The VMs of kvmbpf top's host screen. Of all VMs only that is made by which they are sorted; the
 * rest of a row is made as it is shown.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/top_model.h"

enum { VM_NAME, VM_VCPUS, VM_RATE, VM_SHARES, VM_REASON = VM_SHARES + TOP_SHARES, VM_CAUSE };

_Static_assert(VM_SHARES == TOP_VM_REST && VM_CAUSE == TOP_VM_COLUMNS - 1, "as in the header");

/* --- VMs' rows of other tables --- */

/* The VM of a row, by its place in the table of VMs, in whose order other tables are. */
struct owners {
	const struct snapshot_table *vms;
	size_t at; /* the last one found: rows of a VM follow each other */
};

static bool owner_is(const struct snapshot_table *vms, size_t vm, const struct snapshot_row *row)
{
	const char *name = vms->rows[vm].name;

	return strncmp(name, row->name, row->owner_bytes) == 0 && !name[row->owner_bytes];
}

static size_t owner_find(struct owners *owners, const struct snapshot_row *row)
{
	size_t n = owners->vms->nrows;

	for (size_t i = 0; i < n; i++) {
		size_t vm = (owners->at + i) % n;

		if (owner_is(owners->vms, vm, row)) {
			owners->at = vm;
			return vm;
		}
	}
	return n;
}

/* Find where the rows of each VM begin. Returns 0 or -ENOMEM. */
static int begins_find(struct top_begins *begins, const struct snapshot_table *table,
		       const struct snapshot_table *vms)
{
	size_t *list = reallocarray(begins->list, vms->nrows + 1, sizeof(*list)), at = 0;
	struct owners owners = { .vms = vms };

	if (!list)
		return -ENOMEM;
	begins->list = list;
	begins->table = table;
	for (size_t row = 0; table && row < table->nrows; row++) {
		size_t vm = owner_find(&owners, &table->rows[row]);

		while (vm < vms->nrows && at <= vm)
			list[at++] = row;
	}
	while (at <= vms->nrows)
		list[at++] = table ? table->nrows : 0;
	return 0;
}

/* For each row of a VM. */
#define for_each_row(vms, begins, vm, row)                                           \
	for (size_t row = (begins)->list[vm]; row < (begins)->list[(vm) + 1]; row++) \
		if (owner_is(vms, vm, &(begins)->table->rows[row]))

/* --- the rest of a row --- */

/* The best row of a VM so far, by what it is measured. */
struct best {
	size_t row; /* plus 1; 0: none */
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

/* The VM's row with the highest rates of two metrics, where each is known. */
static int best_set(struct grid_cell *cell, const struct top_rest *rest,
		    const struct top_begins *begins, size_t vm, struct top_place by,
		    struct top_place then)
{
	struct best best = { 0 };

	for_each_row(rest->vms, begins, vm, row)
	{
		struct grid_cell first, second;

		top_rate(&first, rest->rates, by, row);
		top_rate(&second, rest->rates, then, row);
		best_take(&best, row, &begins->table->rows[row], first.number, second.number);
	}
	return best.row ? name_set(cell, begins->table, best.row - 1) : 0;
}

static void shares_set(struct grid_cell *cells, const struct top_rest *rest, size_t vm)
{
	struct grid_cell times[TOP_ALL_SHARES], shares[TOP_ALL_SHARES];

	for_each_row(rest->vms, &rest->times_begin, vm, row)
	{
		top_times_get(&rest->times, rest->rates, row, times);
		top_shares_make(times, shares);
		top_shares_round(shares);
		memcpy(cells, shares, TOP_SHARES * sizeof(*shares));
	}
}

int top_model_rest(struct top_model *model, size_t row)
{
	static const struct top_place nothing = { NULL, -1 };
	struct grid_cell *cells = &model->grids[TOP_VMS].cells[row * TOP_VM_COLUMNS];
	const struct top_rest *rest = &model->rest;
	size_t vm = (size_t)cells[VM_REASON].number;
	int err;

	shares_set(cells + VM_SHARES, rest, vm);
	err = best_set(&cells[VM_REASON], rest, &rest->reasons_begin, vm, rest->reasons, nothing);
	if (err)
		return err;
	return best_set(&cells[VM_CAUSE], rest, &rest->causes_begin, vm, rest->causes,
			rest->accesses);
}

/* What the rest will be made of. Returns 0 or -ENOMEM. */
static int rest_prepare(struct top_model *model, const struct snapshot *snapshot,
			const struct rates *rates, const struct snapshot_table *vms)
{
	struct top_rest *rest = &model->rest;
	bool exits = model->exits;
	int err;

	rest->rates = rates;
	rest->vms = vms;
	rest->reasons = top_place(snapshot,
				  exits ? "kvm.vm.exit.count" : "kvm.vm.userspace_exit.count");
	rest->causes = top_place(snapshot,
				 exits ? "kvm.vm.cause.count" : "kvm.vm.cause.userspace_count");
	rest->accesses = top_place(snapshot, "kvm.vm.cause.accesses");
	top_times_find(snapshot, "kvm.vm.time", "kvm.vm.open", &rest->times);
	err = begins_find(&rest->times_begin, rest->times.times[TOP_VMM].table, vms);
	if (!err)
		err = begins_find(&rest->reasons_begin, rest->reasons.table, vms);
	if (!err)
		err = begins_find(&rest->causes_begin,
				  rest->causes.table ? rest->causes.table : rest->accesses.table,
				  vms);
	return err;
}

/* --- all VMs --- */

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
		cell = &model->grids[TOP_VMS].cells[vm * TOP_VM_COLUMNS + VM_RATE];
		cell->known |= rate.known;
		cell->number += rate.known ? rate.number : 0;
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
		top_value(&cells[VM_VCPUS], vms, row);
		err = grid_text(&cells[VM_NAME], vms.table->rows[row].name);
		cells[VM_REASON].number = (double)row; /* a text's number sorts nothing */
	}
	if (err || !grid->nrows)
		return err;
	rates_make(model, snapshot, rates, vms.table);
	return rest_prepare(model, snapshot, rates, vms.table);
}
