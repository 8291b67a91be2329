// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Shares of vCPUs' time between two readings, with intervals that are open. */
#include "fakes/support.h"

#include <stdlib.h>

#include "command/top_shares.h"

/* Columns, each with its metric's name in THE table; one per state, and one per open one. */
static const char *const times[TOP_ALL_SHARES] = {
	[TOP_GUEST] = "guest",	 [TOP_KVM] = "kvm",	[TOP_VMM] = "vmm",
	[TOP_HALTED] = "halted", [TOP_READY] = "ready", [TOP_UNKNOWN] = "unknown",
	[TOP_POLL] = "poll",
};
static const char *const opens[TOP_ALL_SHARES] = {
	[TOP_GUEST] = "open_guest",   [TOP_KVM] = "open_kvm",	      [TOP_VMM] = "open_vmm",
	[TOP_HALTED] = "open_halted", [TOP_UNKNOWN] = "open_unknown",
};

/* A row of tens of ms, by state; -1: no value. */
struct row {
	int time[TOP_ALL_SHARES], open[TOP_ALL_SHARES];
};

static struct snapshot snapshot;
static struct snapshot_table *host, *vms;
static struct rates rates;

static void columns_add(struct snapshot_table *table, const char *const names[])
{
	for (int i = 0; i < TOP_ALL_SHARES; i++) {
		if (names[i])
			assert_int_equal(snapshot_table_add_column(table, names[i]), 0);
	}
}

static int setup(void **state)
{
	(void)state;
	snapshot = (struct snapshot){ 0 };
	rates = (struct rates){ .now = 2 };
	if (snapshot_add_table(&snapshot, "time", &host) ||
	    snapshot_add_table(&snapshot, "vm_time", &vms))
		return -1;
	columns_add(host, times);
	columns_add(vms, times);
	columns_add(vms, opens);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rates_free(&rates);
	snapshot_free(&snapshot);
	return 0;
}

static void cells_set(struct snapshot_table *table, size_t row, const char *const names[],
		      const int numbers[])
{
	for (int i = 0; i < TOP_ALL_SHARES; i++) {
		int column = names[i] ? snapshot_table_column(table, names[i]) : -1;
		struct snapshot_cell *cell;

		if (column < 0)
			continue;
		cell = snapshot_table_cell(table, row, (size_t)column);
		if (numbers[i] < 0)
			snapshot_cell_unset(cell);
		else
			snapshot_cell_set(cell, (uint64_t)numbers[i] * 10000000);
	}
}

static void row_set(struct snapshot_table *table, size_t row, const struct row *numbers)
{
	struct snapshot_name parts = { .owner = row ? "db-2" : "web-1" };
	struct snapshot_row added;

	if (row == table->nrows) {
		assert_int_equal(snapshot_row_init(&added, &parts), 0);
		assert_int_equal(snapshot_table_add_row(table, &added), 0);
	}
	cells_set(table, row, times, numbers->time);
	cells_set(table, row, opens, numbers->open);
}

static void keep(void)
{
	assert_int_equal(rates_keep(&rates, &snapshot, UINT64_MAX, 1), 0);
}

/* The shares of a row, whole; -1: not known. */
static void shares_get(const char *time, size_t row, int ret_shares[TOP_SHARES])
{
	struct grid_cell grown[TOP_ALL_SHARES], shares[TOP_ALL_SHARES];
	struct top_times places;

	top_times_find(&snapshot, time, "kvm.vm.open", &places);
	top_times_get(&places, &rates, row, grown);
	top_shares_make(grown, shares);
	top_shares_round(shares);
	for (int i = 0; i < TOP_SHARES; i++)
		ret_shares[i] = shares[i].known ? (int)shares[i].number : -1;
}

/* Two readings of a VM, and its shares. */
struct scenario {
	struct row before, after;
	int shares[TOP_SHARES];
};

#define NONE -1, -1, -1, -1, -1, -1, -1

