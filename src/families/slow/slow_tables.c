// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The tables of the slow family. */
#include "families/slow/slow.h"
#include "kvm/cause_key.h"

/* Rows of a vCPU's slow exits: the newest is 0. */
static const char *const names[SLOW_EXITS] = { "slow0", "slow1", "slow2", "slow3",
					       "slow4", "slow5", "slow6", "slow7" };

enum { WHEN, DURATION, REASON, CAUSE, GUEST, KVM, POLL, HALTED, VMM, READY, COLUMNS };

/* Columns of states; a state that is not known by the exit's other states has a flag. */
static const struct {
	unsigned column;
	enum ledger_state state;
	uint32_t known;
} states[] = {
	{ GUEST, LEDGER_GUEST, SLOW_STATES }, { KVM, LEDGER_KVM, SLOW_STATES },
	{ POLL, LEDGER_POLL, SLOW_POLL },     { HALTED, LEDGER_HALTED, SLOW_STATES },
	{ VMM, LEDGER_VMM, SLOW_STATES },     { READY, LEDGER_READY, SLOW_READY },
};

static bool slow_begins(void *state)
{
	const struct slow *slow = state;

	return slow->has_read;
}

/* Where nobody can record slow exits there is no count; else a VM without any has 0. */
static int vm_fill(void *state, const struct table_row *row)
{
	const struct slow *slow = state;
	const struct slow_total *totals;
	uint64_t count = 0;
	size_t n;

	totals = slow_totals_of(&slow->totals, row->owner->vm->id, 0, &n);
	for (size_t i = 0; i < n; i++)
		count += totals[i].count;
	if (count || slow->family.counters.reading || slow->family.links->n)
		snapshot_cell_set(&row->cells[0], count);
	return 0;
}

static const struct slow_total *total_of(const struct slow *slow, const struct owner *owner)
{
	size_t n;

	return slow_totals_of(&slow->totals, owner->vm->id, owner->vcpu->id, &n);
}

static int vcpu_keys(void *state, const struct owner *owner, struct table_sync *sync)
{
	const struct slow_total *total = total_of(state, owner);
	int err = 0;

	for (uint32_t i = 0; !err && total && i < total->n; i++)
		err = table_want(sync, &(struct table_key){ .key = i,
							    .name = names[i],
							    .number = TABLE_BY_NAME });
	return err;
}

/* A reason that a program has met and that has no name is "other", as in kvm.exit. */
static int reason_set(struct snapshot_cell *cell, uint32_t reason)
{
	uint32_t isa = reason >> LEDGER_ISA_SHIFT, slot = reason % (1U << LEDGER_ISA_SHIFT);
	char buffer[REASONS_NAME_SIZE];
	uint64_t code;

	if (isa < 1 || isa > REASONS_ISAS)
		return 0;
	isa--;
	if (reasons_code_of((enum reasons_isa)isa, slot, &code))
		return snapshot_cell_set_text(cell, REASONS_OTHER_NAME);
	return snapshot_cell_set_text(cell, reasons_name((enum reasons_isa)isa, code, buffer));
}

static int cause_set(struct snapshot_cell *cell, const struct slow_exit *exit)
{
	char text[CAUSE_KEY_TEXT_SIZE];

	if (!(exit->known & SLOW_CAUSE) || cause_key_text(exit->cause, text) < 0)
		return 0;
	return snapshot_cell_set_text(cell, text);
}

static int vcpu_fill(void *state, const struct table_row *row)
{
	const struct slow *slow = state;
	const struct slow_total *total = total_of(slow, row->owner);
	const struct slow_exit *exit;
	int err;

	if (!total || row->key >= total->n)
		return 0;
	exit = &total->exits[row->key];
	snapshot_cell_set(&row->cells[WHEN], exit->end + (uint64_t)slow->real);
	snapshot_cell_set(&row->cells[DURATION], exit->duration);
	err = reason_set(&row->cells[REASON], exit->reason);
	if (!err)
		err = cause_set(&row->cells[CAUSE], exit);
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		uint64_t time = exit->time[states[i].state];

		if (exit->known & SLOW_STATES && (time || exit->known & states[i].known))
			snapshot_cell_set(&row->cells[states[i].column], time);
	}
	return err;
}

static const char *const vm_columns[] = { "slow_count", NULL };
static const char *const vcpu_columns[] = {
	[WHEN] = "when",   [DURATION] = "duration", [REASON] = "reason", [CAUSE] = "cause",
	[GUEST] = "guest", [KVM] = "kvm",	    [POLL] = "poll",	 [HALTED] = "halted",
	[VMM] = "vmm",	   [READY] = "ready",	    [COLUMNS] = NULL,
};

const struct table slow_tables[SLOW_TABLES] = {
	{ .name = "vm_slow",
	  .owner = OWNER_VM,
	  .columns = vm_columns,
	  .begin = slow_begins,
	  .fill = vm_fill },
	{ .name = "vcpu_slow",
	  .owner = OWNER_VCPU,
	  .label = "slow",
	  .columns = vcpu_columns,
	  .keys = vcpu_keys,
	  .begin = slow_begins,
	  .fill = vcpu_fill },
};
