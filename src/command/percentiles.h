/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Computes percentiles of a histogram in a snapshot. Its buckets are the rows with its key and a
 * range; the column latency has their counts, which are not cumulative.
 */
#ifndef PMDAKVM_PERCENTILES_H
#define PMDAKVM_PERCENTILES_H

#include <stdbool.h>

#include "metrics/snapshot.h"

struct histogram_bucket {
	uint64_t first, last; /* both inclusive; last UINT64_MAX: unbounded */
	uint64_t count;	      /* greater than 0 */
};

struct histogram {
	struct histogram_bucket *buckets; /* ascending, without overlaps */
	size_t n;
};

/*
 * Read the buckets of that name whose count is above 0. table may be NULL. Returns 0; -ENODATA if
 * there are none; -ENOMEM; or -EINVAL if a bucket has no number, is malformed, or overlaps
 * another.
 */
int histogram_read(const struct snapshot_table *table, const char *name,
		   struct histogram *ret_latency);
void histogram_free(struct histogram *latency);

/*
 * The value that at least percent (1 to 100) of the values do not exceed. Assumes values spread
 * evenly in their bucket, so the error is at most the bucket's width. max, the greatest value
 * (NULL: unknown), replaces the end of the bucket that contains it. *ret_more: the value is in an
 * unbounded bucket, and the result is a lower bound.
 */
uint64_t histogram_percentile(const struct histogram *latency, unsigned percent,
			      const uint64_t *max, bool *ret_more);

#endif /* PMDAKVM_PERCENTILES_H */
