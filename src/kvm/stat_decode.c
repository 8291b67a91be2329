// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "kvm/stat_schema.h"

#include <string.h>

const struct statistic *stat_list_find(const struct stat_list *list, const char *name)
{
	for (size_t i = 0; i < list->n; i++) {
		if (strcmp(list->list[i].name, name) == 0)
			return &list->list[i];
	}
	return NULL;
}

/* Read a value of a rare size: 4, 2 or 1 bytes. */
static uint64_t value_read(const char *from, uint32_t size)
{
	uint32_t four;
	uint16_t two;

	switch (size) {
	case 4:
		memcpy(&four, from, sizeof(four));
		return four;
	case 2:
		memcpy(&two, from, sizeof(two));
		return two;
	}
	return (unsigned char)*from;
}

/* A member can be unaligned; memcpy() compiles to a plain load. */
void stat_decode(const struct stat_list *list, const void *member, uint64_t *ret_values)
{
	for (size_t n = 0; n < list->n; n++) {
		const struct statistic *stat = &list->list[n];
		const char *from = (const char *)member + stat->offset;
		uint64_t scale = stat_is_histogram(stat) ? 1 : stat->scale, value;
		uint64_t *to = ret_values + stat->first;

		if (stat->size == sizeof(value)) {
			for (uint32_t i = 0; i < stat->buckets; i++) {
				memcpy(&value, from + i * sizeof(value), sizeof(value));
				to[i] = value * scale;
			}
			continue;
		}
		for (uint32_t i = 0; i < stat->buckets; i++)
			to[i] = value_read(from + (size_t)i * stat->size, stat->size) * scale;
	}
}

/* The lowest value that the kernel sorts into a bucket; false if it is unknown. */
static bool bucket_from(const struct statistic *stat, uint32_t bucket, uint64_t *ret_from)
{
	if (stat->kind == STAT_LINEAR_HIST)
		return stat->bucket_size &&
		       !__builtin_mul_overflow(stat->bucket_size, bucket, ret_from);
	/*
	 * the bucket is the number of the highest set bit, counted from 1; bucket 0 is for the
	 * value 0
	 */
	if (stat->kind != STAT_LOG_HIST || bucket > 64)
		return false;
	*ret_from = bucket ? UINT64_C(1) << (bucket - 1) : 0;
	return true;
}

/* The highest value that the kernel sorts into a bucket; false if it is unknown. */
static bool bucket_to(const struct statistic *stat, uint32_t bucket, uint64_t *ret_to)
{
	uint64_t next;

	if (stat->kind == STAT_LOG_HIST && bucket == 64) {
		*ret_to = UINT64_MAX;
		return true;
	}
	if (!bucket_from(stat, bucket + 1, &next))
		return false;
	*ret_to = next - 1;
	return true;
}

/*
 * Convert to the statistic's units and add more; false on overflow. The kernel truncates values to
 * whole units of its own, so a bucket's highest value, scaled, extends up to the next unit.
 */
static bool to_units(const struct statistic *stat, uint64_t value, uint64_t more,
		     uint64_t *ret_value)
{
	return !__builtin_mul_overflow(value, stat->scale, ret_value) &&
	       !__builtin_add_overflow(*ret_value, more, ret_value);
}

bool stat_bucket_range(const struct statistic *stat, uint32_t bucket,
		       struct snapshot_range *ret_range)
{
	bool is_last = bucket >= stat->buckets - 1;
	uint64_t first, last = UINT64_MAX;

	if (!bucket_from(stat, bucket, &first) || !to_units(stat, first, 0, &first) ||
	    (!is_last &&
	     (!bucket_to(stat, bucket, &last) || !to_units(stat, last, stat->scale - 1, &last))))
		return false;
	*ret_range = (struct snapshot_range){ first, last };
	return true;
}
