// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The tables of the cause family. */
#include <errno.h>

#include "families/cause/cause.h"

static uint32_t vm_of(const struct owner *owner)
{
	return owner->vm ? owner->vm->id : 0;
}

static int cause_keys(void *state, const struct owner *owner, struct table_sync *sync)
{
	struct cause *cause = state;
	size_t n;
	const struct cause_total *totals = cause_totals_of(&cause->totals, vm_of(owner), &n);
	int err = 0;

	for (size_t i = 0; !err && i < n; i++) {
		const struct cause_id *id = cause_ids_get(&cause->ids, totals[i].key);
		struct label labels[2];

		if (!id)
			continue;
		labels[0] = (struct label){ "kind", id->kind, 0 };
		labels[1] = (struct label){ "device", id->device, 0 };
		err = table_want(sync, &(struct table_key){ .key = id->id,
							    .name = id->text,
							    .number = TABLE_BY_NAME,
							    .labels = labels,
							    .nlabels = 2 });
	}
	return err;
}

enum { ACCESSES, COUNT, TIME, USERSPACE_COUNT, USERSPACE_TIME, DEVICE };

/*
 * None has no accesses, nor has a register of the APIC by itself. Where no exit was ever seen,
 * there are none to count, and the same goes for trips.
 */
static int cause_fill(void *state, const struct table_row *row)
{
	const struct cause *cause = state;
	const struct cause_id *id = cause_ids_find(&cause->ids, row->key);
	const struct cause_total *total;

	if (!id)
		return 0;
	total = cause_totals_find(&cause->totals, vm_of(row->owner), id->key);
	if (!total)
		return 0;
	if (id->key != CAUSE_NONE &&
	    (id->key == CAUSE_OTHER || id->key >> CAUSE_KIND_SHIFT != CAUSE_APIC))
		snapshot_cell_set(&row->cells[ACCESSES], total->counts.accesses);
	if (cause->totals.exits) {
		snapshot_cell_set(&row->cells[COUNT], total->counts.count);
		snapshot_cell_set(&row->cells[TIME], total->counts.time);
	}
	if (cause->totals.trips) {
		snapshot_cell_set(&row->cells[USERSPACE_COUNT], total->counts.trips);
		snapshot_cell_set(&row->cells[USERSPACE_TIME], total->counts.trip_time);
	}
	return snapshot_cell_set_text(&row->cells[DEVICE], id->device);
}

static const char *const columns[] = {
	[ACCESSES] = "accesses",
	[COUNT] = "count",
	[TIME] = "time",
	[USERSPACE_COUNT] = "userspace_count",
	[USERSPACE_TIME] = "userspace_time",
	[DEVICE] = "device",
	NULL,
};

#define CAUSES(of, table_name)                                                                     \
	.name = table_name, .owner = of, .label = "cause", .columns = columns, .keys = cause_keys, \
	.fill = cause_fill

const struct table cause_tables[CAUSE_TABLES] = {
	{ CAUSES(OWNER_HOST, "cause") },
	{ CAUSES(OWNER_VM, "vm_cause") },
};
