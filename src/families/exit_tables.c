// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Tables of the families exit and userspace_exit. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/time_buckets.h"
#include "families/exit_common.h"
#include "metrics/row_set.h"

/* Bits of an instance number that hold the bucket. */
#define BUCKET_BITS 5

_Static_assert(EXIT_BUCKETS == 1 << BUCKET_BITS, "bucket numbers do not fit in BUCKET_BITS");

enum { REASON_COUNT, REASON_TIME, REASON_MAX };

static const char *const reason_columns[] = {
	[REASON_COUNT] = "count",
	[REASON_TIME] = "time",
	[REASON_MAX] = "max",
};

static int columns_make(struct snapshot_table *table, const char *const *names, size_t n)
{
	int err = 0;

	for (size_t i = table->ncolumns; !err && i < n; i++)
		err = snapshot_table_add_column(table, names[i]);
	return err;
}

/* Instance number of a reason; stable, because slots and instruction sets are. */
static uint32_t reason_id(const struct exits *exits, unsigned slot)
{
	return (uint32_t)exits->counters.isa << 8 | slot;
}

/* --- of the host --- */

static int total_sync(void *state, struct snapshot_table *table)
{
	static const char *const names[] = { "total", "total_time" };
	int err = columns_make(table, names, 2);

	(void)state;
	return err ? err : snapshot_once(snapshot_table_add_row(table, 0, ""));
}

static int total_read(void *state, struct snapshot_table *table)
{
	const struct exits *exits = state;
	uint64_t count = 0, time = 0;

	for (unsigned slot = 0; slot < exits->counters.nslots; slot++) {
		count += exits->counters.total[slot].count;
		time += exits->counters.total[slot].time;
	}
	snapshot_table_unset(table);
	/* zero exits may mean that this KVM never fires the event, so 0 is not known to be true */
	if (!exits->counters.object || (!count && !exits->fires))
		return 0;
	snapshot_cell_set(snapshot_table_cell(table, 0, 0), count);
	snapshot_cell_set(snapshot_table_cell(table, 0, 1), time);
	return 0;
}

static int reason_rows(struct exits *exits, struct snapshot_table *table)
{
	struct rows rows = { 0 };
	int err = 0;

	for (unsigned slot = 0; !err && exits->reasons && slot < exits->counters.nslots; slot++) {
		if (exits->counters.total[slot].count)
			err = rows_want(&rows, &(struct row_want){ reason_id(exits, slot),
								   vcpu_counters_reason_name(
									   &exits->counters, slot),
								   NULL, NULL });
	}
	return rows_follow(&rows, table, err);
}

static int exit_sync(void *state, struct snapshot_table *table)
{
	int err = columns_make(table, reason_columns, 3);

	return err ? err : reason_rows(state, table);
}

static int userspace_exit_sync(void *state, struct snapshot_table *table)
{
	int err = columns_make(table, reason_columns, 2);

	return err ? err : reason_rows(state, table);
}

static int reason_read(void *state, struct snapshot_table *table)
{
	const struct exits *exits = state;

	for (unsigned slot = 0; slot < exits->counters.nslots; slot++) {
		const struct reason_counters *reason = &exits->counters.total[slot];
		int row = snapshot_table_row(table, reason_id(exits, slot));
		struct snapshot_cell *cells;

		if (row < 0)
			continue;
		cells = snapshot_table_cell(table, (size_t)row, 0);
		snapshot_cell_set(&cells[REASON_COUNT], reason->count);
		snapshot_cell_set(&cells[REASON_TIME], reason->time);
		if (table->ncolumns <= REASON_MAX)
			continue;
		if (reason->max)
			snapshot_cell_set(&cells[REASON_MAX], reason->max);
		else /* no pair was closed since the reset */
			snapshot_cell_unset(&cells[REASON_MAX]);
	}
	return 0;
}

/* --- histograms --- */

/* Add rows for a reason's non-empty buckets. */
static int bucket_rows(struct exits *exits, unsigned slot, char (*names)[TIME_BUCKET_NAME_SIZE],
		       struct rows *rows)
{
	const char *reason = vcpu_counters_reason_name(&exits->counters, slot);
	struct snapshot_labels *labels;
	char json[64];
	int err = 0;

