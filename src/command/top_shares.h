/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* How vCPUs' time is shared between two readings, with the intervals that no event has ended yet.
 */
#ifndef PMDAKVM_TOP_SHARES_H
#define PMDAKVM_TOP_SHARES_H

#include "command/grid.h"
#include "command/rates.h"

/* In the order of the screen, whose KVM includes polling. */
enum top_share {
	TOP_GUEST,
	TOP_KVM,
	TOP_VMM,
	TOP_HALTED,
	TOP_READY,
	TOP_UNKNOWN,
	TOP_SHARES,
	TOP_POLL = TOP_SHARES,
	TOP_ALL_SHARES,
};

/* Where a metric is in the snapshot; column -1: nowhere. */
struct top_place {
	const struct snapshot_table *table;
	int column;
};

struct top_place top_place(const struct snapshot *snapshot, const char *metric);

/* Where the times of a row are: times of counters, opens of intervals that are open. */
struct top_times {
	struct top_place times[TOP_ALL_SHARES], opens[TOP_ALL_SHARES];
	bool summed; /* opens are those of all rows: the host has none of its own */
};

/* The metrics TIME.guest, TIME.kvm ... and OPEN.guest, OPEN.kvm ... */
void top_times_find(const struct snapshot *snapshot, const char *time, const char *open,
		    struct top_times *ret_times);

/*
 * By how many ns each has grown since it was kept: what is open now was not all open then. What an
 * interval that has ended turns out to have been, ready or polling, is not counted a second time:
 * none is below 0, and the sum is the time that has passed.
 */
void top_times_get(const struct top_times *times, const struct rates *rates, size_t row,
		   struct grid_cell ret_cells[TOP_ALL_SHARES]);

/* Their shares, per cent. Those of the screen's order add up to 100; else none is known. */
void top_shares_make(const struct grid_cell times[TOP_ALL_SHARES],
		     struct grid_cell ret_shares[TOP_ALL_SHARES]);

/* Round the shares of the screen's order to whole numbers that add up to 100. */
void top_shares_round(struct grid_cell shares[TOP_SHARES]);

#endif /* PMDAKVM_TOP_SHARES_H */
