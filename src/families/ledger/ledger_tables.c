// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The tables of the ledger family. */
#include "families/ledger/ledger.h"

enum {
	TIME_GUEST,
	TIME_KVM,
	TIME_POLL,
	TIME_HALTED,
	TIME_VMM,
	TIME_READY,
	TIME_UNKNOWN,
	TIME_TOTAL,
	OPEN_GUEST, /* of VMs and vCPUs */
	OPEN_KVM,
	OPEN_HALTED,
	OPEN_VMM,
	OPEN_UNKNOWN,
	OPEN,
	STATE, /* of vCPUs */
	COLUMNS,
	NO_COLUMN = COLUMNS
};

/* Columns of a state; number: the value of kvm.vcpu.state. No interval that is open is of those
 * without a column, which are found out as it ends. */
static const struct {
	unsigned time, open, number;
} states[LEDGER_STATES] = {
	[LEDGER_GUEST] = { TIME_GUEST, OPEN_GUEST, 0 },
	[LEDGER_KVM] = { TIME_KVM, OPEN_KVM, 1 },
	[LEDGER_POLL] = { TIME_POLL, NO_COLUMN, 2 },
	[LEDGER_HALTED] = { TIME_HALTED, OPEN_HALTED, 3 },
	[LEDGER_VMM] = { TIME_VMM, OPEN_VMM, 4 },
	[LEDGER_READY] = { TIME_READY, NO_COLUMN, 5 },
	[LEDGER_UNKNOWN] = { TIME_UNKNOWN, OPEN_UNKNOWN, 6 },
};

/* Has a state values here? What has none is counted in the state that it is part of. */
static bool is_seen(const struct ledger *ledger, enum ledger_state state)
{
	switch (state) {
	case LEDGER_GUEST:
	case LEDGER_KVM:
		return ledger->exits;
	case LEDGER_READY:
		return ledger->has_ready;
	case LEDGER_POLL:
		/* without a vCPU's name it is known of halts that polling has ended */
		return ledger->has_polls || !ledger->exits || !ledger->names_vcpus;
	default:
		return true;
	}
}

/* What has no value is 0: else it would be missing in the sum. */
static void times_set(const struct ledger *ledger, const struct table_row *row,
		      const struct ledger_times *times)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < LEDGER_STATES; i++) {
		total += times->time[i];
		if (is_seen(ledger, i) || times->time[i])
			snapshot_cell_set(&row->cells[states[i].time], times->time[i]);
	}
	snapshot_cell_set(&row->cells[TIME_TOTAL], total);
}

static bool ledger_begins(void *state)
{
	const struct ledger *ledger = state;

	return ledger->has_read;
}

static int host_fill(void *state, const struct table_row *row)
{
	const struct ledger *ledger = state;

	times_set(ledger, row, &ledger->totals.host);
	return 0;
}

/* How long the total's open interval is, ns. */
static uint64_t open_of(const struct ledger *ledger, const struct ledger_total *total)
{
	return total->is_open && ledger->totals.now > total->since ?
		       ledger->totals.now - total->since :
		       0;
}

static void open_set(const struct ledger *ledger, const struct table_row *row,
		     const struct ledger_total *totals, size_t n)
{
	uint64_t open[LEDGER_STATES] = { 0 };
	uint64_t sum = 0;
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		if (!totals[i].is_open)
			continue;
		any = true;
		open[totals[i].state] += open_of(ledger, &totals[i]);
		sum += open_of(ledger, &totals[i]);
	}
	if (any)
		snapshot_cell_set(&row->cells[OPEN], sum);
	for (unsigned i = 0; any && i < LEDGER_STATES; i++) {
		if (states[i].open != NO_COLUMN && is_seen(ledger, i))
			snapshot_cell_set(&row->cells[states[i].open], open[i]);
	}
}

/* A VM or vCPU that has not run has no value. */
static int owned_fill(void *state, const struct table_row *row)
{
	const struct ledger *ledger = state;
	const struct vcpu *vcpu = row->owner->vcpu;
	struct ledger_times times = { { 0 } };
	const struct ledger_total *totals;
	size_t n;

	totals = ledger_totals_of(&ledger->totals, row->owner->vm->id, vcpu ? vcpu->id : 0, &n);
	if (!n)
		return 0;
	for (size_t i = 0; i < n; i++)
		ledger_times_add(&times, &totals[i].times);
	times_set(ledger, row, &times);
	open_set(ledger, row, totals, n);
	if (vcpu && totals->is_open)
		snapshot_cell_set(&row->cells[STATE], states[totals->state].number);
	return 0;
}

#define TIME_COLUMNS                                                          \
	[TIME_GUEST] = "guest", [TIME_KVM] = "kvm", [TIME_POLL] = "poll",     \
	[TIME_HALTED] = "halted", [TIME_VMM] = "vmm", [TIME_READY] = "ready", \
	[TIME_UNKNOWN] = "unknown", [TIME_TOTAL] = "total"

#define OPEN_COLUMNS                                                                         \
	[OPEN_GUEST] = "open_guest", [OPEN_KVM] = "open_kvm", [OPEN_HALTED] = "open_halted", \
	[OPEN_VMM] = "open_vmm", [OPEN_UNKNOWN] = "open_unknown", [OPEN] = "open"

static const char *const host_columns[] = { TIME_COLUMNS, NULL };
static const char *const vm_columns[] = { TIME_COLUMNS, OPEN_COLUMNS, NULL };
static const char *const vcpu_columns[COLUMNS + 1] = {
	TIME_COLUMNS,
	OPEN_COLUMNS,
	[STATE] = "state",
	[COLUMNS] = NULL,
};

const struct table ledger_tables[LEDGER_TABLES] = {
	{ .name = "time", .columns = host_columns, .begin = ledger_begins, .fill = host_fill },
	{ .name = "vm_time",
	  .owner = OWNER_VM,
	  .columns = vm_columns,
	  .begin = ledger_begins,
	  .fill = owned_fill },
	{ .name = "vcpu_time",
	  .owner = OWNER_VCPU,
	  .columns = vcpu_columns,
	  .begin = ledger_begins,
	  .fill = owned_fill },
	{ .name = "vm_halt",
	  .owner = OWNER_VM,
	  .columns = ledger_halt_columns,
	  .begin = ledger_begins,
	  .fill = ledger_halt_fill },
	{ .name = "vm_halt_time",
	  .owner = OWNER_VM,
	  .variant = LEDGER_VM_BUCKETS,
	  .columns = ledger_vm_bucket_columns,
	  .keys = ledger_vm_bucket_keys,
	  .begin = ledger_begins,
	  .fill = ledger_bucket_fill },
	{ .name = "vcpu_halt_time",
	  .owner = OWNER_VCPU,
	  .variant = LEDGER_VCPU_BUCKETS,
	  .columns = ledger_vcpu_bucket_columns,
	  .keys = ledger_vcpu_bucket_keys,
	  .begin = ledger_begins,
	  .fill = ledger_bucket_fill },
};
