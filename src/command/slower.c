// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "command/slower.h"

#include <string.h>

#include "kvm/exit_reasons.h"
#include "metrics/snapshot_copy.h"

/* Tables that count exits, and those that have their histograms. */
static const struct {
	const char *counts, *latency;
} pairs[] = {
	{ "exit", "exit_latency" },
	{ "vm_exit", "vm_exit_latency" },
	{ "userspace_exit", "userspace_exit_latency" },
	{ "vm_userspace_exit", "vm_userspace_exit_latency" },
};

#define PAIRS (sizeof(pairs) / sizeof(pairs[0]))

uint64_t slower_bound(uint64_t ns)
{
	uint64_t bound = 1;

	while (bound < ns && bound <= UINT64_MAX / 2)
		bound *= 2;
	return bound;
}

static bool row_goes(const struct snapshot_table *table, size_t row, void *data)
{
	(void)table;
	(void)row;
	(void)data;
	return false;
}

/* The reason of a row. */
static const char *key_of(const struct snapshot_row *row)
{
	return row->name + row->owner_bytes + (row->owner_bytes ? strlen("::") : 0);
}

static bool bucket_is_kept(const struct snapshot_table *table, size_t at, void *data)
{
	const struct snapshot_row *row = &table->rows[at];
	const uint64_t *bound = data;

	return row->has_range && row->range.first >= *bound &&
	       !reasons_sleeps(key_of(row), row->key_bytes);
}

static bool is_counted(const struct snapshot_table *table, size_t row, void *data)
{
	int column = snapshot_table_column(table, "count");

	(void)data;
	return column >= 0 && snapshot_table_cell(table, row, (size_t)column)->number;
}

static struct snapshot_cell *cell_of(struct snapshot_table *table, size_t row, const char *name)
{
	int column = snapshot_table_column(table, name);

	return column < 0 ? NULL : snapshot_table_cell(table, row, (size_t)column);
}

/* Make a row's numbers those of no exit. */
static void row_clear(struct snapshot_table *counts, size_t row, uint64_t bound)
{
	struct snapshot_cell *count = cell_of(counts, row, "count");
	struct snapshot_cell *time = cell_of(counts, row, "time"),
			     *max = cell_of(counts, row, "max");

	if (count)
		snapshot_cell_set(count, 0);
	if (time)
		snapshot_cell_unset(time);
	if (max && (!max->present || max->number < bound))
		snapshot_cell_unset(max);
}

static void pair_apply(struct snapshot_table *counts, struct snapshot_table *latency,
		       uint64_t bound)
{
	size_t at = 0;

	for (size_t row = 0; row < counts->nrows; row++)
		row_clear(counts, row, bound);
	for (size_t row = 0; latency && row < latency->nrows; row++) {
		const struct snapshot_row *bucket = &latency->rows[row];
		size_t len = (size_t)(key_of(bucket) - bucket->name) + bucket->key_bytes;
		const struct snapshot_cell *from = cell_of(latency, row, "latency");
		int found = snapshot_table_find_row(counts, bucket->name, len, &at);

		/* the next bucket is mostly of the same row */
		at = found < 0 ? at : (size_t)found;
		if (found >= 0 && from && from->present && cell_of(counts, at, "count"))
			cell_of(counts, at, "count")->number += from->number;
	}
	snapshot_table_keep(counts, is_counted, NULL);
}

static bool is_of_pair(const char *name)
{
	for (size_t i = 0; i < PAIRS; i++) {
		if (strcmp(name, pairs[i].counts) == 0 || strcmp(name, pairs[i].latency) == 0)
			return true;
	}
	return false;
}

void slower_apply(uint64_t bound, struct snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->ntables; i++) {
		if (!is_of_pair(snapshot->tables[i]->name))
			snapshot_table_keep(snapshot->tables[i], row_goes, NULL);
	}
	for (size_t i = 0; i < PAIRS; i++) {
		struct snapshot_table *counts = snapshot_find_table(snapshot, pairs[i].counts);
		struct snapshot_table *latency = snapshot_find_table(snapshot, pairs[i].latency);

		if (latency)
			snapshot_table_keep(latency, bucket_is_kept, &bound);
		if (counts)
			pair_apply(counts, latency, bound);
	}
}
