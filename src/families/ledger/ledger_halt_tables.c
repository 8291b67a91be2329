// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* How the tables of halts and wake-ups are filled. */
#include "engine/time_buckets.h"
#include "families/ledger/ledger.h"
#include "families/ledger/ledger_halts.h"

#define HISTOGRAMS_MAX 3

/* The histograms of a table, by its columns; as many as it has. */
static const struct {
	unsigned n;
	enum ledger_histogram histograms[HISTOGRAMS_MAX];
} tables[] = {
	[LEDGER_VM_BUCKETS] = { 3, { LEDGER_WAKE, LEDGER_POLLED, LEDGER_WAITED } },
	[LEDGER_VCPU_BUCKETS] = { 2, { LEDGER_WAKE, LEDGER_LATE } },
};

const char *const ledger_vm_bucket_columns[] = { "wake", "polled", "waited", NULL };
const char *const ledger_vcpu_bucket_columns[] = { "wake", "late", NULL };

enum { POLL_TIME, POLL_ATTEMPTS };

const char *const ledger_halt_columns[] = {
	[POLL_TIME] = "poll_time",
	[POLL_ATTEMPTS] = "poll_attempts",
	NULL,
};

static uint32_t vcpu_of(const struct owner *owner)
{
	return owner->vcpu ? owner->vcpu->id : 0;
}

static int keys_want(const struct ledger *ledger, const struct owner *owner, unsigned variant,
		     struct table_sync *sync)
{
	struct ledger_halts halts;
	int err = 0;

	ledger_halts_of(&ledger->totals, owner->vm->id, vcpu_of(owner), &halts);
	for (unsigned bucket = 0; !err && bucket < EXIT_BUCKETS; bucket++) {
		struct snapshot_range range = time_bucket_range(bucket);
		uint64_t any = 0;

		for (unsigned i = 0; i < tables[variant].n; i++)
			any |= halts.bucket[tables[variant].histograms[i]][bucket];
		if (any)
			err = table_want(sync, &(struct table_key){ .key = bucket,
								    .range = &range,
								    .number = TABLE_BY_NAME });
	}
	return err;
}

int ledger_vm_bucket_keys(void *state, const struct owner *owner, struct table_sync *sync)
{
	return keys_want(state, owner, LEDGER_VM_BUCKETS, sync);
}

int ledger_vcpu_bucket_keys(void *state, const struct owner *owner, struct table_sync *sync)
{
	return keys_want(state, owner, LEDGER_VCPU_BUCKETS, sync);
}

int ledger_bucket_fill(void *state, const struct table_row *row)
{
	const struct ledger *ledger = state;
	int variant = row->table->variant;

	for (unsigned i = 0; i < tables[variant].n; i++) {
		uint64_t count = ledger_halts_bucket(&ledger->totals, row->owner->vm->id,
						     vcpu_of(row->owner),
						     tables[variant].histograms[i], row->key);

		if (count)
			snapshot_cell_set(&row->cells[i], count);
	}
	return 0;
}

/* A VM that has not run has no value, nor has any where KVM's statistics cannot be read. */
int ledger_halt_fill(void *state, const struct table_row *row)
{
	const struct ledger *ledger = state;
	struct ledger_halts halts;

	if (!ledger_halts_of(&ledger->totals, row->owner->vm->id, 0, &halts))
		return 0;
	if (ledger->has_polls)
		snapshot_cell_set(&row->cells[POLL_TIME], halts.poll_time);
	if (ledger->has_polls && ledger->has_attempts)
		snapshot_cell_set(&row->cells[POLL_ATTEMPTS], halts.poll_attempts);
	return 0;
}
