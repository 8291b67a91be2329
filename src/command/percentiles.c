// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "command/percentiles.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int bucket_compare(const void *a, const void *b)
{
	const struct histogram_bucket *left = a, *right = b;

	return (left->first > right->first) - (left->first < right->first);
}

/* Returns whether the row is a bucket of the histogram with this key, of no owner. */
static bool row_is_of(const struct snapshot_row *row, const char *key)
{
	return row->has_range && !row->owner_bytes && strlen(key) == row->key_bytes &&
	       strncmp(row->name, key, row->key_bytes) == 0;
}

static int bucket_read(const struct snapshot_table *table, size_t row, int column,
		       struct histogram *latency)
{
	const struct snapshot_cell *cell = snapshot_table_cell(table, row, (size_t)column);
	const struct snapshot_range *range = &table->rows[row].range;

	if (!cell->present || cell->text)
		return -EINVAL;
	if (cell->number)
		latency->buckets[latency->n++] =
			(struct histogram_bucket){ range->first, range->last, cell->number };
	return 0;
}

static int buckets_order(struct histogram *latency)
{
	qsort(latency->buckets, latency->n, sizeof(*latency->buckets), bucket_compare);
	for (size_t i = 1; i < latency->n; i++) {
		if (latency->buckets[i].first <= latency->buckets[i - 1].last)
			return -EINVAL;
	}
	return latency->n ? 0 : -ENODATA;
}

int histogram_read(const struct snapshot_table *table, const char *name,
		   struct histogram *ret_latency)
{
	int column = table ? snapshot_table_column(table, "latency") : -1, err = 0;
	struct histogram latency = { 0 };
	size_t n = 0;

	for (size_t row = 0; column >= 0 && row < table->nrows; row++)
		n += row_is_of(&table->rows[row], name);
	if (!n)
		return -ENODATA;
	latency.buckets = calloc(n, sizeof(*latency.buckets));
	if (!latency.buckets)
		return -ENOMEM;
	for (size_t row = 0; !err && row < table->nrows; row++) {
		if (row_is_of(&table->rows[row], name))
			err = bucket_read(table, row, column, &latency);
	}
	if (!err)
		err = buckets_order(&latency);
	if (err)
		histogram_free(&latency);
	else
		*ret_latency = latency;
	return err;
}

void histogram_free(struct histogram *latency)
{
	free(latency->buckets);
	*latency = (struct histogram){ 0 };
}

uint64_t histogram_percentile(const struct histogram *latency, unsigned percent,
			      const uint64_t *max, bool *ret_more)
{
	const struct histogram_bucket *bucket = latency->buckets;
	unsigned __int128 all = 0, rank;
	uint64_t last;

	for (size_t i = 0; i < latency->n; i++)
		all += latency->buckets[i].count;
	rank = (all * percent + 99) / 100;
	/* find the bucket of the value of that rank; rank becomes relative to the bucket */
	for (; rank > bucket->count; bucket++)
		rank -= bucket->count;
	last = bucket->last;
	/* a max below the bucket is from a later epoch */
	if (max && *max >= bucket->first && *max <= last)
		last = *max;
	*ret_more = last == UINT64_MAX;
	if (*ret_more)
		return bucket->first;
	return bucket->first + (uint64_t)((last - bucket->first) * rank / bucket->count);
}
