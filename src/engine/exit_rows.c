// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Rows of reasons and of their buckets, whoever they belong to. */
#include "engine/exit_common.h"
#include "engine/time_buckets.h"

int exits_want_reason(struct exits *exits, unsigned slot, uint32_t number, struct table_sync *sync)
{
	return table_want(sync, &(struct table_key){
					.key = slot,
					.name = reason_slots_name(&exits->counters.slots, slot),
					.number = number,
				});
}

int exits_want_bucket(struct exits *exits, unsigned slot, unsigned bucket, uint32_t number,
		      struct table_sync *sync)
{
	struct snapshot_range range = time_bucket_range(bucket);

	return table_want(sync, &(struct table_key){
					.key = slot << EXIT_BUCKET_BITS | bucket,
					.name = reason_slots_name(&exits->counters.slots, slot),
					.range = &range,
					.number = number,
				});
}

void exits_sums_fill(const struct table_row *row, const struct slot_sums *sums)
{
	snapshot_cell_set(&row->cells[REASON_COUNT], sums->count);
	snapshot_cell_set(&row->cells[REASON_TIME], sums->time);
	if (sums->max)
		snapshot_cell_set(&row->cells[REASON_MAX], sums->max);
}
