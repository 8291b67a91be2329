// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Suffixes of VMs' names that are kept over restarts of the agent. */
#include <stdio.h>
#include <stdlib.h>

#include "fakes/fake_numbers.h"
#include "vms/vm_names.h"

static struct instance_numbers *numbers;
static struct vm_names *names;

static const struct vm_key first = { 0x1000, 11, 70 }, second = { 0x2000, 12, 70 },
			   third = { 0x3000, 13, 71 }, no_birth = { 0x4000, 0, 70 };

static void start(const char *boot)
{
	numbers = numbers_open(1000);
	names = vm_names_new(numbers, boot);
	assert_non_null(names);
}

static void stop(void)
{
	vm_names_free(names);
	instance_numbers_close(numbers);
}

static void restart(const char *boot)
{
	stop();
	start(boot);
}

static int setup(void **state)
{
	int err = numbers_setup(state);

	if (!err)
		start("boot-1");
	return err;
}

static int teardown(void **state)
{
	stop();
	return work_teardown(state);
}

static void take(const struct vm_key *key, const char *expected)
{
	char *full = vm_names_take(names, "vm", 7, key);

	assert_non_null(full);
	assert_string_equal(full, expected);
	free(full);
}

static void test_another_order(void **state)
{
	(void)state;
	take(&first, "vm-7");
	take(&second, "vm-7.2");
	take(&third, "vm-7.3");
	restart("boot-1");
	take(&third, "vm-7.3");
	take(&first, "vm-7");
	take(&second, "vm-7.2");
}

/* A VM that is gone keeps its name to itself. */
static void test_first_one_gone(void **state)
{
	(void)state;
	take(&first, "vm-7");
	take(&second, "vm-7.2");
	vm_names_give(names, "vm", 7, &first);
	restart("boot-1");
	take(&second, "vm-7.2");
	take(&third, "vm-7.3");
	restart("boot-1");
	take(&third, "vm-7.3");
}

static void test_all_gone(void **state)
{
	(void)state;
	take(&first, "vm-7");
	restart("boot-1");
	take(&second, "vm-7.2");
}

/* Other names, PIDs and boots have suffixes of their own. */
static void test_others(void **state)
{
	char *full;

	(void)state;
	take(&first, "vm-7");
	restart("boot-1");
	full = vm_names_take(names, "vm", 8, &first);
	assert_string_equal(full, "vm-8");
	free(full);
	full = vm_names_take(names, "vn", 7, &first);
	assert_string_equal(full, "vn-7");
	free(full);
	restart("boot-2");
	take(&second, "vm-7");
	take(&first, "vm-7.2");
}

/* A VM that was considered destroyed and is there again is the one that went. */
static void test_comes_back(void **state)
{
	(void)state;
	take(&first, "vm-7");
	vm_names_give(names, "vm", 7, &first);
	take(&first, "vm-7");
	take(&second, "vm-7.2");
}

/* Without a birth another VM can have the key of the one that went. */
static void test_no_birth(void **state)
{
	(void)state;
	take(&no_birth, "vm-7");
	restart("boot-1");
	take(&no_birth, "vm-7");
	vm_names_give(names, "vm", 7, &no_birth);
	take(&no_birth, "vm-7.2");
	restart("boot-1");
	take(&no_birth, "vm-7.2");
}

/* Killed after the first of two writes: the VM's own suffix is kept, the highest one is not. */
static void test_killed(void **state)
{
	(void)state;
	take(&first, "vm-7");
	instance_numbers_keep(numbers, "boot-1 vm-7 2000 c 46", 2);
	restart("boot-1");
	take(&second, "vm-7.2");
	take(&third, "vm-7.3");
	restart("boot-1");
	instance_numbers_keep(numbers, "boot-1 vm-7 5000 e 46", 4);
	take(&(struct vm_key){ 0x5000, 14, 70 }, "vm-7.4");
	take(&no_birth, "vm-7.5");
}

/* A VM that is alone in its process keeps its name if either of its two records is lost. */
static void test_lost_records(void **state)
{
	(void)state;
	take(&first, "vm-7");
	instance_numbers_keep(numbers, "boot-1 vm-7 1000 b 46", 0);
	restart("boot-1");
	take(&first, "vm-7");
	instance_numbers_keep(numbers, "boot-1 vm-7", 0);
	restart("boot-1");
	take(&first, "vm-7");
	take(&second, "vm-7.2");
	/* the last of two as well */
	instance_numbers_keep(numbers, "boot-1 vm-7 2000 c 46", 0);
	restart("boot-1");
	take(&second, "vm-7.2");
	take(&first, "vm-7");
	take(&third, "vm-7.3");
}

/* 16 bits tell a VM only from the ones of another agent: here all names differ. */
static void test_no_name_twice(void **state)
{
	static bool met[200001];
	struct vm_key key = { 0x1000, 1, 70 };

	(void)state;
	for (; key.birth <= 200000; key.birth++) {
		char *full = vm_names_take(names, "vm", 7, &key);
		unsigned suffix = 1;

		sscanf(full, "vm-7.%u", &suffix);
		free(full);
		assert_in_range(suffix, 1, 200000);
		assert_false(met[suffix]);
		met[suffix] = true;
	}
}

/* The number of VMs of a process that is kept has a limit; names go on for this agent. */
static void test_many(void **state)
{
	struct vm_key key = { 0x1000, 1, 70 };
	char *full = NULL;

	(void)state;
	for (; key.birth <= 0x10001; key.birth++) {
		free(full);
		full = vm_names_take(names, "vm", 7, &key);
	}
	assert_string_equal(full, "vm-7.65537");
	free(full);
	restart("boot-1");
	key.birth = 0x10001;
	take(&key, "vm-7.65537");
	key.birth = 0x10002;
	take(&key, "vm-7.65538");
}

/* The file cannot be written: suffixes are those of this process. */
static void test_unwritable(void **state)
{
	(void)state;
	take(&first, "vm-7");
	fake_numbers.write_error = 5;
	take(&second, "vm-7.2");
	take(&third, "vm-7.3");
	fake_numbers.write_error = 0;
	restart("boot-1");
	take(&first, "vm-7");
	take(&third, "vm-7.2");
}

static void test_no_memory(void **state)
{
	unsigned n;

	(void)state;
	take(&first, "vm-7");
	for (n = 0;; n++) {
		char *full;

		alloc_fail_at(n);
		full = vm_names_take(names, "vm", 7, &second);
		if (!alloc_failed()) {
			assert_string_equal(full, "vm-7.2");
			free(full);
			break;
		}
		assert_null(full);
	}
	assert_int_equal(n, 3);
	take(&third, "vm-7.3");
	alloc_fail_at(0);
	vm_names_give(names, "vm", 7, &no_birth);
	assert_true(alloc_failed());
	alloc_fail_at(1);
	vm_names_give(names, "vm", 7, &no_birth);
	assert_true(alloc_failed());
	for (n = 0; n < 3; n++) {
		alloc_fail_at(n);
		assert_null(vm_names_new(numbers, "boot-1"));
		assert_true(alloc_failed());
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
		TEST(test_another_order), TEST(test_first_one_gone), TEST(test_all_gone),
		TEST(test_others),	  TEST(test_comes_back),     TEST(test_no_birth),
		TEST(test_killed),	  TEST(test_lost_records),   TEST(test_many),
		TEST(test_no_name_twice), TEST(test_unwritable),     TEST(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
