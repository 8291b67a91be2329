// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/support.h"

#include "kvm/stat_schema.h"

static void assert_values(const uint64_t *values, const uint64_t *expected, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_true(values[i] == expected[i]);
}

/* All bytes differ, so that reading beyond the value shows. */
static void number_bytes(unsigned char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		bytes[i] = (unsigned char)(0x81 + i);
}

/* Store a value of this size in native byte order. */
static uint64_t value_at(const unsigned char *from, uint32_t size)
{
	uint64_t value = 0;

	for (uint32_t i = 0; i < size; i++) {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
		value = value << 8 | from[i];
#else
		value |= (uint64_t)from[i] << 8 * i;
#endif
	}
	return value;
}

/* All sizes at any alignment; no value is sign-extended, though each has its highest bit set. */
static void test_sizes(void **state)
{
	struct statistic stats[] = {
		{ .kind = STAT_INSTANT, .scale = 1, .offset = 3, .size = 8, .buckets = 1 },
		{ .kind = STAT_PEAK, .scale = 1, .offset = 11, .size = 4, .buckets = 1 },
		{ .kind = STAT_CUMULATIVE, .scale = 1, .offset = 15, .size = 2, .buckets = 1 },
		{ .kind = STAT_INSTANT, .scale = 1, .offset = 20, .size = 1, .buckets = 1 },
	};
	struct stat_list list = { stats, ARRAY_SIZE(stats), ARRAY_SIZE(stats), 24 };
	unsigned char memory[40];

	(void)state;
	number_bytes(memory, sizeof(memory));
	memory[3 + 7] = memory[11 + 3] = memory[15 + 1] = 0xff; /* the sign bit of a signed value */
	for (uint32_t i = 0; i < list.n; i++)
		stats[i].first = i;
	for (size_t shift = 0; shift < 8; shift++) {
		uint64_t values[ARRAY_SIZE(stats) + 1] = { [ARRAY_SIZE(stats)] = 7 };

		stat_decode(&list, memory + shift, values);
		for (size_t i = 0; i < list.n; i++)
			assert_true(values[i] ==
				    value_at(memory + shift + stats[i].offset, stats[i].size));
		assert_int_equal(values[ARRAY_SIZE(stats)], 7);
	}
}

/* Histogram buckets are counts: the scale applies to the sorted values only. */
static void test_scale(void **state)
{
	struct statistic stats[] = {
		{ .kind = STAT_INSTANT, .scale = 1000, .offset = 0, .size = 8, .buckets = 1 },
		{ .kind = STAT_LOG_HIST, .scale = 1000, .offset = 8, .size = 8, .buckets = 3 },
		{ .kind = STAT_LINEAR_HIST, .scale = 9, .offset = 32, .size = 4, .buckets = 2 },
		{ .kind = STAT_CUMULATIVE, .scale = 7, .offset = 40, .size = 4, .buckets = 1 },
		{ .kind = STAT_LOG_HIST, .scale = 1, .offset = 44, .size = 1, .buckets = 2 },
		{ .kind = STAT_LOG_HIST, .scale = 1, .offset = 46, .size = 2, .buckets = 2 },
	};
	struct stat_list list = { stats, ARRAY_SIZE(stats), 11, 56 };
	struct {
		uint64_t a, hist[3];
		uint32_t linear[2], b;
		uint8_t bytes[2];
		uint16_t shorts[2];
	} member = { 5,		 { 1, 2, UINT64_MAX }, { 3, UINT32_MAX },
		     UINT32_MAX, { 1, 255 },	       { 2, 65535 } };
	static const uint64_t expected[] = {
		5000, 1, 2, UINT64_MAX, 3, UINT32_MAX, 7ull * UINT32_MAX, 1, 255, 2, 65535
	};
	uint64_t values[11];

	(void)state;
	for (size_t i = 1; i < list.n; i++)
		stats[i].first = stats[i - 1].first + stats[i - 1].buckets;
	stat_decode(&list, &member, values);
	assert_values(values, expected, ARRAY_SIZE(expected));
	list.n = 0;
	stat_decode(&list, &member, values);
	assert_values(values, expected, ARRAY_SIZE(expected));
}

