/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Percentiles of what a histogram in a snapshot counted: rows NAME::FIRST-LAST,
 * NAME::NUMBER or NAME::FIRST+, in the column latency how often, not cumulative.
 */
#ifndef PMDAKVM_LATENCY_H
#define PMDAKVM_LATENCY_H

#include <stdbool.h>

#include "metrics/snapshot.h"

struct latency_bucket {
	uint64_t first, last; /* both belong to it; last UINT64_MAX: it has no end */
	uint64_t count;	      /* above 0 */
};

struct latency {
	struct latency_bucket *buckets; /* in ascending order, none overlaps another */
	size_t n;
};

/* "4096-8191", "0" or "2147483648+". 0, or -EINVAL and the outputs are untouched. */
int latency_bucket_parse(const char *text, uint64_t *ret_first, uint64_t *ret_last);

/*
 * The buckets of that name that something fell into. table may be NULL. Returns 0, -ENODATA
 * for none, -ENOMEM, or -EINVAL where the rows cannot all be right: a bucket without
 * a number, twice, or one that is none.
 */
int latency_read(const struct snapshot_table *table, const char *name, struct latency *ret_latency);
void latency_free(struct latency *latency);

/*
 * What at least percent (1 to 100) of the values do not exceed. Values are taken to lie evenly
 * in their bucket, so that it is off by the bucket's width at most. max, the greatest
 * value (NULL: not known), ends the bucket it lies in. *ret_more: it lies in a bucket
 * without end, and is that much or more.
 */
uint64_t latency_percentile(const struct latency *latency, unsigned percent, const uint64_t *max,
			    bool *ret_more);

#endif /* PMDAKVM_LATENCY_H */
