// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Sums of the host. The blocks are read in the order of their memory, which the processor fetches
 * ahead, rather than by record: their slots are looked up when programs have taken new ones.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/reading.h"
#include "engine/vcpu_counters.h"

#define NO_SLOT UINT16_MAX

/* Reading is bound by memory: how many blocks ahead it is asked for. */
#define AHEAD 12

/* Memory of an entry of the index, with what the kernel adds to key and value. */
#define INDEX_ENTRY_BYTES 96

/* --- whose blocks are --- */

/* A slot has counts: which reason is it? */
static void slot_walk(struct vcpu_counters *counters, unsigned slot)
{
	if (reason_slots_home(&counters->slots, slot) == slot)
		return;
	for (unsigned i = 0; i < counters->nstrays; i++) {
		if (counters->strays[i] == slot)
			return;
	}
	counters->strays[counters->nstrays++] = (uint16_t)slot;
}

/* Make room for all blocks. Returns 0 or -ENOMEM. */
static int rooms_make(struct vcpu_counters *counters)
{
	size_t n = pool_end(&counters->blocks);
	uint16_t *slot_of;
	uint32_t *seen;

	if (n <= counters->nseen)
		return 0;
	slot_of = reallocarray(counters->slot_of, n, sizeof(*slot_of));
	if (slot_of)
		counters->slot_of = slot_of;
	seen = reallocarray(counters->seen, n, sizeof(*seen));
	if (seen)
		counters->seen = seen;
	if (!slot_of || !seen)
		return -ENOMEM;
	memset(slot_of + counters->nseen, 0xff, (n - counters->nseen) * sizeof(*slot_of));
	memset(seen + counters->nseen, 0, (n - counters->nseen) * sizeof(*seen));
	counters->nseen = n;
	return 0;
}

/* Note the slots of a record's blocks. Returns their number. */
static uint32_t record_walk(struct vcpu_counters *counters, struct record *record)
{
	uint32_t n = 0;

	for_each_slot(counters, record, slot)
	{
		uint32_t number = record_blocks(record)[slot];

		slot_walk(counters, slot);
		if (number >= counters->nseen)
			continue;
		counters->slot_of[number] = (uint16_t)slot;
		n++;
	}
	return n;
}

int vcpu_counters_walk(struct vcpu_counters *counters)
{
	uint32_t taken, found = 0;
	int err;

	if (!counters->object.family)
		return 0;
	err = counters->reading ? reading_follow(counters) : 0;
	if (err)
		return err;
	taken = __atomic_load_n(&counters->object.control->blocks_taken, __ATOMIC_RELAXED);
	err = vcpu_counters_wake(counters);
	if (err || counters->walked == taken + 1)
		return err;
	err = rooms_make(counters);
	if (err)
		return err;
	memset(counters->slot_of, 0xff, counters->nseen * sizeof(*counters->slot_of));
	for (uint32_t i = 1; i < pool_end(&counters->records); i++) {
		struct record *record = vcpu_counters_record(counters, i);

		if (!record)
			continue;
		vcpu_counters_set_isa(counters, record->isa);
		found += record_walk(counters, record);
	}
	/* one that was just taken may not be in its record yet: then walk again */
	counters->walked = found < pool_used(&counters->blocks) ? 0 : taken + 1;
	return 0;
}

void vcpu_counters_forget(struct vcpu_counters *counters, uint32_t block)
{
	if (block < counters->nseen)
		counters->slot_of[block] = NO_SLOT;
}

/* --- sums --- */

/* As reason_slots_home(), which decides once. */
static unsigned home_of(struct vcpu_counters *counters, unsigned slot)
{
	unsigned home = counters->slots.homes[slot];

	return home < COUNTER_SLOTS_MAX ? home : reason_slots_home(&counters->slots, slot);
}

uint64_t vcpu_counters_records_bytes(const struct vcpu_counters *counters)
{
	return pool_bytes(&counters->records) +
	       (uint64_t)pool_used(&counters->records) * INDEX_ENTRY_BYTES;
}

void vcpu_counters_overflow(const struct vcpu_counters *counters, uint64_t *ret_dropped,
			    uint64_t *ret_no_block)
{
	uint64_t count = 0, no_block = 0;

	for (size_t cpu = 0; counters->overflow && cpu < counters->cpus->n; cpu++) {
		const struct overflow_row *row = &counters->overflow[cpu];

		no_block += __atomic_load_n(&row->no_block, __ATOMIC_RELAXED);
		for (unsigned slot = 0; slot < counters->nslots; slot++)
			count += __atomic_load_n(&row->count[slot], __ATOMIC_RELAXED);
	}
	/* a row is read while it is written: count first */
	*ret_dropped = count > no_block ? count - no_block : 0;
	*ret_no_block = no_block;
}

