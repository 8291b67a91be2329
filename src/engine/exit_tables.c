// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The tables of the families exit and userspace_exit. */
#include <errno.h>
#include <stdlib.h>

#include "engine/exit_common.h"

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

/* --- of the host --- */

enum { TOTAL_COUNT, TOTAL_TIME };

static int total_fill(void *state, const struct table_row *row)
{
	const struct exits *exits = state;
	uint64_t count = 0, time = 0;

	for (unsigned slot = 0; slot < exits->counters.slots.n; slot++) {
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

/*
 * Has a slot a row? Clients that begin while a domain is empty stay without instances, so common
 * reasons are there before they are first counted, where they can occur.
 */
static bool reason_wanted(const struct exits *exits, unsigned slot)
{
	if (!exits->reasons)
		return false;
	return exits->counters.total[slot].count ||
	       (exits->fires && exits->counters.object.family &&
		reasons_listed(exits->counters.slots.isa, slot));
}

static int reason_keys(void *state, const struct owner *owner, struct table_sync *sync)
{
	struct exits *exits = state;
	int err = 0;

	(void)owner;
	for (unsigned slot = 0; !err && slot < exits->counters.slots.n; slot++) {
		if (reason_wanted(exits, slot))
			err = exits_want_reason(exits, slot, reason_number(exits, slot), sync);
	}
	return err;
}

static int reason_fill(void *state, const struct table_row *row)
{
	const struct exits *exits = state;

	exits_sums_fill(row, &exits->counters.total[row->key]);
	return 0;
}

static int bucket_keys(void *state, const struct owner *owner, struct table_sync *sync)
{
	struct exits *exits = state;
	int err = 0;

	(void)owner;
	for (unsigned slot = 0; exits->reasons && slot < exits->counters.slots.n; slot++) {
		uint32_t reason = reason_number(exits, slot);

		for (unsigned i = 0; !err && i < EXIT_BUCKETS; i++) {
			if (exits->counters.latency[slot][i])
				err = exits_want_bucket(exits, slot, i,
							reason == TABLE_BY_NAME ?
								reason :
								reason << EXIT_BUCKET_BITS | i,
							sync);
		}
	}
	return err;
}

static int bucket_fill(void *state, const struct table_row *row)
{
	const struct exits *exits = state;

	snapshot_cell_set(
		&row->cells[0],
		exits->counters.latency[row->key >> EXIT_BUCKET_BITS][row->key % EXIT_BUCKETS]);
	return 0;
}

/* --- declarations --- */

#define REASON "reason"

static const char *const total_columns[] = { "total", "total_time", NULL };
static const char *const reason_columns[] = { "count", "time", "max", NULL };
static const char *const latency_columns[] = { "latency", NULL };
static const char *const vm_total_columns[] = { "total", NULL };
static const char *const vm_nested_columns[] = {
	[NESTED_EXITS] = "exits",
	[NESTED_REFLECTED] = "reflected",
	NULL,
};
static const char *const vcpu_columns[] = {
	[VCPU_EXITS] = "exits",
	[VCPU_GUEST_TIME] = "guest_time",
	[VCPU_EXIT_TIME] = "exit_time",
	[VCPU_HALT_TIME] = "halt_time",
	NULL,
};

/* Reasons of the host, of VMs or of vCPUs. */
#define REASONS(of, table_name, keys_of, fill_of)                                    \
	.name = table_name, .owner = of, .label = REASON, .columns = reason_columns, \
	.keys = keys_of, .fill = fill_of

/* Their buckets. */
#define BUCKETS(of, table_name, keys_of, fill_of)                                      \
	.name = table_name, .owner = of, .variant = EXIT_BUCKET_ROWS, .label = REASON, \
	.columns = latency_columns, .keys = keys_of, .fill = fill_of

const struct table exit_tables[EXIT_TABLES] = {
	{ .name = "exit_total", .columns = total_columns, .fill = total_fill },
	{ REASONS(OWNER_HOST, "exit", reason_keys, reason_fill) },
	{ BUCKETS(OWNER_HOST, "exit_latency", bucket_keys, bucket_fill) },
	{ .name = "vm_exit_total",
	  .owner = OWNER_VM,
	  .columns = vm_total_columns,
	  .fill = exits_vm_total_fill },
	{ REASONS(OWNER_VM, "vm_exit", exits_owned_keys, exits_owned_fill) },
	{ BUCKETS(OWNER_VM, "vm_exit_latency", exits_vm_bucket_keys, exits_vm_bucket_fill) },
	{ .name = "vcpu", .owner = OWNER_VCPU, .columns = vcpu_columns, .fill = exits_vcpu_fill },
	{ REASONS(OWNER_VCPU, "vcpu_exit", exits_owned_keys, exits_owned_fill) },
	{ .name = "vm_nested",
	  .owner = OWNER_VM,
	  .columns = vm_nested_columns,
	  .fill = exits_vm_nested_fill },
};

const struct table userspace_exit_tables[USERSPACE_EXIT_TABLES] = {
	{ REASONS(OWNER_HOST, "userspace_exit", reason_keys, reason_fill) },
	{ BUCKETS(OWNER_HOST, "userspace_exit_latency", bucket_keys, bucket_fill) },
	{ .name = "vm_userspace_exit_total",
	  .owner = OWNER_VM,
	  .columns = vm_total_columns,
	  .fill = exits_vm_total_fill },
	{ REASONS(OWNER_VM, "vm_userspace_exit", exits_owned_keys, exits_owned_fill) },
	{ BUCKETS(OWNER_VM, "vm_userspace_exit_latency", exits_vm_bucket_keys,
		  exits_vm_bucket_fill) },
};
