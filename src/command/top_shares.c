// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "command/top_shares.h"

#include <stdio.h>
#include <string.h>

#include "metrics/metric_table.h"

struct top_place top_place(const struct snapshot *snapshot, const char *name)
{
	struct top_place place = { NULL, -1 };

	for (size_t i = 0; i < metrics_count; i++) {
		const struct metric *metric = &metrics[i];

		if (metric_is_subtree(metric) || strcmp(metric->name, name) != 0)
			continue;
		place.table = snapshot_find_table(snapshot, metric->table);
		if (place.table)
			place.column = snapshot_table_column(place.table, metric->column);
		break;
	}
	return place;
}

void top_times_find(const struct snapshot *snapshot, const char *time, const char *open,
		    struct top_times *ret_times)
{
	static const char *const names[TOP_ALL_SHARES] = {
		[TOP_GUEST] = "guest",	 [TOP_KVM] = "kvm",	[TOP_VMM] = "vmm",
		[TOP_HALTED] = "halted", [TOP_READY] = "ready", [TOP_UNKNOWN] = "unknown",
		[TOP_POLL] = "poll",
	};
	char name[64];

	for (int i = 0; i < TOP_ALL_SHARES; i++) {
		snprintf(name, sizeof(name), "%s.%s", time, names[i]);
		ret_times->times[i] = top_place(snapshot, name);
		snprintf(name, sizeof(name), "%s.%s", open, names[i]);
		ret_times->opens[i] = top_place(snapshot, name);
	}
	ret_times->summed = ret_times->opens[TOP_VMM].table != ret_times->times[TOP_VMM].table;
}

/* --- growth --- */

static double value_now(struct top_place place, size_t row)
{
	const struct snapshot_cell *cell = snapshot_table_cell(place.table, row,
							       (size_t)place.column);

	return cell->present ? (double)cell->number : 0;
}

/* By how much an open interval has grown; one that is not there is of 0 ns. */
static double open_growth(struct top_place place, bool summed, const struct rates *rates,
			  size_t row)
{
	double growth = 0;

	if (place.column < 0)
		return 0;
	if (!summed)
		return value_now(place, row) -
		       (double)rates_kept(rates, place.table, row, place.column);
	for (size_t i = 0; i < place.table->nrows; i++)
		growth += value_now(place, i);
	return growth - (double)rates_kept_sum(rates, place.table, place.column);
}

/* Take ns off a time as far as it goes. Returns the rest. */
static double time_take(struct grid_cell *cell, double ns)
{
	double taken = cell->number < ns ? cell->number : ns;

	cell->number -= taken;
	return ns - taken;
}

void top_times_get(const struct top_times *times, const struct rates *rates, size_t row,
		   struct grid_cell ret_cells[TOP_ALL_SHARES])
{
	double moved = 0;

	for (int i = 0; i < TOP_ALL_SHARES; i++) {
		struct top_place place = times->times[i];
		uint64_t growth = 0;
		bool known = place.column >= 0 && row < place.table->nrows &&
			     rates_growth(rates, place.table, row, place.column, &growth);
		double time = (double)growth;

		if (known)
			time += open_growth(times->opens[i], times->summed, rates, row);
		if (time < 0)
			moved -= time;
		ret_cells[i] = (struct grid_cell){ .known = known, .number = time < 0 ? 0 : time };
	}
	/* of the host it can also be a thread that has ended in its open interval */
	if (times->summed)
		return;
	moved = time_take(&ret_cells[TOP_READY], moved);
	time_take(&ret_cells[TOP_POLL], moved);
}

/* --- shares --- */

void top_shares_make(const struct grid_cell times[TOP_ALL_SHARES],
		     struct grid_cell ret_shares[TOP_ALL_SHARES])
{
	/* polling is in KVM, which may not be told from the guest */
	int with = times[TOP_KVM].known ? TOP_KVM : TOP_UNKNOWN;
	double sum = 0;

	for (int i = 0; i < TOP_ALL_SHARES; i++)
		sum += times[i].number;
	for (int i = 0; i < TOP_ALL_SHARES; i++) {
		ret_shares[i] = (struct grid_cell){ .known = times[i].known && sum > 0 };
		if (ret_shares[i].known)
			ret_shares[i].number = times[i].number / sum * 100;
	}
	ret_shares[with].number += ret_shares[TOP_POLL].number;
}

/* What rounding down has left goes to those that have lost most by it. */
void top_shares_round(struct grid_cell shares[TOP_SHARES])
{
	double lost[TOP_SHARES], sum = 0;

	for (int i = 0; i < TOP_SHARES; i++) {
		double whole = (double)(unsigned)(shares[i].number + 1e-9);

		lost[i] = shares[i].known ? shares[i].number - whole : -1;
		sum += lost[i] > 0 ? lost[i] : 0;
		shares[i].number = whole;
	}
	while (sum > 0.5) {
		int most = 0;

		for (int i = 1; i < TOP_SHARES; i++)
			most = lost[i] > lost[most] ? i : most;
		shares[most].number++;
		lost[most] = -1;
		sum--;
	}
}
