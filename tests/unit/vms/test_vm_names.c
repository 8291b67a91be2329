// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/support.h"

#include <stdlib.h>

#include "vms/vm_names.h"

static struct vm_names *names;
static const struct vm_key some_vm = { 1, 2, 3 };

static int setup(void **state)
{
	(void)state;
	names = vm_names_new(NULL, NULL);
	return names ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	vm_names_free(names);
	return 0;
}

static void take(const char *name, uint32_t pid, const char *expected)
{
	char *full = vm_names_take(names, name, pid, &some_vm);

	assert_non_null(full);
	assert_string_equal(full, expected);
	free(full);
}

/* Take and give as many other names, so that these VMs have been destroyed. */
static void churn(uint32_t from, uint32_t n)
{
	for (uint32_t pid = from; pid < from + n; pid++) {
		free(vm_names_take(names, "other", pid, &some_vm));
		vm_names_give(names, "other", pid, &some_vm);
	}
}

static void test_numbers(void **state)
{
	(void)state;
	take("vm", 7, "vm-7");
	take("vm", 7, "vm-7.2");
	take("vm", 7, "vm-7.3");
	take("vm", 8, "vm-8");
	take("vn", 7, "vn-7");
	take("", 7, "-7");
	take("vm", 0x01000007, "vm-16777223");
}

/* The suffix increases, whether the VMs are alive or not. */
static void test_met_again(void **state)
{
	(void)state;
	take("vm", 7, "vm-7");
	vm_names_give(names, "vm", 7, &some_vm);
	take("vm", 7, "vm-7.2");
	take("vm", 7, "vm-7.3");
	vm_names_give(names, "vm", 7, &some_vm);
	vm_names_give(names, "vm", 7, &some_vm);
	take("vm", 7, "vm-7.4");
}

static void test_give_what_was_not_taken(void **state)
{
	(void)state;
	vm_names_give(names, "vm", 7, &some_vm);
	take("vm", 7, "vm-7");
	vm_names_give(names, "vm", 8, &some_vm);
	vm_names_give(names, "vm", 7, &some_vm);
	vm_names_give(names, "vm", 7, &some_vm);
	vm_names_give(names, "vm", 7, &some_vm);
	churn(0, VM_NAMES_REMEMBERED - 1);
	take("vm", 7, "vm-7.2");
	vm_names_give(names, "vm", 7, &some_vm);
	vm_names_give(names, "vm", 7, &some_vm);
	churn(1000, VM_NAMES_REMEMBERED); /* no live VM is left that would be remembered for ever */
	take("vm", 7, "vm-7");
}

/* Exactly VM_NAMES_REMEMBERED names of destroyed VMs are remembered. */
static void test_remembered(void **state)
{
	(void)state;
	take("vm", 7, "vm-7");
	vm_names_give(names, "vm", 7, &some_vm);
	churn(0, VM_NAMES_REMEMBERED - 1);
	take("vm", 7, "vm-7.2");
	vm_names_give(names, "vm", 7, &some_vm);
	churn(1000, VM_NAMES_REMEMBERED);
	take("vm", 7, "vm-7");
}

/* Only the oldest is forgotten. */
static void test_oldest(void **state)
{
	(void)state;
	churn(0, VM_NAMES_REMEMBERED);
	churn(1000, 1);
	take("other", 1, "other-1.2");
	take("other", 2, "other-2.2");
	take("other", 511, "other-511.2");
	take("other", 1000, "other-1000.2");
	take("other", 0, "other-0");
}

/* A name in use again is no longer among the destroyed ones, so nothing is forgotten for it. */
static void test_back(void **state)
{
	(void)state;
	churn(0, VM_NAMES_REMEMBERED);
	churn(1, VM_NAMES_REMEMBERED - 1);
	for (int i = 0; i < 10; i++)
		churn(100, 10);
	take("other", 0, "other-0.2");
	churn(1000, 9); /* one has room, the others take that of 1 to 8 */
	for (uint32_t pid = 1; pid < 9; pid++)
		free(vm_names_take(names, "other", pid + 300,
				   &some_vm)); /* they are in use again */
	churn(2000, 8);
	take("other", 1, "other-1");
	take("other", 8, "other-8");
	take("other", 9, "other-9.3");
}

/* Age counts from the end of a VM, not from its start. */
static void test_long_lived(void **state)
{
	(void)state;
	take("vm", 7, "vm-7");
	churn(0, VM_NAMES_REMEMBERED);
	vm_names_give(names, "vm", 7, &some_vm);
	take("vm", 7, "vm-7.2");
	take("other", 0, "other-0");
	take("other", 1, "other-1.2");
}

/* A live VM's name is never forgotten, and does not count among the destroyed ones. */
static void test_live(void **state)
{
	(void)state;
	for (uint32_t pid = 0; pid < 2000; pid++)
		free(vm_names_take(names, "vm", pid, &some_vm));
	churn(0, 3 * VM_NAMES_REMEMBERED);
	for (uint32_t pid = 0; pid < 2000; pid++) {
		char expected[16];

		snprintf(expected, sizeof(expected), "vm-%u.2", pid);
		take("vm", pid, expected);
	}
	/* one of two VMs with the name ends: the name is in use */
	vm_names_give(names, "vm", 3, &some_vm);
	churn(5000, 2 * VM_NAMES_REMEMBERED);
	take("vm", 3, "vm-3.3");
	take("other", 5000 + 2 * VM_NAMES_REMEMBERED - 1, "other-6023.2");
}

/* A failed take leaves nothing taken. */
static void test_no_memory(void **state)
{
	unsigned n;

	(void)state;
	for (uint32_t pid = 0; pid < VM_NAMES_REMEMBERED + 1; pid++)
		free(vm_names_take(names, "vm", pid, &some_vm)); /* the initial capacity */
	for (n = 0;; n++) {
		char *full;

		alloc_fail_at(n);
		full = vm_names_take(names, "new", 1, &some_vm);
		if (!alloc_failed()) {
			assert_string_equal(full, "new-1");
			free(full);
			break;
		}
		assert_null(full);
	}
	assert_int_equal(n, 2);
	alloc_fail_at(0);
	assert_null(vm_names_take(names, "new", 1, &some_vm));
	assert_true(alloc_failed());
	take("new", 1, "new-1.2");
	vm_names_give(names, "new", 1, &some_vm);
	vm_names_give(names, "new", 1, &some_vm);
	churn(0, VM_NAMES_REMEMBERED); /* so it is forgotten */
	take("new", 1, "new-1");
}

static void test_no_memory_at_all(void **state)
{
	unsigned n;

	(void)state;
	for (n = 0;; n++) {
		struct vm_names *made;

		alloc_fail_at(n);
		made = vm_names_new(NULL, NULL);
		if (!alloc_failed()) {
			vm_names_free(made);
			break;
		}
		assert_null(made);
	}
	assert_int_equal(n, 2);
	vm_names_free(NULL);
}

#define names_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		names_test(test_numbers),
		names_test(test_met_again),
		names_test(test_give_what_was_not_taken),
		names_test(test_remembered),
		names_test(test_oldest),
		names_test(test_back),
		names_test(test_long_lived),
		names_test(test_live),
		names_test(test_no_memory),
		names_test(test_no_memory_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
