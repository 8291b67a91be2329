// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/support.h"

#include <errno.h>
#include <string.h>

#include "kernel/cpus.h"

/* Create a directory "cpu" like sysfs. */
static void lists_write(const char *possible, const char *online)
{
	make_folders("cpu");
	write_text("cpu/possible", possible);
	write_text("cpu/online", online);
}

/* present as text: 1 or 0 per CPU. */
static void assert_cpus(const struct cpus *cpus, const char *present)
{
	assert_int_equal(cpus->n, strlen(present));
	for (size_t i = 0; i < cpus->n; i++)
		assert_int_equal(cpus->present[i], present[i] == '1');
}

static void test_lists(void **state)
{
	static const struct {
		const char *possible, *online, *present;
	} rows[] = {
		{ "0\n", "0\n", "1" },
		{ "0", "0", "1" },
		{ "0-3\n", "0-3\n", "1111" },
		{ "0-3\n", "0\n", "1000" },
		{ "0-3\n", "3\n", "0001" },
		{ "0-3\n", "1-2\n", "0110" },
		{ "0-3,8\n", "0,2,8\n", "101000001" },
		{ "0-1,4-5\n", "0-1,4-5\n", "110011" },
		{ "2-2\n", "2\n", "001" },
		{ "5,0\n", "5\n", "000001" },
		{ "0-3\n", "0-3,4-7,900\n", "1111" }, /* CPUs that are not possible are ignored */
		{ "0-2\n", "\n", "000" },
		{ "0,2,\n", "0,\n", "100" },
		{ "0-15\n", "0-9,11,13-15\n", "1111111111010111" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cpus cpus;

		lists_write(rows[i].possible, rows[i].online);
		assert_int_equal(cpus_read("cpu", &cpus), 0);
		assert_cpus(&cpus, rows[i].present);
		cpus_free(&cpus);
	}
}

static void test_the_highest_cpu(void **state)
{
	struct cpus cpus;

	(void)state;
	lists_write("0-65535\n", "65535\n");
	assert_int_equal(cpus_read("cpu", &cpus), 0);
	assert_int_equal(cpus.n, 65536);
	assert_false(cpus.present[65534]);
	assert_true(cpus.present[65535]);
	cpus_free(&cpus);
	assert_int_equal(cpus.n, 0);
	assert_null(cpus.present);
}

static const char *const bad_lists[] = {
	"",
	"x\n",
	"1-\n",
	"1-x\n",
	"0-\n",
	"-1\n",
	"3-1\n",
	"1;2\n",
	"1-2-3\n",
	"0,,1\n",
	",0\n",
	"0 1\n",
	"0-3x\n",
	"65536\n",
	"0-65536\n",
	"1--2\n",
	"0-99999999999999999999\n",
};

static void test_lists_without_sense(void **state)
{
	struct cpus cpus;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_lists); i++) {
		untouched_fill(&cpus, sizeof(cpus));
		lists_write(bad_lists[i], "0\n");
		assert_int_equal(cpus_read("cpu", &cpus), -EINVAL);
		lists_write("0-3\n", bad_lists[i]);
		assert_int_equal(cpus_read("cpu", &cpus), -EINVAL);
		assert_untouched(&cpus, sizeof(cpus));
	}
	lists_write("\n", "0\n"); /* no CPU at all */
	assert_int_equal(cpus_read("cpu", &cpus), -EINVAL);
	assert_untouched(&cpus, sizeof(cpus));
}

static void test_files_that_cannot_be_read(void **state)
{
	struct cpus cpus;

	(void)state;
	untouched_fill(&cpus, sizeof(cpus));
	assert_int_equal(cpus_read("cpu", &cpus), -ENOENT);
	make_folders("cpu");
	write_text("cpu/possible", "0-3\n");
	assert_int_equal(cpus_read("cpu", &cpus), -ENOENT);
	make_folders("cpu/online");
	assert_int_equal(cpus_read("cpu", &cpus), -EISDIR);
	assert_untouched(&cpus, sizeof(cpus));
}

/* A CPU that was online once stays present. */
static void test_update(void **state)
{
	struct cpus cpus;

	(void)state;
	lists_write("0-4\n", "0,3\n");
	assert_int_equal(cpus_read("cpu", &cpus), 0);
	assert_cpus(&cpus, "10010");
	assert_int_equal(cpus_update("cpu", &cpus), 0);
	assert_cpus(&cpus, "10010");
	lists_write("0-4\n", "0-1\n"); /* 1 goes online, 3 offline */
	assert_int_equal(cpus_update("cpu", &cpus), 1);
	assert_cpus(&cpus, "11010");
	assert_int_equal(cpus_update("cpu", &cpus), 0);
	lists_write("0-4\n", "3\n");
	assert_int_equal(cpus_update("cpu", &cpus), 0);
	assert_cpus(&cpus, "11010");
	lists_write("0-4\n", "0-5\n"); /* 5 is not possible */
	assert_int_equal(cpus_update("cpu", &cpus), 1);
	assert_cpus(&cpus, "11111");
	cpus_free(&cpus);
}

static void test_update_that_fails(void **state)
{
	struct cpus cpus;

	(void)state;
	lists_write("0-1\n", "0\n");
	assert_int_equal(cpus_read("cpu", &cpus), 0);
	lists_write("0-1\n", "0,1,z\n");
	assert_int_equal(cpus_update("cpu", &cpus), -EINVAL);
	assert_cpus(&cpus, "10");
	assert_int_equal(remove("cpu/online"), 0);
	assert_int_equal(cpus_update("cpu", &cpus), -ENOENT);
	assert_cpus(&cpus, "10");
	cpus_free(&cpus);
}

static void test_no_memory(void **state)
{
	struct cpus cpus;
	unsigned n;

	(void)state;
	lists_write("0-3\n", "0-3\n");
	for (n = 0;; n++) {
		int err;

		untouched_fill(&cpus, sizeof(cpus));
		alloc_fail_at(n);
		err = cpus_read("cpu", &cpus);
		if (!alloc_failed())
			break;
		assert_int_equal(err, -ENOMEM);
		assert_untouched(&cpus, sizeof(cpus));
	}
	assert_true(n >= 3);
	assert_cpus(&cpus, "1111");
	cpus_free(&cpus);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		work_test(test_lists),
		work_test(test_the_highest_cpu),
		work_test(test_lists_without_sense),
		work_test(test_files_that_cannot_be_read),
		work_test(test_update),
		work_test(test_update_that_fails),
		work_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
