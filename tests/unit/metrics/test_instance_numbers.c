// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Instance numbers: which number a name has, and for how long. */
#include "fakes/fake_numbers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

static struct instance_numbers *no_file(void)
{
	struct instance_numbers *numbers;

	assert_int_equal(instance_numbers_open(NULL, 1000, NULL, &numbers), 0);
	return numbers;
}

/* Values of a program that is not this one: files hold them. */
static void test_hash(void **state)
{
	(void)state;
	assert_true(instance_hash("") == UINT64_C(0xefd01f60ba992926));
	assert_true(instance_hash("a") == UINT64_C(0x82a2a958a9bece5b));
	assert_true(instance_hash("web-1234") == UINT64_C(0xd8b0d45187f178b1));
	assert_true(instance_hash("web-1235") == UINT64_C(0x2e41e262f606c741));
	assert_true(instance_hash("web-1234::vcpu0") == UINT64_C(0x6a7c3d816fe38f84));
	assert_true(instance_hash("web-1234::vcpu0::HLT::4096-8191") ==
		    UINT64_C(0xc6c01bcd5ee90db0));
	assert_true(instance_hash("\xc3\xbc") == UINT64_C(0x9a8fa3aaaa09fd21));
}

static void test_a_number_is_30_bits_of_the_hash(void **state)
{
	struct instance_numbers *numbers = no_file();

	(void)state;
	assert_int_equal(numbers_take(numbers, "web-1234"), 0x07f178b1);
	assert_int_equal(numbers_take(numbers, "web-1235"), 0x3606c741);
	assert_int_equal(numbers_take(numbers, "=ffffffffffffffff"), 0x3fffffff);
	assert_int_equal(numbers_take(numbers, ""), 0x3a992926);
	instance_numbers_close(numbers);
}

static void test_0_is_no_number(void **state)
{
	struct instance_numbers *numbers = no_file();

	(void)state;
	assert_int_equal(numbers_take(numbers, "=12345678c0000000"), 0x01000000);
	assert_int_equal(numbers_take(numbers, "=1234567800000000"), 0x02000000);
	assert_int_equal(numbers_take(numbers, "=1234567801000000"), 0x03000000);
	/* the last one's next number is 0 */
	assert_int_equal(numbers_take(numbers, "=000000013f000000"), 0x3f000000);
	assert_int_equal(numbers_take(numbers, "=000000023f000000"), 0x04000000);
	instance_numbers_close(numbers);
}

static void test_takes_are_counted(void **state)
{
	struct instance_numbers *numbers = no_file();

	(void)state;
	assert_int_equal(numbers_take(numbers, "=0000000100000007"), 7);
	assert_int_equal(numbers_take(numbers, "=0000000100000007"), 7);
	assert_int_equal(numbers_take(numbers, "=0000000100000007"), 7);
	assert_int_equal(numbers_stats(numbers).in_use, 1);
	instance_numbers_release(numbers, "=0000000100000007");
	instance_numbers_release(numbers, "=0000000100000007");
	instance_numbers_release(numbers, "other");
	assert_int_equal(numbers_stats(numbers).in_use, 1);
	assert_int_equal(numbers_meet(numbers, "=0000000200000007"), 0x01000007);
	instance_numbers_release(numbers, "=0000000100000007");
	assert_int_equal(numbers_stats(numbers).in_use, 0);
	instance_numbers_release(numbers, "=0000000100000007");
	assert_int_equal(numbers_stats(numbers).in_use, 0);
	assert_int_equal(numbers_take(numbers, "=0000000200000007"), 7);
	assert_int_equal(numbers_take(numbers, "=0000000100000007"), 0x01000007);
	instance_numbers_close(numbers);
}

/* Also with no file, names that agree in what a file has of them are two. */
static void test_names_alike_in_56_bits(void **state)
{
	struct instance_numbers *numbers = no_file();

	(void)state;
	assert_int_equal(numbers_take(numbers, "=0000000100000007"), 7);
	assert_int_equal(numbers_take(numbers, "=0000000140000007"), 0x01000007);
	assert_int_equal(numbers_take(numbers, "=0000000102000007"), 0x02000007);
	assert_int_equal(numbers_take(numbers, "=0000000100000007"), 7);
	assert_int_equal(numbers_stats(numbers).in_use, 3);
	instance_numbers_close(numbers);
}

