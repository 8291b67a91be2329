// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "command/exposition_buckets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Powers of two between two bounds. */
#define POWERS 64

/* The length of a row's name without its range. */
static size_t name_len(const struct snapshot_row *row)
{
	return row->owner_bytes + row->key_bytes +
	       (row->owner_bytes && row->key_bytes ? strlen("::") : 0);
}

static bool is_same(const struct snapshot_row *a, const struct snapshot_row *b)
{
	return name_len(a) == name_len(b) && memcmp(a->name, b->name, name_len(a)) == 0;
}

static const struct snapshot_cell *cell_of(const struct metric_place *place, size_t row)
{
	return snapshot_table_cell(place->table, row, place->column);
}

static bool is_value(const struct metric_place *place, size_t row)
{
	const struct snapshot_cell *cell = cell_of(place, row);

	return cell->present && !cell->text && place->table->rows[row].has_range;
}

static int bound_compare(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return (a > b) - (a < b);
}

/* Is it a power of two but one, such as 4095? */
static bool is_power(uint64_t bound)
{
	return (bound & (bound + 1)) == 0;
}

/* Sort the bounds, and make each one unique. */
static void bounds_sort(struct buckets *buckets)
{
	size_t n = 0;

	qsort(buckets->bounds, buckets->nbounds, sizeof(*buckets->bounds), bound_compare);
	for (size_t i = 0; i < buckets->nbounds; i++) {
		if (!n || buckets->bounds[n - 1] != buckets->bounds[i])
			buckets->bounds[n++] = buckets->bounds[i];
	}
	buckets->nbounds = n;
}

/* There is room for POWERS more. */
static void bounds_fill(struct buckets *buckets)
{
	size_t n = buckets->nbounds;

	for (size_t i = 0; i + 1 < n; i++) {
		uint64_t bound = buckets->bounds[i], end = buckets->bounds[i + 1];

		if (!is_power(bound) || !is_power(end))
			continue;
		for (bound = bound * 2 + 1; bound < end; bound = bound * 2 + 1)
			buckets->bounds[buckets->nbounds++] = bound;
	}
	bounds_sort(buckets);
}

static void groups_read(const struct metric_place *place, struct buckets *buckets)
{
	const struct snapshot_row *rows = place->table->rows;
	size_t end;

	for (size_t row = 0; row < place->table->nrows; row = end) {
		bool any = false;

		for (end = row; end < place->table->nrows && is_same(&rows[row], &rows[end]); end++)
			any |= is_value(place, end);
		if (any)
			buckets->groups[buckets->ngroups++] = (struct bucket_group){ row,
										     end - row };
	}
}

int buckets_read(const struct metric_place *place, struct buckets *ret_buckets)
{
	size_t nrows = place->table->nrows;
	struct buckets buckets = {
		.bounds = calloc(nrows + POWERS, sizeof(*buckets.bounds)),
		.groups = calloc(nrows + 1, sizeof(*buckets.groups)),
	};

	if (!buckets.bounds || !buckets.groups) {
		buckets_free(&buckets);
		return -ENOMEM;
	}
	for (size_t row = 0; row < nrows; row++) {
		uint64_t last = place->table->rows[row].range.last;

		if (is_value(place, row) && last != UINT64_MAX)
			buckets.bounds[buckets.nbounds++] = last;
	}
	bounds_sort(&buckets);
	bounds_fill(&buckets);
	groups_read(place, &buckets);
	*ret_buckets = buckets;
	return 0;
}

void buckets_free(struct buckets *buckets)
{
	free(buckets->bounds);
	free(buckets->groups);
	*buckets = (struct buckets){ 0 };
}

uint64_t buckets_count(const struct metric_place *place, const struct bucket_group *group,
		       uint64_t bound)
{
	uint64_t count = 0;

	for (size_t row = group->first; row < group->first + group->n; row++) {
		if (is_value(place, row) && place->table->rows[row].range.last <= bound)
			count += cell_of(place, row)->number;
	}
	return count;
}

bool buckets_time(const struct snapshot *snapshot, const struct metric_place *place,
		  const struct bucket_group *group, size_t *at, uint64_t *ret_time)
{
	static const char end[] = "_latency";
	const struct snapshot_row *bucket = &place->table->rows[group->first];
	const struct snapshot_table *table;
	size_t len = strlen(place->table->name);
	const struct snapshot_cell *cell;
	char name[64];
	int column, row;

	if (len <= strlen(end) || len >= sizeof(name) ||
	    strcmp(place->table->name + len - strlen(end), end) != 0)
		return false;
	snprintf(name, sizeof(name), "%.*s", (int)(len - strlen(end)), place->table->name);
	table = snapshot_find_table(snapshot, name);
	column = table ? snapshot_table_column(table, "time") : -1;
	row = column < 0 ? -1 : snapshot_table_find_row(table, bucket->name, name_len(bucket), at);
	if (row < 0)
		return false;
	cell = snapshot_table_cell(table, (size_t)row, (size_t)column);
	*ret_time = cell->number;
	return cell->present && !cell->text;
}
