// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/fake_causes.h"

#include <string.h>

#define TIME	  10
#define TRIP_TIME 7

static struct pool pool;
static char *chunks[1];

const struct pool *fake_causes_pool(struct fake_causes *memory)
{
	chunks[0] = (char *)memory->records;
	pool = (struct pool){
		.bits = 2,
		.size = sizeof(struct cause_record),
		.limit = FAKE_CAUSE_RECORDS - 1,
		.chunks = chunks,
		.nchunks = 1,
		.max_chunks = 1,
	};
	return &pool;
}

void fake_causes_open(struct fake_causes *memory, struct cause_sums *sums)
{
	assert_int_equal(cause_sums_open(sums, fake_causes_pool(memory), memory->sums,
					 FAKE_CAUSE_SUMS, &memory->ended),
			 0);
}

static struct cause_counts counts_of(uint64_t n)
{
	return (struct cause_counts){ n, n, n * TIME, n, n * TRIP_TIME };
}

void fake_causes_count(struct cause_record *record, unsigned slot, uint64_t count)
{
	struct cause_counts counts = counts_of(count);

	cause_counts_add(&record->slots[slot].counts, &counts);
}

void fake_causes_start(struct cause_record *record, unsigned slot, uint64_t key)
{
	cause_counts_add(&record->other, &record->slots[slot].counts);
	record->slots[slot].counts = (struct cause_counts){ 0 };
	record->slots[slot].key = key;
	record->slots[slot].turn++;
	record->changes[slot / CAUSE_WAYS] += 2;
}

struct summing {
	uint64_t key;
	bool all;
	struct cause_counts sum;
};

static void visit(void *data, uint64_t key, const struct cause_counts *counts)
{
	struct summing *summing = data;

	if (summing->all || key == summing->key)
		cause_counts_add(&summing->sum, counts);
}

struct cause_counts fake_causes_of(const struct cause_sums *sums, uint32_t number, uint64_t key)
{
	struct summing summing = { .key = key };

	cause_sums_visit(sums, number, visit, &summing);
	return summing.sum;
}

static struct cause_counts host(const struct cause_sums *sums, uint64_t key, bool all)
{
	struct summing summing = { .key = key, .all = all };

	for (uint32_t i = 1; i < FAKE_CAUSE_RECORDS; i++)
		cause_sums_visit(sums, i, visit, &summing);
	cause_sums_visit_ended(sums, visit, &summing);
	return summing.sum;
}

struct cause_counts fake_causes_of_host(const struct cause_sums *sums, uint64_t key)
{
	return host(sums, key, false);
}

struct cause_counts fake_causes_total(const struct cause_sums *sums)
{
	return host(sums, 0, true);
}

void assert_causes(struct cause_counts counts, uint64_t n)
{
	struct cause_counts wanted = counts_of(n);

	assert_int_equal(counts.accesses, wanted.accesses);
	assert_int_equal(counts.count, wanted.count);
	assert_int_equal(counts.time, wanted.time);
	assert_int_equal(counts.trips, wanted.trips);
	assert_int_equal(counts.trip_time, wanted.trip_time);
}
