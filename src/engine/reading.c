// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "engine/reading.h"

#include <errno.h>

#include "base/fnv1a.h"

/* How often to read sums while the agent moves counts to them. */
#define TRIES 64

/* A number that another set of records or blocks in use most likely has not. */
struct mark {
	uint64_t hash;
	__u32 n;
};

static void mark_add(struct mark *mark, uint64_t number)
{
	mark->hash = hash_step(mark->hash, number);
	mark->n++;
}

static __u32 mark_fold(const struct mark *mark)
{
	return (__u32)(mark->hash ^ mark->hash >> 32);
}

int reading_follow(struct vcpu_counters *counters)
{
	struct mark records = { HASH_START, 0 }, blocks = { HASH_START, 0 };
	int err = pool_follow(&counters->records);

	if (!err && counters->ended)
		err = pool_follow(&counters->blocks);
	for (uint32_t i = 1; i < pool_end(&counters->records); i++) {
		struct record *record = vcpu_counters_record(counters, i);

		if (!record)
			continue;
		mark_add(&records, record->start ^ record->vcpu ^ (uint64_t)i << 32);
		for_each_slot(counters, record, slot)
			mark_add(&blocks, record_blocks(record)[slot] | (uint64_t)slot << 32);
	}
	counters->object.control->records_taken = mark_fold(&records);
	counters->object.control->blocks_taken = mark_fold(&blocks);
	counters->nrecords = records.n;
	counters->nblocks = blocks.n;
	return err == -ENOMEM ? err : 0;
}

void reading_steady(struct vcpu_counters *counters, void (*read)(struct vcpu_counters *counters))
{
	for (unsigned i = 0; i < TRIES; i++) {
		struct engine_state before, after;

		if (counters->state)
			before = *counters->state;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		read(counters);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (!counters->reading || !counters->state)
			return;
		after = *counters->state;
		/* each move has other numbers in the journal, or moves nothing */
		if (!after.moves && memcmp(&before, &after, sizeof(after)) == 0)
			return;
	}
}
