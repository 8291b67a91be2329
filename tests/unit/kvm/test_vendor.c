// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/support.h"

#include <errno.h>
#include <sys/stat.h>

#include "kvm/vendor.h"

static void load(const char *module)
{
	assert_int_equal(mkdir(module, 0755), 0);
}

/* kvm alone, or with another's module, fires no kvm_exit. */
static void test_none(void **state)
{
	enum reasons_isa isa = REASONS_ARM64;

	(void)state;
	assert_int_equal(kvm_vendor(".", &isa), -ENOENT);
	load("kvm");
	load("kvm_pvm");
	assert_int_equal(kvm_vendor(".", &isa), -ENOENT);
	assert_int_equal(isa, REASONS_ARM64);
}

static void test_amd(void **state)
{
	enum reasons_isa isa = REASONS_ARM64;

	(void)state;
	load("kvm_amd");
	assert_int_equal(kvm_vendor(".", &isa), 0);
	assert_int_equal(isa, REASONS_SVM);
}

static void test_intel(void **state)
{
	enum reasons_isa isa = REASONS_ARM64;

	(void)state;
	load("kvm_intel");
	assert_int_equal(kvm_vendor(".", &isa), 0);
	assert_int_equal(isa, REASONS_VMX);
}

/* Both are built in: one of them works at most, by the CPU. */
static void test_both(void **state)
{
	enum reasons_isa isa = REASONS_ARM64;
	int err;

	(void)state;
	load("kvm_amd");
	load("kvm_intel");
	err = kvm_vendor(".", &isa);
	if (err)
		assert_int_equal(err, -ENOENT);
	else
		assert_in_range(isa, REASONS_VMX, REASONS_SVM);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		work_test(test_none),
		work_test(test_amd),
		work_test(test_intel),
		work_test(test_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
