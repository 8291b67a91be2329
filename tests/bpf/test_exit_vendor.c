// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The exit family before the first exit, by the vendor whose module is loaded or not. */
#include "bpf/family.h"

#include <errno.h>
#include <string.h>

enum { ISA_SVM = 2, VCPU = 0x1000 };

/* Reasons that any guest has are there before the first exit, of the vendor that is here. */
static void test_listed(void **state)
{
	uint64_t count;

	(void)state;
	family_open("exit");
	assert_in_range(rows_of("exit"), 10, 14);
	read_tables();
	assert_int_equal(value_at("exit", "npf", "count"), 0);
	assert_false(value_of("exit", "npf", "max", &count));
	assert_false(value_of("exit", "EPT_VIOLATION", "count", &count));
	assert_int_equal(value_at("exit_total", "", "total"), 0);
	collector_close(collector);
	host.vendor = REASONS_VMX;
	family_open("exit");
	read_tables();
	assert_int_equal(value_at("exit", "EPT_VIOLATION", "count"), 0);
	assert_false(value_of("exit", "npf", "count", &count));
}

/* kvm_exit is there, but nothing fires it. */
static void test_no_vendor(void **state)
{
	uint64_t count;

	(void)state;
	host.vendor = -ENOENT;
	family_open("exit");
	assert_string_equal(
		family_status(),
		"attached, but kvm_exit never fires here: neither kvm_amd nor kvm_intel is loaded");
	read_tables();
	assert_int_equal(rows_of("exit"), 0);
	assert_false(value_of("exit_total", "", "total", &count));
	host.vendor = REASONS_SVM;
	host.stamp++;
	family_tick();
	assert_string_equal(family_status(), "attached");
	read_tables();
	assert_int_equal(value_at("exit_total", "", "total"), 0);
	assert_int_equal(value_at("exit", "hlt", "count"), 0);
}

/* KVM's types are there, the vendor's are not: totals come from the arguments alone. */
static void test_no_vendor_types(void **state)
{
	(void)state;
	host.layout.form = EXIT_VCPU_FIRST;
	host.layout.setup.has_reasons = 0;
	host.layout.setup.svm.mask = 0;
	family_open("exit");
	assert_string_equal(
		family_status(),
		"attached, without reasons: the kernel has no type information (BTF) for kvm_amd or kvm_intel");
	read_tables();
	assert_int_equal(value_at("exit_total", "", "total"), 0);
	assert_int_equal(value_at("exit_total", "", "total_time"), 0);
	for (int i = 0; i < 7; i++) {
		fire("kvm_exit", VCPU, ISA_SVM);
		fire("kvm_entry", VCPU);
	}
	read_tables();
	assert_int_equal(value_at("exit_total", "", "total"), 7);
	assert_true(value_at("exit_total", "", "total_time") > 0);
	assert_int_equal(rows_of("exit"), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		family_test(test_listed),
		family_test(test_no_vendor),
		family_test(test_no_vendor_types),
	};

	return run_group("test_exit_vendor", tests, ARRAY_SIZE(tests));
}
