// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/support.h"

#include <errno.h>
#include <string.h>

#include "command/percentiles.h"

static struct snapshot snapshot;
static const struct snapshot_table *table;

/* Load a snapshot with these rows of a histogram. */
static int try_load(const char *rows)
{
	char text[2048];
	unsigned line;
	int err;

	snprintf(text, sizeof(text),
		 "pmdakvm-snapshot\t2\ntable\texit_latency\ncolumn\tother\ncolumn\tlatency\n%s",
		 rows);
	snapshot_free(&snapshot);
	err = snapshot_bytes_load(text, strlen(text), &snapshot, &line);
	table = snapshot_find_table(&snapshot, "exit_latency");
	return err;
}

static void load(const char *rows)
{
	assert_int_equal(try_load(rows), 0);
}

static int teardown(void **state)
{
	(void)state;
	snapshot_free(&snapshot);
	return 0;
}

static int load_bucket(const char *range)
{
	char row[128];

	snprintf(row, sizeof(row), "row\t0\t\thlt\t%s\t-\t7\n", range);
	return try_load(row);
}

static void assert_bucket(const char *range, uint64_t first, uint64_t last)
{
	struct histogram latency;

	assert_int_equal(load_bucket(range), 0);
	assert_int_equal(histogram_read(table, "hlt", &latency), 0);
	assert_int_equal(latency.n, 1);
	assert_int_equal(latency.buckets[0].first, first);
	assert_int_equal(latency.buckets[0].last, last);
	assert_int_equal(latency.buckets[0].count, 7);
	histogram_free(&latency);
}

/* The bounds of a bucket in a saved snapshot. */
static void test_bounds_of_buckets(void **state)
{
	static const char *const bad[] = {
		"",
		"+",
		"x",
		"7",
		"1x",
		"-1",
		"1-",
		"1--2",
		"2-1",
		"1+",
		"1+2",
		"1++",
		" 1-2",
		"1-2 ",
		"1 -2",
		"1- 2",
		"1-2-3",
		"0x10-0x11",
		"18446744073709551616-18446744073709551616",
		"1-99999999999999999999",
	};

	(void)state;
	assert_bucket("0-0", 0, 0);
	assert_bucket("1-1", 1, 1);
	assert_bucket("2-3", 2, 3);
	assert_bucket("4096-8191", 4096, 8191);
	assert_bucket("2147483648-18446744073709551615", UINT64_C(1) << 31, UINT64_MAX);
	assert_bucket("18446744073709551615-18446744073709551615", UINT64_MAX, UINT64_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(load_bucket(bad[i]), -EINVAL);
}

/* Rows come in any order; those of VMs, of other reasons and without a range do not count. */
static void test_reading(void **state)
{
	struct histogram latency;

	(void)state;
	load("row\t0\t\thlt\t4096-8191\t-\t7\nrow\t1\t\thlt\t0-0\t5\t3\n"
	     "row\t2\t\thl\t1-1\t-\t9\nrow\t3\t\thlt2\t1-1\t-\t9\n"
	     "row\t4\tweb\thlt\t1-1\t-\t9\nrow\t5\t\thlt\t2-3\t-\t0\n"
	     "row\t6\t\tDE excp\t64-127\t-\t1\nrow\t7\t\thlt\t-\t-\t9\n"
	     "row\t8\thlt\t\t1-1\t-\t9\nrow\t9\t\tweb::hlt\t8-15\t-\t4\n"
	     "row\t10\t\t\t1-1\t-\t9\nrow\t11\thlt\tweb\t1-1\t-\t9\n");
	assert_int_equal(histogram_read(table, "hlt", &latency), 0);
	assert_int_equal(latency.n, 2);
	assert_int_equal(latency.buckets[0].first, 0);
	assert_int_equal(latency.buckets[0].count, 3);
	assert_int_equal(latency.buckets[1].last, 8191);
	assert_int_equal(latency.buckets[1].count, 7);
	histogram_free(&latency);
	assert_null(latency.buckets);
	histogram_free(&latency);
	assert_int_equal(histogram_read(table, "DE excp", &latency), 0);
	assert_int_equal(latency.n, 1);
	histogram_free(&latency);
	assert_int_equal(histogram_read(table, "web::hlt", &latency), 0);
	assert_int_equal(latency.n, 1);
	assert_int_equal(latency.buckets[0].count, 4);
	histogram_free(&latency);
}

static void test_what_cannot_be_read(void **state)
{
	static const struct {
		const char *rows;
		int err;
	} cases[] = {
		{ "", -ENODATA },
		{ "row\t0\t\thlt2\t0-0\t-\t7\n", -ENODATA },
		{ "row\t0\t\thlt\t0-0\t-\t0\nrow\t1\t\thlt\t1-1\t-\t0\n", -ENODATA },
		{ "row\t0\t\thlt\t0-0\t7\t-\n", -EINVAL },
		{ "row\t0\t\thlt\t0-0\t7\t'7\n", -EINVAL },
		{ "row\t0\t\thlt\t0-0\t-\t7\nrow\t1\t\thlt\t0-0\t-\t7\n", -EINVAL },
		{ "row\t0\t\thlt\t8-15\t-\t7\nrow\t1\t\thlt\t4-8\t-\t7\n", -EINVAL },
		{ "row\t0\t\thlt\t1-18446744073709551615\t-\t7\n"
		  "row\t1\t\thlt\t4-8\t-\t7\n",
		  -EINVAL },
	};
	struct histogram latency;

	(void)state;
	untouched_fill(&latency, sizeof(latency));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		load(cases[i].rows);
		assert_int_equal(histogram_read(table, "hlt", &latency), cases[i].err);
	}
	assert_int_equal(histogram_read(NULL, "hlt", &latency), -ENODATA);
	load("row\t0\t\thlt\t0-0\t-\t7\n");
	alloc_fail_at(0);
	assert_int_equal(histogram_read(table, "hlt", &latency), -ENOMEM);
	assert_true(alloc_failed());
	assert_untouched(&latency, sizeof(latency));
}

