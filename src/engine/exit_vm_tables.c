// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The tables of VMs and vCPUs: values are sums over their records, made as a row is filled. */
#include "bpf/exit.h"
#include "engine/exit_common.h"

/* The ids of a row's VM and vCPU; 0: all vCPUs of the VM. */
static uint32_t vm_of(const struct owner *owner)
{
	return owner->vm->id;
}

static uint32_t vcpu_of(const struct owner *owner)
{
	return owner->vcpu ? owner->vcpu->id : 0;
}

/* A VM that has not run has no value. */
int exits_vm_total_fill(void *state, const struct table_row *row)
{
	const struct exits *exits = state;
	struct slot_sums sums, halts;
	uint64_t guest_time;

	if (vm_counters_total(&exits->vms, vm_of(row->owner), 0, &sums, &halts, &guest_time))
		snapshot_cell_set(&row->cells[0], sums.count);
	return 0;
}

/* A VM that has not run has no value, nor has any where the events are not. */
int exits_vm_nested_fill(void *state, const struct table_row *row)
{
	static const unsigned slots[] = {
		[NESTED_EXITS] = EXIT_SLOT_NESTED,
		[NESTED_REFLECTED] = EXIT_SLOT_REFLECTED,
	};
	const struct exits *exits = state;
	struct slot_sums sums, halts;
	uint64_t guest_time;

	if (!exits->nested ||
	    !vm_counters_total(&exits->vms, vm_of(row->owner), 0, &sums, &halts, &guest_time))
		return 0;
	for (unsigned i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
		vm_counters_sum(&exits->vms, vm_of(row->owner), 0, slots[i], &sums);
		snapshot_cell_set(&row->cells[i], sums.count);
	}
	return 0;
}

/* A vCPU that has not run has no value. */
int exits_vcpu_fill(void *state, const struct table_row *row)
{
	const struct exits *exits = state;
	struct slot_sums sums, halts;
	uint64_t guest_time;

	if (!vm_counters_total(&exits->vms, vm_of(row->owner), vcpu_of(row->owner), &sums, &halts,
			       &guest_time))
		return 0;
	snapshot_cell_set(&row->cells[VCPU_EXITS], sums.count);
	snapshot_cell_set(&row->cells[VCPU_GUEST_TIME], guest_time);
	snapshot_cell_set(&row->cells[VCPU_EXIT_TIME], sums.time);
	if (exits->reasons)
		snapshot_cell_set(&row->cells[VCPU_HALT_TIME], halts.time);
	return 0;
}

int exits_owned_keys(void *state, const struct owner *owner, struct table_sync *sync)
{
	struct slot_use slots[COUNTER_SLOTS_MAX];
	struct exits *exits = state;
	int err = 0;

	if (!exits->reasons)
		return 0;
	vm_counters_slots(&exits->vms, vm_of(owner), vcpu_of(owner), slots);
	for (unsigned slot = 0; !err && slot < exits->counters.slots.n; slot++) {
		if (slots[slot].has)
			err = exits_want_reason(exits, slot, TABLE_BY_NAME, sync);
	}
	return err;
}

/* Rows whose counts are gone stay until the next sync, without values. */
int exits_owned_fill(void *state, const struct table_row *row)
{
	const struct exits *exits = state;
	struct slot_sums sums;

	vm_counters_sum(&exits->vms, vm_of(row->owner), vcpu_of(row->owner), row->key, &sums);
	if (sums.count)
		exits_sums_fill(row, &sums);
	return 0;
}

int exits_vm_bucket_keys(void *state, const struct owner *owner, struct table_sync *sync)
{
	struct slot_use slots[COUNTER_SLOTS_MAX];
	struct exits *exits = state;
	int err = 0;

	if (!exits->reasons)
		return 0;
	vm_counters_slots(&exits->vms, vm_of(owner), 0, slots);
	for (unsigned slot = 0; slot < exits->counters.slots.n; slot++) {
		for (unsigned i = 0; !err && i < EXIT_BUCKETS; i++) {
			if (slots[slot].buckets & UINT32_C(1) << i)
				err = exits_want_bucket(exits, slot, i, TABLE_BY_NAME, sync);
		}
	}
	return err;
}

int exits_vm_bucket_fill(void *state, const struct table_row *row)
{
	const struct exits *exits = state;
	uint64_t pairs = vm_counters_bucket(&exits->vms, vm_of(row->owner),
					    row->key >> EXIT_BUCKET_BITS, row->key % EXIT_BUCKETS);

	if (pairs)
		snapshot_cell_set(&row->cells[0], pairs);
	return 0;
}
