/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* The histograms of a metric: rows of one name that differ in their ranges, and common bounds. */
#ifndef PMDAKVM_EXPOSITION_BUCKETS_H
#define PMDAKVM_EXPOSITION_BUCKETS_H

#include <stdbool.h>

#include "metrics/metric_table.h"

/* The rows of one histogram: from first on, n. */
struct bucket_group {
	size_t first, n;
};

struct buckets {
	uint64_t *bounds; /* the last values of all buckets, ascending; without the unbounded one */
	size_t nbounds;
	struct bucket_group *groups; /* those with a value */
	size_t ngroups;
};

/*
 * Read the histograms of a place. Where two neighbouring bounds are powers of two but one, all such
 * powers between them are bounds as well: so they do not depend on which buckets have been hit.
 * Returns 0 or -ENOMEM.
 */
int buckets_read(const struct metric_place *place, struct buckets *ret_buckets);
void buckets_free(struct buckets *buckets);

/* The sum of a histogram's buckets that hold no value above the bound. */
uint64_t buckets_count(const struct metric_place *place, const struct bucket_group *group,
		       uint64_t bound);

/*
 * The sum of the values that a histogram of the table NAME_latency has sorted: column time in the
 * table NAME. *at: where to look first, see snapshot_table_find_row(). Returns whether it is known.
 */
bool buckets_time(const struct snapshot *snapshot, const struct metric_place *place,
		  const struct bucket_group *group, size_t *at, uint64_t *ret_time);

#endif /* PMDAKVM_EXPOSITION_BUCKETS_H */