static void test_a_name_without_a_free_number(void **state)
{
	struct instance_numbers *numbers = no_file();
	char name[32];
	uint32_t number;

	(void)state;
	for (unsigned i = 0; i < 64; i++) {
		snprintf(name, sizeof(name), "=%08x3d00002a", i);
		assert_int_equal(numbers_take(numbers, name), ((0x3d + i) % 64) << 24 | 0x2a);
	}
	untouched_fill(&number, sizeof(number));
	assert_int_equal(instance_numbers_take(numbers, "=000000400500002a", &number), -ENOSPC);
	assert_untouched(&number, sizeof(number));
	assert_int_equal(numbers_stats(numbers).in_use, 64);
	assert_int_equal(numbers_take(numbers, "=000000403d00002b"), 0x3d00002b);
	instance_numbers_release(numbers, "=000000113d00002a");
	assert_int_equal(numbers_take(numbers, "=000000400500002a"), 0x0e00002a);
	instance_numbers_close(numbers);
}

/* Many takes and releases of names that lie close together in the table, held against a list. */
static void test_names_come_and_go(void **state)
{
	struct instance_numbers *numbers = no_file();
	uint32_t held[300] = { 0 };
	char name[32];
	unsigned n = 0;

	(void)state;
	srandom(7);
	for (unsigned round = 0; round < 20000; round++) {
		unsigned i = (unsigned)random() % ARRAY_SIZE(held);
		/* the last places of a table of 64 to 512, too */
		snprintf(name, sizeof(name), "=%08x%08x", i, (i % 40 + 0x1f0) & 0x1ff);
		if (held[i]) {
			assert_int_equal(numbers_take(numbers, name), held[i]);
			instance_numbers_release(numbers, name);
			instance_numbers_release(numbers, name);
			held[i] = 0;
			n--;
		} else {
			held[i] = numbers_take(numbers, name);
			for (unsigned j = 0; j < ARRAY_SIZE(held); j++)
				assert_true(j == i || held[j] != held[i]);
			n++;
		}
		assert_int_equal(numbers_stats(numbers).in_use, n);
	}
	instance_numbers_close(numbers);
}

static void test_nothing_is_remembered_without_a_file(void **state)
{
	struct instance_numbers *numbers = no_file();
	struct instance_numbers_stats stats;
	uint32_t value;

	(void)state;
	numbers_take(numbers, "a");
	instance_numbers_keep(numbers, "key", 1);
	untouched_fill(&value, sizeof(value));
	assert_int_equal(instance_numbers_kept(numbers, "key", &value), -ENOENT);
	assert_untouched(&value, sizeof(value));
	instance_numbers_tick(numbers);
	stats = numbers_stats(numbers);
	assert_int_equal(stats.limit, 0);
	assert_int_equal(stats.used, 0);
	assert_int_equal(stats.dropped, 0);
	assert_int_equal(stats.in_use, 1);
	assert_int_equal(stats.file_bytes, 0);
	assert_true(stats.memory_bytes >= 1024);
	assert_int_equal(stats.write_error, 0);
	assert_int_equal(fake_numbers.writes, 0);
	instance_numbers_close(numbers);
	instance_numbers_close(NULL);
}

static void test_no_memory_to_open(void **state)
{
	struct report report = { 0 };
	struct instance_numbers *numbers;
	unsigned n = 0;

	(void)state;
	for (bool failed = true; failed; n++) {
		int err;

		untouched_fill(&numbers, sizeof(numbers));
		alloc_fail_at(n);
		err = instance_numbers_open("folder/store", 100 + 100 * n, &report, &numbers);
		failed = alloc_failed();
		if (err) {
			assert_int_equal(err, -ENOMEM);
			assert_untouched(&numbers, sizeof(numbers));
		} else {
			assert_int_equal(numbers_take(numbers, "web-1234"), 0x07f178b1);
			instance_numbers_close(numbers);
		}
	}
	/* two, the folder's name, three of the new file's name and its report, one */
	assert_in_range(n, 5, 9);
	report_clear(&report);
}

