// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/fake_vms.h"

#include <string.h>

static int setup(void **state)
{
	(void)state;
	return fake_layout(&layout);
}

static int teardown(void **state)
{
	(void)state;
	stat_layout_free(&layout);
	return 0;
}

static void assert_values(const uint64_t *values, const uint64_t *expected)
{
	for (int i = 0; i < VM_VALUES; i++)
		assert_int_equal(values[i], expected[i]);
}

/* Counters, gauges and buckets are added; peaks are maximized. */
static void test_add(void **state)
{
	static const uint64_t one[VM_VALUES] = { 2, 3, 5, 7, 11, 13, 0, 0, 0, 17 };
	static const uint64_t two[VM_VALUES] = { 19, 23, 29, 31, 10, 37, 0, 41, 0, 43 };
	static const uint64_t both[VM_VALUES] = { 21, 26, 34, 38, 11, 50, 0, 41, 0, 60 };
	uint64_t sum[VM_VALUES] = { 0 };

	(void)state;
	stat_add(&layout.vm, one, false, sum);
	assert_values(sum, one);
	stat_add(&layout.vm, two, false, sum);
	assert_values(sum, both);
}

/* Of a destroyed VM only cumulative statistics count. */
static void test_add_cumulative(void **state)
{
	static const uint64_t one[VM_VALUES] = { 2, 3, 5, 7, 11, 13, 0, 0, 0, 17 };
	static const uint64_t left[VM_VALUES] = { 3, 4, 6, 1, 1, 14, 1, 1, 1, 18 };
	uint64_t sum[VM_VALUES] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };

	(void)state;
	stat_add(&layout.vm, one, true, sum);
	assert_values(sum, left);
}

static void test_fell(void **state)
{
	static const bool grows[VM_VALUES] = {
		[VM_FLUSH] = true,    [VM_COUNT] = true,    [VM_BOTH] = true,
		[VM_HIST] = true,     [VM_HIST + 1] = true, [VM_HIST + 2] = true,
		[VM_HIST + 3] = true, [VM_HIST + 4] = true,
	};

	(void)state;
	for (int i = 0; i < VM_VALUES; i++) {
		uint64_t before[VM_VALUES], now[VM_VALUES];

		for (int j = 0; j < VM_VALUES; j++)
			before[j] = now[j] = 5;
		assert_false(stat_fell(&layout.vm, before, now));
		now[i] = UINT64_MAX;
		assert_false(stat_fell(&layout.vm, before, now));
		now[i] = 4;
		assert_int_equal(stat_fell(&layout.vm, before, now), grows[i]);
	}
}

/* Only cumulative statistics, and only the missing amount. */
static void test_add_missing(void **state)
{
	static const uint64_t before[VM_VALUES] = { 9, 9, 9, 9, 9, 9, 9, 9, 9, 9 };
	static const uint64_t values[VM_VALUES] = { 2, 9, 10, 1, 1, 3, 9, 10, 0, 8 };
	static const uint64_t expected[VM_VALUES] = { 8, 1, 1, 1, 1, 7, 1, 1, 10, 2 };
	uint64_t sum[VM_VALUES] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };

	(void)state;
	stat_add_missing(&layout.vm, before, values, sum);
	assert_values(sum, expected);
}

static void test_nothing(void **state)
{
	struct stat_list none = { 0 };
	uint64_t sum = 5, zero = 0;

	(void)state;
	stat_add(&none, &zero, false, &sum);
	stat_add_missing(&none, &sum, &zero, &sum);
	assert_false(stat_fell(&none, &sum, &zero));
	assert_int_equal(sum, 5);
}

#define values_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		values_test(test_add),	   values_test(test_add_cumulative),
		values_test(test_fell),	   values_test(test_add_missing),
		values_test(test_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
