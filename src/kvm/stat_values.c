// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Arithmetic over all values of a list of statistics; see stat_schema.h. */
#include "kvm/stat_schema.h"

void stat_add(const struct stat_list *list, const uint64_t *values, bool cumulative, uint64_t *sum)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct statistic *stat = &list->list[i];
		uint32_t end = stat->first + stat->buckets;

		if (cumulative && !stat_is_cumulative(stat))
			continue;
		for (uint32_t value = stat->first; value < end; value++) {
			if (stat->kind != STAT_PEAK)
				sum[value] += values[value];
			else if (values[value] > sum[value])
				sum[value] = values[value];
		}
	}
}

bool stat_fell(const struct stat_list *list, const uint64_t *before, const uint64_t *now)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct statistic *stat = &list->list[i];

		for (uint32_t value = stat->first;
		     stat_is_cumulative(stat) && value < stat->first + stat->buckets; value++) {
			if (now[value] < before[value])
				return true;
		}
	}
	return false;
}

void stat_add_missing(const struct stat_list *list, const uint64_t *before, const uint64_t *values,
		      uint64_t *sum)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct statistic *stat = &list->list[i];

		for (uint32_t value = stat->first;
		     stat_is_cumulative(stat) && value < stat->first + stat->buckets; value++) {
			if (before[value] > values[value])
				sum[value] += before[value] - values[value];
		}
	}
}

void stat_take_larger(const struct stat_list *list, const uint64_t *before, uint64_t *values)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct statistic *stat = &list->list[i];

		for (uint32_t value = stat->first;
		     stat_is_cumulative(stat) && value < stat->first + stat->buckets; value++) {
			if (before[value] > values[value])
				values[value] = before[value];
		}
	}
}
