/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Computes percentiles of a histogram in a snapshot. Its buckets are the rows with its key and a
 * range; the column latency has their counts, which are not cumulative.
 */
#ifndef PMDAKVM_LATENCY_H
#define PMDAKVM_LATENCY_H

#include <stdbool.h>

#include "metrics/snapshot.h"

struct latency_bucket {
	uint64_t first, last; /* both inclusive; last UINT64_MAX: unbounded */
	uint64_t count;	      /* greater than 0 */
};

struct latency {
	struct latency_bucket *buckets; /* ascending, without overlaps */
	size_t n;
};

/*
 * Read the buckets of that name whose count is above 0. table may be NULL. Returns 0; -ENODATA if
 * there are none; -ENOMEM; or -EINVAL if a bucket has no number, is malformed, or overlaps
 * another.
 */
int latency_read(const struct snapshot_table *table, const char *name, struct latency *ret_latency);
void latency_free(struct latency *latency);

/*
 * The value that at least percent (1 to 100) of the values do not exceed. Assumes values spread
 * evenly in their bucket, so the error is at most the bucket's width. max, the greatest value
 * (NULL: unknown), replaces the end of the bucket that contains it. *ret_more: the value is in an
 * unbounded bucket, and the result is a lower bound.
 */
uint64_t latency_percentile(const struct latency *latency, unsigned percent, const uint64_t *max,
			    bool *ret_more);

#endif /* PMDAKVM_LATENCY_H */
