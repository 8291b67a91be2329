// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The tables of the families exit and userspace_exit. */
#include <errno.h>
#include <stdlib.h>

#include "engine/exit_common.h"
#include "engine/time_buckets.h"

/* A key of a histogram's row: the reason's slot, and the bucket in the lower bits. */
#define BUCKET_BITS 5

_Static_assert(EXIT_BUCKETS == 1 << BUCKET_BITS, "a bucket does not fit into a key");

/*
 * A reason's instance number: its instruction set and its slot, which never change. A slot that a
 * code unknown to us has claimed can have another code next time.
 */
static uint32_t reason_number(const struct exits *exits, unsigned slot)
{
	if (slot >= REASONS_SLOT_UNKNOWN && slot < REASONS_SLOT_FIRST)
		return TABLE_BY_NAME;
	return (uint32_t)exits->counters.slots.isa << 8 | slot;
}

static int want_reason(struct exits *exits, unsigned slot, uint32_t number, struct table_sync *sync)
{
	return table_want(sync, &(struct table_key){
					.key = slot,
					.name = reason_slots_name(&exits->counters.slots, slot),
					.number = number,
				});
}

static int want_bucket(struct exits *exits, unsigned slot, unsigned bucket, uint32_t number,
		       struct table_sync *sync)
{
	struct snapshot_range range = time_bucket_range(bucket);

	return table_want(sync, &(struct table_key){
					.key = slot << BUCKET_BITS | bucket,
					.name = reason_slots_name(&exits->counters.slots, slot),
					.range = &range,
					.number = number,
				});
}

/* --- of the host --- */

enum { TOTAL_COUNT, TOTAL_TIME };

static int total_fill(void *state, const struct table_row *row)
{
	const struct exits *exits = state;
	uint64_t count = 0, time = 0;

	for (unsigned slot = 0; slot < exits->counters.nslots; slot++) {
		count += exits->counters.total[slot].count;
		time += exits->counters.total[slot].time;
	}
	/* a KVM that never fires the event has exits all the same */
	if (!exits->counters.object.family || (!count && !exits->fires))
		return 0;
	snapshot_cell_set(&row->cells[TOTAL_COUNT], count);
	snapshot_cell_set(&row->cells[TOTAL_TIME], time);
	return 0;
}

static int reason_keys(void *state, const struct owner *owner, struct table_sync *sync)
{
	struct exits *exits = state;
	int err = 0;

	(void)owner;
	for (unsigned slot = 0; !err && exits->reasons && slot < exits->counters.nslots; slot++) {
		if (exits->counters.total[slot].count)
			err = want_reason(exits, slot, reason_number(exits, slot), sync);
	}
	return err;
}

enum { REASON_COUNT, REASON_TIME, REASON_MAX };

static int reason_fill(void *state, const struct table_row *row)
{
	const struct exits *exits = state;
	const struct reason_counters *reason = &exits->counters.total[row->key];

	snapshot_cell_set(&row->cells[REASON_COUNT], reason->count);
	snapshot_cell_set(&row->cells[REASON_TIME], reason->time);
	return 0;
}

static int exit_fill(void *state, const struct table_row *row)
{
	const struct exits *exits = state;
	uint64_t max = exits->counters.total[row->key].max;

	reason_fill(state, row);
	if (max) /* a pair has ended in this epoch */
		snapshot_cell_set(&row->cells[REASON_MAX], max);
	return 0;
}

static int bucket_keys(void *state, const struct owner *owner, struct table_sync *sync)
{
	struct exits *exits = state;
	int err = 0;

	(void)owner;
	for (unsigned slot = 0; exits->reasons && slot < exits->counters.nslots; slot++) {
		uint32_t reason = reason_number(exits, slot);

		for (unsigned i = 0; !err && i < EXIT_BUCKETS; i++) {
			if (exits->latency[slot][i])
				err = want_bucket(exits, slot, i,
						  reason == TABLE_BY_NAME ?
							  reason :
							  reason << BUCKET_BITS | i,
						  sync);
		}
	}
	return err;
}

static int bucket_fill(void *state, const struct table_row *row)
{
	const struct exits *exits = state;

	snapshot_cell_set(&row->cells[0],
			  exits->latency[row->key >> BUCKET_BITS][row->key % EXIT_BUCKETS]);
	return 0;
}

/* --- of VMs --- */

static const struct vm_sums *sums_of(const struct exits *exits, const struct vm *vm)
{
	return vm_counters_find(&exits->counters.vms, vm);
}

/* A VM that has not run has no value. */
static int vm_total_fill(void *state, const struct table_row *row)
{
	const struct exits *exits = state;
	const struct vm_sums *sums = sums_of(exits, row->owner->vm);
	uint64_t total = 0;

	if (!sums)
		return 0;
	for (unsigned slot = 0; slot < exits->counters.nslots; slot++)
		total += sums->reason[slot].count;
	snapshot_cell_set(&row->cells[0], total);
	return 0;
}