static void overflow_read(struct vcpu_counters *counters)
{
	for (size_t cpu = 0; cpu < counters->cpus->n; cpu++) {
		const struct overflow_row *row = &counters->overflow[cpu];

		for (unsigned slot = 0; slot < counters->nslots; slot++) {
			uint64_t count = __atomic_load_n(&row->count[slot], __ATOMIC_RELAXED);

			if (count)
				counters->total[reason_slots_home(&counters->slots, slot)].count +=
					count;
		}
	}
}

static void total_add(struct vcpu_counters *counters, unsigned slot, const struct block *block)
{
	slot_sums_add(&counters->total[home_of(counters, slot)], block, counters->state->epoch);
}

/* For each block in use: its number, its slot, and the block. */
#define for_each_block(counters, number, slot, block)                                           \
	for (uint32_t number = 1; number < (counters)->nseen; number++)                         \
		for (uint32_t slot = (counters)->slot_of[number], once = slot != NO_SLOT; once; \
		     once = 0)                                                                  \
			for (const struct block *block = pool_at(&(counters)->blocks, number);  \
			     block && once; once = 0)

static void sums_read(struct vcpu_counters *counters)
{
	memset(counters->total, 0, sizeof(counters->total));
	for_each_block(counters, number, slot, block)
	{
		__builtin_prefetch(block + AHEAD);
		total_add(counters, slot, block);
	}
	for (unsigned slot = 0; slot < counters->nslots; slot++) {
		if (counters->ended[slot].count)
			total_add(counters, slot, &counters->ended[slot]);
	}
	overflow_read(counters);
}

void vcpu_counters_read(struct vcpu_counters *counters)
{
	if (counters->object.family)
		reading_steady(counters, sums_read);
}

/* The buckets in the first cache line of a block; each further line has 8. */
#define FIRST_LINE ((CACHE_LINE_BYTES - offsetof(struct block, bucket)) / sizeof(__u64))
#define LINE	   (CACHE_LINE_BYTES / sizeof(__u64))

/*
 * Add buckets from one place to another, which have a line of memory. Most lines have none.
 * Returns those that are not empty, by place.
 */
static inline uint32_t line_add(uint64_t *sums, const __u64 *buckets, unsigned from, unsigned to)
{
	uint64_t any = 0;
	uint32_t seen = 0;

	for (unsigned i = from; i < to; i++)
		any |= buckets[i];
	if (!any)
		return 0;
	for (unsigned i = from; i < to; i++) {
		sums[i] += buckets[i];
		seen |= (uint32_t)(buckets[i] != 0) << i;
	}
	return seen;
}

/* Add a block's buckets to sums, all in the order of BUCKET_PLACE(). Returns as line_add(). */
static uint32_t latency_add(uint64_t *sums, const struct block *block)
{
	uint32_t seen = line_add(sums, block->bucket, 0, FIRST_LINE);

	seen |= line_add(sums, block->bucket, FIRST_LINE, FIRST_LINE + LINE);
	seen |= line_add(sums, block->bucket, FIRST_LINE + LINE, FIRST_LINE + 2 * LINE);
	seen |= line_add(sums, block->bucket, FIRST_LINE + 2 * LINE, FIRST_LINE + 3 * LINE);
	seen |= line_add(sums, block->bucket, FIRST_LINE + 3 * LINE, EXIT_BUCKETS);
	return seen;
}

/* Places to buckets. */
static uint32_t in_order(uint32_t seen)
{
	return seen << BUCKET_FIRST | seen >> (EXIT_BUCKETS - BUCKET_FIRST);
}

static void buckets_read(struct vcpu_counters *counters)
{
	static uint64_t places[COUNTER_SLOTS_MAX][EXIT_BUCKETS]; /* sums by slot, then by home */

	memset(places, 0, sizeof(places));
	for_each_block(counters, number, slot, block)
	{
		uint32_t seen;

		for (unsigned i = 0; i < sizeof(*block); i += CACHE_LINE_BYTES)
			__builtin_prefetch((const char *)(block + AHEAD) + i);
		seen = in_order(latency_add(places[home_of(counters, slot)], block));
		counters->changed |= seen != counters->seen[number];
		counters->seen[number] = seen;
	}
	for (unsigned slot = 0; slot < counters->nslots; slot++) {
		if (counters->ended[slot].count)
			latency_add(places[home_of(counters, slot)], &counters->ended[slot]);
	}
	for (unsigned slot = 0; slot < COUNTER_SLOTS_MAX; slot++) {
		for (unsigned i = 0; i < EXIT_BUCKETS; i++)
			counters->latency[slot][i] = places[slot][BUCKET_PLACE(i + EXIT_BUCKETS)];
	}
}

int vcpu_counters_read_buckets(struct vcpu_counters *counters)
{
	int err = vcpu_counters_walk(counters);

	if (err || !counters->object.family)
		return err;
	counters->changed = false;
	reading_steady(counters, buckets_read);
	return counters->changed;
}