static const struct scenario scenarios[] = {
	/* closed intervals alone; polling is in KVM */
	{ { .time = { 5 }, .open = { NONE } },
	  { .time = { 45, 10, 10, 10, 20, 0, 10 }, .open = { NONE } },
	  { 40, 20, 10, 10, 20, 0 } },
	/* it sleeps since long before, and no event comes */
	{ { .time = { 5, 1 }, .open = { [TOP_HALTED] = 3000 } },
	  { .time = { 5, 1 }, .open = { [TOP_HALTED] = 3100 } },
	  { 0, 0, 0, 100, 0, 0 } },
	/* it begins to sleep: there was no open interval, or one of another state */
	{ { .time = { 5, 1 }, .open = { NONE } },
	  { .time = { 30, 1 }, .open = { [TOP_HALTED] = 75 } },
	  { 25, 0, 0, 75, 0, 0 } },
	{ { .time = { 5, 1 }, .open = { 10 } },
	  { .time = { 40, 1 }, .open = { [TOP_VMM] = 75 } },
	  { 25, 0, 75, 0, 0, 0 } },
	/* it wakes: what was open before is not this interval's */
	{ { .time = { 5, 1, 0, 7 }, .open = { [TOP_HALTED] = 3000 } },
	  { .time = { 65, 1, 0, 3047 }, .open = { 0 } },
	  { 60, 0, 0, 40, 0, 0 } },
	/* of 3 s asleep the last 2 turn out to have been waiting for a CPU: 0.5 were this
	   interval's */
	{ { .time = { 5 }, .open = { [TOP_HALTED] = 250 } },
	  { .time = { 55, 0, 0, 100, 200 }, .open = { NONE } },
	  { 50, 0, 0, 0, 50, 0 } },
	/* or polling, which is KVM's */
	{ { .time = { 5 }, .open = { [TOP_HALTED] = 10 } },
	  { .time = { 85, 0, 0, 0, 0, 0, 30 }, .open = { NONE } },
	  { 80, 20, 0, 0, 0, 0 } },
	/* PVM: neither guest nor KVM, whatever it does */
	{ { .time = { -1, -1, 0, 0, 0, 5, 0 }, .open = { -1, -1, 0, 0, -1, 100 } },
	  { .time = { -1, -1, 0, 0, 0, 5, 0 }, .open = { -1, -1, 0, 0, -1, 200 } },
	  { -1, -1, 0, 0, 0, 100 } },
	{ { .time = { -1, -1, 0, 0, 0, 5, 0 }, .open = { NONE } },
	  { .time = { -1, -1, 0, 50, 0, 30, 25 }, .open = { NONE } },
	  { -1, -1, 0, 50, 0, 50 } },
	/* no run_delay: it has no value, and the others add up */
	{ { .time = { 0, 0, 0, 0, -1 }, .open = { NONE } },
	  { .time = { 1, 1, 1, 0, -1 }, .open = { NONE } },
	  { 34, 33, 33, 0, -1, 0 } },
	/* detached between the two: nothing has passed */
	{ { .time = { 5 }, .open = { [TOP_HALTED] = 3000 } },
	  { .time = { 5 }, .open = { NONE } },
	  { -1, -1, -1, -1, -1, -1 } },
};

static void test_scenarios(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
		const struct scenario *scenario = &scenarios[i];
		int shares[TOP_SHARES];

		row_set(vms, 0, &scenario->before);
		keep();
		row_set(vms, 0, &scenario->after);
		shares_get("kvm.vm.time", 0, shares);
		for (int j = 0; j < TOP_SHARES; j++) {
			if (shares[j] != scenario->shares[j])
				fail_msg("scenario %zu: %s: %d, not %d", i, times[j], shares[j],
					 scenario->shares[j]);
		}
	}
}

/* The host has the sum of all VMs' open intervals: one sleeps, the other ends in the VMM. */
static void test_host(void **state)
{
	struct row row = { .time = { 5 }, .open = { [TOP_HALTED] = 3000 } };
	struct row other = { .open = { [TOP_VMM] = 500 } };
	int shares[TOP_SHARES], wanted[TOP_SHARES] = { 0, 0, 0, 75, 25, 0 };

	(void)state;
	row_set(vms, 0, &row);
	row_set(vms, 1, &other);
	row_set(host, 0, &row);
	keep();
	row.open[TOP_HALTED] = 3075;
	row.time[TOP_READY] = 25;
	other.open[TOP_VMM] = -1;
	row_set(vms, 0, &row);
	row_set(vms, 1, &other);
	row_set(host, 0, &row);
	shares_get("kvm.time", 0, shares);
	assert_memory_equal(shares, wanted, sizeof(wanted));
}

/* Whatever is read, a line adds up to 100, or is not known. */
static void test_any(void **state)
{
	(void)state;
	srand(20261127);
	for (int round = 0; round < 1000; round++) {
		struct row row;
		int shares[TOP_SHARES], sum = 0;

		for (int i = 0; i < TOP_ALL_SHARES; i++) {
			row.time[i] = rand() % 50;
			row.open[i] = rand() % 50 - 10;
			if (row.open[i] < 0)
				row.open[i] = -1;
		}
		row_set(vms, 0, &row);
		keep();
		for (int i = 0; i < TOP_ALL_SHARES; i++) {
			row.time[i] += rand() % 3 ? 0 : rand() % 1000;
			row.open[i] = rand() % 2 ? rand() % 100 : row.open[i];
		}
		row_set(vms, 0, &row);
		shares_get("kvm.vm.time", 0, shares);
		for (int i = 0; i < TOP_SHARES; i++) {
			assert_true(shares[i] >= -1);
			sum += shares[i];
		}
		assert_true(sum == 100 || sum == -TOP_SHARES);
	}
}

#define shares_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		shares_test(test_scenarios),
		shares_test(test_host),
		shares_test(test_any),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