	snprintf(json, sizeof(json), "{\"reason\":\"%s\"}", reason);
	labels = snapshot_labels_new(json);
	if (!labels)
		return -ENOMEM;
	for (unsigned i = 0; !err && i < EXIT_BUCKETS; i++) {
		if (exits->latency[slot][i])
			err = rows_want(
				rows, &(struct row_want){ reason_id(exits, slot) << BUCKET_BITS | i,
							  reason, names[i], labels });
	}
	exits->labels[slot] = labels;
	return err;
}

static int latency_sync(void *state, struct snapshot_table *table)
{
	static const char *const names[] = { "latency" };
	struct exits *exits = state;
	char buckets[EXIT_BUCKETS][TIME_BUCKET_NAME_SIZE];
	struct rows rows = { 0 };
	int err = columns_make(table, names, 1);

	for (unsigned i = 0; i < EXIT_BUCKETS; i++)
		time_bucket_name(i, buckets[i]);
	for (unsigned slot = 0; !err && exits->reasons && slot < exits->counters.nslots; slot++) {
		if (exits->counters.total[slot].count)
			err = bucket_rows(exits, slot, buckets, &rows);
	}
	err = rows_follow(&rows, table, err);
	for (unsigned slot = 0; slot < exits->counters.nslots; slot++) {
		if (exits->labels[slot])
			snapshot_labels_unref(exits->labels[slot]);
		exits->labels[slot] = NULL;
	}
	return err;
}

static int latency_read(void *state, struct snapshot_table *table)
{
	const struct exits *exits = state;

	for (size_t i = 0; i < table->nrows; i++) {
		uint32_t id = table->rows[i].id;
		unsigned slot = (id >> BUCKET_BITS) % EXIT_SLOTS;

		snapshot_cell_set(snapshot_table_cell(table, i, 0),
				  exits->latency[slot][id % EXIT_BUCKETS]);
	}
	return 0;
}

/* --- of VMs --- */

static int vm_total_sync(void *state, struct snapshot_table *table)
{
	static const char *const names[] = { "total" };
	const struct exits *exits = state;
	const struct vms *vms = exits->env.vms;
	struct rows rows = { 0 };
	int err = columns_make(table, names, 1);

	for (size_t i = 0; !err && i < vms->n; i++) {
		const struct vm *vm = vms->list[i];

		if (vm_is_there(vms, vm))
			err = rows_want(&rows,
					&(struct row_want){ vm->id, vm->name, NULL, vm->labels });
	}
	return rows_follow(&rows, table, err);
}

static int vm_total_read(void *state, struct snapshot_table *table)
{
	const struct exits *exits = state;
	const struct vms *vms = exits->env.vms;

	for (size_t i = 0; i < vms->n; i++) {
		const struct vm_sums *vm = vm_counters_find(&exits->counters.vms, vms->list[i]);
		int row = snapshot_table_row(table, vms->list[i]->id);
		uint64_t total = 0;

		if (row < 0 || !vm) /* no sums: the VM has not run yet */
			continue;
		for (unsigned slot = 0; slot < exits->counters.nslots; slot++)
			total += vm->reason[slot].count;
		snapshot_cell_set(snapshot_table_cell(table, (size_t)row, 0), total);
	}
	return 0;
}

static int vm_reason_sync(void *state, struct snapshot_table *table)
{
	struct exits *exits = state;
	const struct vms *vms = exits->env.vms;
	struct rows rows = { 0 };
	int err = columns_make(table, reason_columns, 2);

	for (size_t i = 0; exits->reasons && i < vms->n; i++) {
		const struct vm *vm = vms->list[i];
		const struct vm_sums *sums = vm_counters_find(&exits->counters.vms, vm);

		if (!sums || !vm_is_there(vms, vm))
			continue;
		for (unsigned slot = 0; !err && slot < exits->counters.nslots; slot++) {
			struct row_want want = { sums->reason[slot].id, vm->name, NULL,
						 vm->labels };

			want.last = want.id ? vcpu_counters_reason_name(&exits->counters, slot) :
					      NULL;
			if (want.id)
				err = rows_want(&rows, &want);
		}
	}
	return rows_follow(&rows, table, err);
}