static void test_no_memory_to_take(void **state)
{
	struct instance_numbers *numbers = no_file();
	uint32_t number, numbers_of[100];
	char name[32];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(numbers_of); i++) {
		int err;

		snprintf(name, sizeof(name), "vm-%u", i);
		untouched_fill(&number, sizeof(number));
		alloc_fail_at(0);
		err = instance_numbers_take(numbers, name, &number);
		assert_int_equal(err, alloc_failed() ? -ENOMEM : 0);
		assert_int_equal(err, i == 48 || i == 96 ? -ENOMEM : 0);
		if (err)
			assert_untouched(&number, sizeof(number));
		numbers_of[i] = numbers_take(numbers, name);
		assert_true(err || numbers_of[i] == number);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(numbers_of); i++) {
		snprintf(name, sizeof(name), "vm-%u", i);
		assert_int_equal(numbers_take(numbers, name), numbers_of[i]);
	}
	assert_int_equal(numbers_stats(numbers).in_use, 100);
	instance_numbers_close(numbers);
}

#define MANY 500000

static int by_number(const void *a, const void *b)
{
	const uint32_t *left = a, *right = b;

	return *left < *right ? -1 : *left > *right;
}

/* Take names, with a message of what one took; no assertion depends on the time. */
static void take_many(struct instance_numbers *numbers, unsigned first, unsigned n, uint32_t *of)
{
	uint64_t start = clock_ns();
	char name[64];

	for (unsigned i = first; i < first + n; i++) {
		snprintf(name, sizeof(name), "vm%u-%u::vcpu%u::HLT", i / 8, 1000 + i / 8, i % 8);
		of[i] = numbers_take(numbers, name);
	}
	print_message("%u takes: %.2f us each\n", n, (double)(clock_ns() - start) / 1000 / n);
}

static void test_500000_names(void **state)
{
	struct instance_numbers *numbers = numbers_open(2097152);
	uint32_t *of = calloc(MANY, sizeof(*of)), *again = calloc(MANY, sizeof(*of));
	struct instance_numbers_stats stats;

	(void)state;
	assert_non_null(of);
	assert_non_null(again);
	take_many(numbers, 0, 100000, of);
	take_many(numbers, 100000, MANY - 100000, of);
	stats = numbers_stats(numbers);
	print_message("%u names: memory %llu KiB, file %llu KiB\n", MANY,
		      (unsigned long long)stats.memory_bytes / 1024,
		      (unsigned long long)stats.file_bytes / 1024);
	assert_int_equal(stats.limit, 2097152);
	assert_int_equal(stats.in_use, MANY);
	assert_int_equal(stats.used, MANY);
	assert_int_equal(stats.dropped, 0);
	instance_numbers_close(numbers);

	numbers = numbers_open(2097152);
	take_many(numbers, MANY - 100000, 100000, again);
	take_many(numbers, 0, MANY - 100000, again);
	assert_memory_equal(of, again, MANY * sizeof(*of));
	instance_numbers_close(numbers);

	qsort(of, MANY, sizeof(*of), by_number);
	for (unsigned i = 1; i < MANY; i++)
		assert_int_not_equal(of[i - 1], of[i]);
	free(of);
	free(again);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		numbers_test(test_hash),
		numbers_test(test_a_number_is_30_bits_of_the_hash),
		numbers_test(test_0_is_no_number),
		numbers_test(test_takes_are_counted),
		numbers_test(test_names_alike_in_56_bits),
		numbers_test(test_a_name_without_a_free_number),
		numbers_test(test_names_come_and_go),
		numbers_test(test_nothing_is_remembered_without_a_file),
		numbers_test(test_no_memory_to_open),
		numbers_test(test_no_memory_to_take),
		numbers_test(test_500000_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