static void test_find(void **state)
{
	struct statistic stats[] = { { .name = "exits" }, { .name = "exit" }, { .name = "x" } };
	struct stat_list list = { stats, ARRAY_SIZE(stats), 3, 24 };

	(void)state;
	assert_ptr_equal(stat_list_find(&list, "exits"), &stats[0]);
	assert_ptr_equal(stat_list_find(&list, "exit"), &stats[1]);
	assert_ptr_equal(stat_list_find(&list, "x"), &stats[2]);
	assert_null(stat_list_find(&list, "exi"));
	assert_null(stat_list_find(&list, ""));
	list.n = 0;
	assert_null(stat_list_find(&list, "exits"));
}

static void test_kinds(void **state)
{
	static const struct {
		enum stat_kind kind;
		bool is_cumulative, is_histogram;
	} cases[] = {
		{ STAT_CUMULATIVE, true, false }, { STAT_INSTANT, false, false },
		{ STAT_PEAK, false, false },	  { STAT_LINEAR_HIST, true, true },
		{ STAT_LOG_HIST, true, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct statistic stat = { .kind = cases[i].kind };

		assert_int_equal(stat_is_cumulative(&stat), cases[i].is_cumulative);
		assert_int_equal(stat_is_histogram(&stat), cases[i].is_histogram);
		for (size_t j = 0; j < ARRAY_SIZE(cases); j++)
			assert_int_equal(stat_can_be(&stat, cases[j].kind),
					 cases[i].is_histogram == cases[j].is_histogram);
	}
}

/* A bucket has this range, as text; NULL: it has none. */
static void assert_bucket(const struct statistic *stat, uint32_t bucket, const char *expected)
{
	struct snapshot_range range;
	char text[SNAPSHOT_RANGE_SIZE];

	untouched_fill(&range, sizeof(range));
	assert_int_equal(stat_bucket_range(stat, bucket, &range), expected != NULL);
	if (expected) {
		snapshot_range_text(&range, text);
		assert_string_equal(text, expected);
	} else {
		assert_untouched(&range, sizeof(range));
	}
}

static struct statistic log_hist(uint32_t buckets, uint64_t scale)
{
	return (struct statistic){ .kind = STAT_LOG_HIST, .scale = scale, .buckets = buckets };
}

static struct statistic linear_hist(uint32_t buckets, uint64_t size, uint64_t scale)
{
	return (struct statistic){
		.kind = STAT_LINEAR_HIST, .scale = scale, .buckets = buckets, .bucket_size = size
	};
}

static void test_log_ranges(void **state)
{
	struct statistic stat = log_hist(32, 1);

	(void)state;
	assert_bucket(&stat, 0, "0");
	assert_bucket(&stat, 1, "1");
	assert_bucket(&stat, 2, "2-3");
	assert_bucket(&stat, 3, "4-7");
	assert_bucket(&stat, 13, "4096-8191");
	assert_bucket(&stat, 30, "536870912-1073741823");
	assert_bucket(&stat, 31, "1073741824+");
	stat = log_hist(1, 1);
	assert_bucket(&stat, 0, "0+");
	stat = log_hist(2, 1);
	assert_bucket(&stat, 0, "0");
	assert_bucket(&stat, 1, "1+");
	stat = log_hist(65, 1);
	assert_bucket(&stat, 63, "4611686018427387904-9223372036854775807");
	assert_bucket(&stat, 64, "9223372036854775808+");
	stat = log_hist(66, 1);
	assert_bucket(&stat, 65, NULL);
	stat = log_hist(100, 1); /* more buckets than bits */
	assert_bucket(&stat, 64, "9223372036854775808+");
	assert_bucket(&stat, 65, NULL);
	assert_bucket(&stat, 99, NULL);
}

static void test_linear_ranges(void **state)
{
	struct statistic stat = linear_hist(4, 10, 1);

	(void)state;
	assert_bucket(&stat, 0, "0-9");
	assert_bucket(&stat, 1, "10-19");
	assert_bucket(&stat, 2, "20-29");
	assert_bucket(&stat, 3, "30+");
	stat = linear_hist(3, 1, 1);
	assert_bucket(&stat, 0, "0");
	assert_bucket(&stat, 1, "1");
	assert_bucket(&stat, 2, "2+");
	stat = linear_hist(1, 10, 1);
	assert_bucket(&stat, 0, "0+");
	stat = linear_hist(3, 0, 1); /* the kernel gives no bucket size */
	assert_bucket(&stat, 0, NULL);
	assert_bucket(&stat, 1, NULL);
	assert_bucket(&stat, 2, NULL);
	stat = linear_hist(4, UINT64_C(1) << 63, 1);
	assert_bucket(&stat, 0, "0-9223372036854775807");
	assert_bucket(&stat, 1, NULL); /* the next bucket's start overflows */
	assert_bucket(&stat, 2, NULL);
	assert_bucket(&stat, 3, NULL);
}

/* Microseconds in nanoseconds: bucket 1 has values truncated from 1000 to 1999. */
static void test_scaled_ranges(void **state)
{
	struct statistic stat = log_hist(65, 1000);

	(void)state;
	assert_bucket(&stat, 0, "0-999");
	assert_bucket(&stat, 1, "1000-1999");
	assert_bucket(&stat, 2, "2000-3999");
	assert_bucket(&stat, 54, "9007199254740992000-18014398509481983999");
	assert_bucket(&stat, 55, NULL); /* the range ends beyond 64 bits */
	assert_bucket(&stat, 56, NULL);
	assert_bucket(&stat, 64, NULL);
	stat = log_hist(4, 1000);
	assert_bucket(&stat, 3, "4000+");
	stat = linear_hist(3, 5, 10);
	assert_bucket(&stat, 0, "0-49");
	assert_bucket(&stat, 1, "50-99");
	assert_bucket(&stat, 2, "100+");
	stat = linear_hist(2, UINT64_MAX, 1);
	assert_bucket(&stat, 0, "0-18446744073709551614");
	assert_bucket(&stat, 1, "18446744073709551615");
	stat = linear_hist(3, UINT64_MAX / 2 + 1,
			   2); /* only the end plus the truncated rest overflows */
	assert_bucket(&stat, 0, "0+");
	assert_bucket(&stat, 1, NULL);
}

static void test_range_of_what_has_none(void **state)
{
	struct statistic stat = { .kind = STAT_INSTANT, .scale = 1, .buckets = 2 };

	(void)state;
	assert_bucket(&stat, 0, NULL);
	assert_bucket(&stat, 1, NULL);
}

/* The range contains each value that kvm_stats_log_hist_update sorts into the bucket. */
static void assert_sorted(const struct statistic *stat, uint64_t value)
{
	uint32_t bucket = value ? 64 - (uint32_t)__builtin_clzll(value) : 0;
	struct snapshot_range range;

	if (stat->kind == STAT_LINEAR_HIST)
		bucket = (uint32_t)(value / stat->bucket_size < stat->buckets ?
					    value / stat->bucket_size :
					    stat->buckets);
	if (bucket > stat->buckets - 1)
		bucket = stat->buckets - 1;
	assert_true(stat_bucket_range(stat, bucket, &range));
	assert_true(range.first <= value && value <= range.last);
	/* the last bucket is open */
	assert_int_equal(range.last == UINT64_MAX, bucket == stat->buckets - 1 || bucket == 64);
}

static void test_ranges_as_the_kernel_sorts(void **state)
{
	(void)state;
	for (uint32_t buckets = 1; buckets <= 66; buckets++) {
		struct statistic log = log_hist(buckets, 1);
		struct statistic linear = linear_hist(buckets, buckets * 3, 1);

		for (unsigned bit = 0; bit < 64; bit++) {
			for (int more = -1; more <= 1; more++) {
				assert_sorted(&log, (UINT64_C(1) << bit) + (uint64_t)more);
				assert_sorted(&linear, (UINT64_C(1) << bit) + (uint64_t)more);
			}
		}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_scale),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_log_ranges),
		cmocka_unit_test(test_linear_ranges),
		cmocka_unit_test(test_scaled_ranges),
		cmocka_unit_test(test_range_of_what_has_none),
		cmocka_unit_test(test_ranges_as_the_kernel_sorts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