static int vm_reason_read(void *state, struct snapshot_table *table)
{
	const struct exits *exits = state;
	const struct vm_counters *all = &exits->counters.vms;

	for (size_t i = 0; i < all->nvms; i++) {
		for (unsigned slot = 0; slot < exits->counters.nslots; slot++) {
			const struct vm_reason_sums *reason = &all->vms[i]->reason[slot];
			int row = reason->id ? snapshot_table_row(table, reason->id) : -1;

			if (row < 0)
				continue;
			snapshot_cell_set(snapshot_table_cell(table, (size_t)row, REASON_COUNT),
					  reason->count);
			snapshot_cell_set(snapshot_table_cell(table, (size_t)row, REASON_TIME),
					  reason->time);
		}
	}
	return 0;
}

/* --- of vCPUs --- */

enum { VCPU_EXITS, VCPU_GUEST_TIME, VCPU_EXIT_TIME, VCPU_HALT_TIME, VCPU_RUN_DELAY };

static int vcpu_sync(void *state, struct snapshot_table *table)
{
	static const char *const names[] = {
		[VCPU_EXITS] = "exits",		[VCPU_GUEST_TIME] = "guest_time",
		[VCPU_EXIT_TIME] = "exit_time", [VCPU_HALT_TIME] = "halt_time",
		[VCPU_RUN_DELAY] = "run_delay",
	};
	const struct exits *exits = state;
	const struct vms *vms = exits->env.vms;
	struct rows rows = { 0 };
	int err = columns_make(table, names, sizeof(names) / sizeof(names[0]));

	for (size_t i = 0; i < vms->n; i++) {
		const struct vm *vm = vms->list[i];

		for (size_t j = 0; !err && vm_is_there(vms, vm) && j < vm->nvcpus; j++) {
			const struct vcpu *vcpu = &vm->vcpus[j];

			if (vcpu_is_there(vms, vcpu))
				err = rows_want(&rows, &(struct row_want){ vcpu->id, vcpu->name,
									   NULL, vcpu->labels });
		}
	}
	return rows_follow(&rows, table, err);
}

static void vcpu_put(const struct exits *exits, const struct vcpu *vcpu,
		     struct snapshot_cell *cells)
{
	const struct vcpu_sums *sums = vm_counters_find_vcpu(&exits->counters.vms, vcpu);

	if (vcpu->has_run_delay)
		snapshot_cell_set(&cells[VCPU_RUN_DELAY], vcpu->run_delay);
	if (!sums) /* no sums: the vCPU has not run yet */
		return;
	snapshot_cell_set(&cells[VCPU_EXITS], sums->exits);
	snapshot_cell_set(&cells[VCPU_GUEST_TIME], sums->guest_time);
	snapshot_cell_set(&cells[VCPU_EXIT_TIME], sums->exit_time);
	if (exits->reasons)
		snapshot_cell_set(&cells[VCPU_HALT_TIME], sums->halt_time);
}

static int vcpu_read(void *state, struct snapshot_table *table)
{
	const struct exits *exits = state;
	const struct vms *vms = exits->env.vms;

	for (size_t i = 0; i < vms->n; i++) {
		for (size_t j = 0; j < vms->list[i]->nvcpus; j++) {
			const struct vcpu *vcpu = &vms->list[i]->vcpus[j];
			int row = snapshot_table_row(table, vcpu->id);

			if (row >= 0)
				vcpu_put(exits, vcpu, snapshot_table_cell(table, (size_t)row, 0));
		}
	}
	return 0;
}

const struct family_table exit_tables[EXIT_TABLES] = {
	{ "exit_total", total_sync, total_read },
	{ "exit", exit_sync, reason_read },
	{ "exit_latency", latency_sync, latency_read },
	{ "vm_exit_total", vm_total_sync, vm_total_read },
	{ "vm_exit", vm_reason_sync, vm_reason_read },
	{ "vm_exit_latency", exits_vm_latency_sync, exits_vm_latency_read },
	{ "vcpu", vcpu_sync, vcpu_read },
};

const struct family_table userspace_exit_tables[USERSPACE_EXIT_TABLES] = {
	{ "userspace_exit", userspace_exit_sync, reason_read },
	{ "vm_userspace_exit", vm_reason_sync, vm_reason_read },
};
