// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/support.h"

#include <stdlib.h>
#include <string.h>

#include "metrics/past_names.h"

#define SECOND UINT64_C(1000000000)

static uint64_t ns;

uint64_t __wrap_clock_ns(void);
uint64_t __wrap_clock_ns(void)
{
	return ns;
}

/* Fixture: two tables, of which the first has had two instances. */
static struct past_names *past;
static const char one, other;

static void add(const void *table, uint32_t number, const char *name)
{
	past_names_add(past, table, number, strdup(name));
}

static int setup(void **state)
{
	(void)state;
	ns = 7 * SECOND;
	past = past_names_new();
	if (!past)
		return -1;
	add(&one, 1, "a-1");
	ns += SECOND;
	add(&one, 2, "b-2");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	past_names_free(past);
	return 0;
}

static void assert_name(const void *table, uint32_t number, const char *name)
{
	const char *found = past_names_find(past, table, number);

	if (name) {
		assert_non_null(found);
		assert_string_equal(found, name);
	} else {
		assert_null(found);
	}
}

static void test_find(void **state)
{
	(void)state;
	assert_name(&one, 1, "a-1");
	assert_name(&one, 2, "b-2");
	assert_name(&one, 3, NULL);
	assert_name(&other, 1, NULL);
	add(&other, 1, "c");
	add(&one, 1, "a-9"); /* the latest */
	assert_name(&other, 1, "c");
	assert_name(&one, 1, "a-9");
}

static void test_time(void **state)
{
	(void)state;
	ns += PAST_NAMES_NS - SECOND - 1;
	assert_name(&one, 1, "a-1");
	ns++;
	assert_name(&one, 1, NULL);
	assert_name(&one, 2, "b-2");
	ns += SECOND;
	assert_name(&one, 2, NULL);
	add(&one, 3, "c");
	assert_name(&one, 3, "c");
}

static void visit(void *data, uint32_t number, const char *name)
{
	char *text = data;

	sprintf(text + strlen(text), "%s:%u ", name, number);
}

static void assert_each(uint64_t time, const char *expected)
{
	char found[256] = "";

	past_names_each(past, &one, time, visit, found);
	assert_string_equal(found, expected);
}

static void test_each(void **state)
{
	(void)state;
	add(&other, 9, "x");
	assert_each(1, "b-2:2 ");
	assert_each(SECOND, "b-2:2 ");
	assert_each(SECOND + 1, "b-2:2 a-1:1 ");
	ns += SECOND;
	assert_each(SECOND, "");
}

/* Number and memory are limited: the oldest go. */
static void test_limits(void **state)
{
	char name[4097] = "";
	size_t before;

	(void)state;
	for (uint32_t i = 0; i < PAST_NAMES_MAX - 1; i++)
		add(&one, 100 + i, "n");
	assert_name(&one, 1, NULL);
	assert_name(&one, 2, "b-2");
	add(&one, 5, "n");
	assert_name(&one, 2, NULL);
	assert_name(&one, 100, "n");
	before = past_names_bytes(past);
	memset(name, 'x', sizeof(name) - 1);
	for (uint32_t i = 0; i < 1000; i++) {
		add(&one, 1, name);
		assert_in_range(past_names_bytes(past), 0, PAST_NAMES_BYTES + PAST_NAMES_MAX * 32);
	}
	assert_true(past_names_bytes(past) > before);
	assert_name(&one, 100, NULL);
}

static void test_memory_of_old_names(void **state)
{
	size_t empty;

	(void)state;
	ns += PAST_NAMES_NS;
	add(&one, 1, "c");
	empty = past_names_bytes(past);
	ns += PAST_NAMES_NS;
	add(&one, 1, "d");
	assert_int_equal(past_names_bytes(past), empty);
}

static void test_new_without_memory(void **state)
{
	(void)state;
	for (unsigned n = 0;; n++) {
		struct past_names *made;

		alloc_fail_at(n);
		made = past_names_new();
		if (!alloc_failed()) {
			past_names_free(made);
			assert_int_equal(n, 1);
			break;
		}
		assert_null(made);
	}
	past_names_free(NULL);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* Nothing is kept until the first one goes; without memory for it, it is not remembered. */
static void test_no_memory_to_add(void **state)
{
	struct past_names *empty = past_names_new();
	char *name = strdup("a-1");

	(void)state;
	assert_non_null(empty);
	assert_null(past_names_find(empty, &one, 1));
	alloc_fail_at(0);
	past_names_add(empty, &one, 1, name);
	assert_true(alloc_failed());
	assert_null(past_names_find(empty, &one, 1));
	past_names_add(empty, &one, 1, strdup("a-1"));
	assert_string_equal(past_names_find(empty, &one, 1), "a-1");
	past_names_free(empty);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		test(test_find),
		test(test_time),
		test(test_each),
		test(test_limits),
		test(test_memory_of_old_names),
		test(test_new_without_memory),
		cmocka_unit_test(test_no_memory_to_add),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