static int vm_reason_keys(void *state, const struct owner *owner, struct table_sync *sync)
{
	struct exits *exits = state;
	const struct vm_sums *sums = exits->reasons ? sums_of(exits, owner->vm) : NULL;
	int err = 0;

	for (unsigned slot = 0; !err && sums && slot < exits->counters.nslots; slot++) {
		if (reason_is_counted(&sums->reason[slot]))
			err = want_reason(exits, slot, TABLE_BY_NAME, sync);
	}
	return err;
}

static int vm_reason_fill(void *state, const struct table_row *row)
{
	const struct vm_sums *sums = sums_of(state, row->owner->vm);

	if (!sums)
		return 0;
	snapshot_cell_set(&row->cells[REASON_COUNT], sums->reason[row->key].count);
	snapshot_cell_set(&row->cells[REASON_TIME], sums->reason[row->key].time);
	return 0;
}

static int vm_bucket_keys(void *state, const struct owner *owner, struct table_sync *sync)
{
	struct exits *exits = state;
	const struct vm_sums *sums = exits->reasons ? sums_of(exits, owner->vm) : NULL;
	int err = 0;

	for (unsigned slot = 0; sums && slot < exits->counters.nslots; slot++) {
		const struct vm_histogram *histogram = sums->reason[slot].histogram;

		for (unsigned i = 0; !err && histogram && i < EXIT_BUCKETS; i++) {
			if (histogram->count[i])
				err = want_bucket(exits, slot, i, TABLE_BY_NAME, sync);
		}
	}
	return err;
}

static int vm_bucket_fill(void *state, const struct table_row *row)
{
	const struct vm_sums *sums = sums_of(state, row->owner->vm);
	const struct vm_histogram *histogram =
		sums ? sums->reason[row->key >> BUCKET_BITS].histogram : NULL;

	if (histogram)
		snapshot_cell_set(&row->cells[0], histogram->count[row->key % EXIT_BUCKETS]);
	return 0;
}

/* --- of vCPUs --- */

enum { VCPU_EXITS, VCPU_GUEST_TIME, VCPU_EXIT_TIME, VCPU_HALT_TIME };

/* A vCPU that has not run has no value. */
static int vcpu_fill(void *state, const struct table_row *row)
{
	const struct exits *exits = state;
	const struct vcpu_sums *sums = vm_counters_find_vcpu(&exits->counters.vms,
							     row->owner->vcpu);

	if (!sums)
		return 0;
	snapshot_cell_set(&row->cells[VCPU_EXITS], sums->exits);
	snapshot_cell_set(&row->cells[VCPU_GUEST_TIME], sums->guest_time);
	snapshot_cell_set(&row->cells[VCPU_EXIT_TIME], sums->exit_time);
	if (exits->reasons)
		snapshot_cell_set(&row->cells[VCPU_HALT_TIME], sums->halt_time);
	return 0;
}

/* --- declarations --- */

#define REASON "reason"

static const char *const total_columns[] = { "total", "total_time", NULL };
static const char *const reason_columns[] = { "count", "time", NULL };
static const char *const exit_columns[] = { "count", "time", "max", NULL };
static const char *const latency_columns[] = { "latency", NULL };
static const char *const vm_total_columns[] = { "total", NULL };
static const char *const vcpu_columns[] = {
	[VCPU_EXITS] = "exits",
	[VCPU_GUEST_TIME] = "guest_time",
	[VCPU_EXIT_TIME] = "exit_time",
	[VCPU_HALT_TIME] = "halt_time",
	NULL,
};

const struct table exit_tables[EXIT_TABLES] = {
	{ .name = "exit_total", .columns = total_columns, .fill = total_fill },
	{ .name = "exit",
	  .label = REASON,
	  .columns = exit_columns,
	  .keys = reason_keys,
	  .fill = exit_fill },
	{ .name = "exit_latency",
	  .label = REASON,
	  .columns = latency_columns,
	  .keys = bucket_keys,
	  .fill = bucket_fill },
	{ .name = "vm_exit_total",
	  .owner = OWNER_VM,
	  .columns = vm_total_columns,
	  .fill = vm_total_fill },
	{ .name = "vm_exit",
	  .owner = OWNER_VM,
	  .label = REASON,
	  .columns = reason_columns,
	  .keys = vm_reason_keys,
	  .fill = vm_reason_fill },
	{ .name = "vm_exit_latency",
	  .owner = OWNER_VM,
	  .label = REASON,
	  .columns = latency_columns,
	  .keys = vm_bucket_keys,
	  .fill = vm_bucket_fill },
	{ .name = "vcpu", .owner = OWNER_VCPU, .columns = vcpu_columns, .fill = vcpu_fill },
};

const struct table userspace_exit_tables[USERSPACE_EXIT_TABLES] = {
	{ .name = "userspace_exit",
	  .label = REASON,
	  .columns = reason_columns,
	  .keys = reason_keys,
	  .fill = reason_fill },
	{ .name = "vm_userspace_exit",
	  .owner = OWNER_VM,
	  .label = REASON,
	  .columns = reason_columns,
	  .keys = vm_reason_keys,
	  .fill = vm_reason_fill },
};