static void assert_percentile(const struct histogram *latency, unsigned percent,
			      const uint64_t *max, uint64_t value, bool more)
{
	bool found_more = !more;

	assert_int_equal(histogram_percentile(latency, percent, max, &found_more), value);
	assert_int_equal(found_more, more);
}

/* The value of rank ceil(n * percent / 100), interpolated in its bucket. */
static void test_percentiles(void **state)
{
	struct histogram_bucket buckets[] = {
		{ 0, 0, 1 }, { 64, 127, 9 }, { 128, 255, 89 }, { 1024, 2047, 1 }
	};
	const struct histogram latency = { buckets, ARRAY_SIZE(buckets) };
	const struct histogram one = { buckets, 1 };

	(void)state;
	assert_percentile(&latency, 1, NULL, 0, false);
	assert_percentile(&latency, 2, NULL, 64 + 63 / 9, false);
	assert_percentile(&latency, 10, NULL, 127, false);
	assert_percentile(&latency, 11, NULL, 128 + 127 / 89, false);
	assert_percentile(&latency, 50, NULL, 128 + 127 * 40 / 89, false);
	assert_percentile(&latency, 99, NULL, 255, false);
	assert_percentile(&latency, 100, NULL, 2047, false);
	assert_percentile(&one, 50, NULL, 0, false);
	assert_percentile(&one, 99, NULL, 0, false);
}

/* max replaces the end of its own bucket only; a max from a later epoch is ignored. */
static void test_percentiles_and_max(void **state)
{
	struct histogram_bucket buckets[] = { { 64, 127, 10 }, { 1024, 2047, 10 } };
	const struct histogram latency = { buckets, ARRAY_SIZE(buckets) };
	uint64_t max = 1100;

	(void)state;
	assert_percentile(&latency, 99, &max, 1100, false);
	assert_percentile(&latency, 75, &max, 1024 + 76 / 2, false);
	assert_percentile(&latency, 50, &max, 127, false);
	max = 100;
	assert_percentile(&latency, 99, &max, 2047, false);
	max = 4000;
	assert_percentile(&latency, 99, &max, 2047, false);
	max = 1024;
	assert_percentile(&latency, 99, &max, 1024, false);
}

static void test_percentiles_of_a_bucket_without_end(void **state)
{
	struct histogram_bucket buckets[] = { { 64, 127, 10 }, { 1024, UINT64_MAX, 10 } };
	const struct histogram latency = { buckets, ARRAY_SIZE(buckets) };
	uint64_t max = 2024;

	(void)state;
	assert_percentile(&latency, 50, NULL, 127, false);
	assert_percentile(&latency, 51, NULL, 1024, true);
	assert_percentile(&latency, 100, NULL, 1024, true);
	assert_percentile(&latency, 75, &max, 1524, false);
	assert_percentile(&latency, 100, &max, 2024, false);
	max = 100;
	assert_percentile(&latency, 100, &max, 1024, true);
}

static void test_percentiles_of_huge_counts(void **state)
{
	struct histogram_bucket buckets[] = { { 0, 1, UINT64_MAX },
					      { 2, UINT64_MAX - 1, UINT64_MAX } };
	const struct histogram latency = { buckets, ARRAY_SIZE(buckets) };

	(void)state;
	assert_percentile(&latency, 50, NULL, 1, false);
	assert_percentile(&latency, 25, NULL, 0, false);
	assert_percentile(&latency, 100, NULL, UINT64_MAX - 1, false);
	assert_percentile(&latency, 75, NULL, UINT64_MAX / 2 + 1, false);
}

#define histogram_test(test) cmocka_unit_test_teardown(test, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		histogram_test(test_bounds_of_buckets),
		histogram_test(test_reading),
		histogram_test(test_what_cannot_be_read),
		histogram_test(test_percentiles),
		histogram_test(test_percentiles_and_max),
		histogram_test(test_percentiles_of_a_bucket_without_end),
		histogram_test(test_percentiles_of_huge_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
