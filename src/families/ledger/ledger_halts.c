// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "families/ledger/ledger_halts.h"

#include "base/fnv1a.h"

/* The thread writes it meanwhile. */
#define load(value) __atomic_load_n(&(value), __ATOMIC_RELAXED)

/* Call take() for what a VM or vCPU has. Returns how often. */
static size_t halts_visit(const struct ledger_totals *totals, uint32_t vm, uint32_t vcpu,
			  void (*take)(void *data, const struct ledger_halts *halts), void *data)
{
	size_t n, nkept;
	const struct record_place *places = vm_counters_places(totals->records, vm, vcpu, &n);
	const struct ledger_total *kept = ledger_totals_kept(totals, vm, vcpu, &nkept);

	for (size_t i = 0; i < n; i++) {
		const struct ledger_record *record = pool_at(&totals->records->counters->records,
							     places[i].record);

		if (record)
			take(data, &record->halts);
	}
	for (size_t i = 0; i < nkept; i++)
		take(data, kept[i].halts);
	return n + nkept;
}

static void sum_take(void *data, const struct ledger_halts *halts)
{
	ledger_halts_add(data, halts);
}

bool ledger_halts_of(const struct ledger_totals *totals, uint32_t vm, uint32_t vcpu,
		     struct ledger_halts *ret_halts)
{
	*ret_halts = (struct ledger_halts){ .poll_time = 0 };
	return halts_visit(totals, vm, vcpu, sum_take, ret_halts);
}

struct bucket_sum {
	enum ledger_histogram histogram;
	unsigned bucket;
	uint64_t count;
};

static void bucket_take(void *data, const struct ledger_halts *halts)
{
	struct bucket_sum *sum = data;

	sum->count += load(halts->bucket[sum->histogram][sum->bucket]);
}

uint64_t ledger_halts_bucket(const struct ledger_totals *totals, uint32_t vm, uint32_t vcpu,
			     enum ledger_histogram histogram, unsigned bucket)
{
	struct bucket_sum sum = { .histogram = histogram, .bucket = bucket };

	halts_visit(totals, vm, vcpu, bucket_take, &sum);
	return sum.count;
}

uint64_t ledger_halts_seen(const struct ledger_totals *totals)
{
	const struct pool *records = &totals->records->counters->records;
	uint64_t seen = HASH_START;

	for (uint32_t number = 1; number < pool_end(records); number++) {
		const struct ledger_record *record = pool_at(records, number);

		for (unsigned i = 0; record->head.start && i < LEDGER_HISTOGRAMS; i++) {
			uint64_t buckets = (uint64_t)number << 32;

			for (unsigned j = 0; j < EXIT_BUCKETS; j++)
				buckets |= (uint64_t)(load(record->halts.bucket[i][j]) > 0) << j;
			seen = hash_step(seen, buckets);
		}
	}
	return seen;
}
