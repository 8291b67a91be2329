// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The exit family while KVM's modules come and go under it. */
#include "bpf/family.h"

#include <string.h>

enum { CPUID = 0x72, VCPU = 0x1000, ISA_SVM = 2 };

static const char unloaded[] = "attached, without reasons: kvm_amd or kvm_intel was unloaded";

/* KVM since 5.16, whose reason is in memory: at no vCPU's real address it reads 0, "read_cr0". */
static void reads_memory(void)
{
	host.layout.form = EXIT_VCPU_FIRST;
	host.layout.setup.svm.pointer = EXIT_NO_POINTER;
	host.layout.setup.svm.code = 8;
	family_open("exit");
	if (strcmp(family_status(), "attached") != 0)
		skip_why("programs that read kernel memory are refused (lockdown)");
}

static void vendor_goes(void)
{
	host.layout.setup.has_reasons = 0;
	host.layout.setup.svm.mask = 0;
	host.stamp++;
	family_tick();
}

static void vendor_comes(void)
{
	host.layout.setup.has_reasons = 1;
	host.layout.setup.svm.mask = 0xffffffff;
	host.stamp++;
	family_tick();
}

static void exits(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		fire("kvm_exit", VCPU, ISA_SVM);
}

static void assert_counts(uint64_t cr0, uint64_t other, uint64_t total)
{
	uint64_t count;

	read_tables();
	assert_int_equal(value_of("exit", "read_cr0", "count", &count) ? count : 0, cr0);
	assert_int_equal(value_of("exit", "other", "count", &count) ? count : 0, other);
	assert_int_equal(value_at("exit_total", "", "total"), total);
}

/* The same module comes back: its programs stay, and nothing is guessed until it is known. */
static void test_the_same(void **state)
{
	(void)state;
	reads_memory();
	exits(5);
	*host.loads = '\0';
	vendor_goes();
	assert_string_equal(family_status(), unloaded);
	assert_counts(5, 0, 5);
	exits(3); /* another module is loaded, and not noticed yet */
	assert_counts(5, 3, 8);
	vendor_comes();
	assert_string_equal(family_status(), "attached");
	exits(2);
	assert_counts(7, 3, 10);
	assert_string_equal(host.loads, "");
}

/* It comes back with its structs in another form. */
static void test_another(void **state)
{
	struct exit_isa *svm = &host.layout.setup.svm;

	(void)state;
	reads_memory();
	exits(5);
	vendor_goes();
	*host.loads = '\0';
	svm->ranges[0].first = 1; /* what is read is in no range now */
	vendor_comes();
	assert_string_equal(family_status(), "attached");
	assert_string_equal(host.loads, " probing");
	exits(2);
	read_tables();
	assert_int_equal(value_at("exit_total", "", "total"), 7);
	/* and without a tick in between */
	svm->ranges[0].first = 0;
	host.stamp++;
	family_tick();
	assert_string_equal(host.loads, " probing probing");
	assert_string_equal(family_status(), "attached");
	exits(3);
	read_tables();
	assert_int_equal(value_at("exit_total", "", "total"), 10);
}

/* Where the reason is an argument of the event, it is known whatever the module. */
static void test_given(void **state)
{
	(void)state;
	family_open("exit");
	vendor_goes();
	assert_string_equal(family_status(), "attached");
	fire("kvm_exit", CPUID, VCPU, ISA_SVM);
	read_tables();
	assert_int_equal(value_at("exit", "cpuid", "count"), 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		family_test(test_the_same),
		family_test(test_another),
		family_test(test_given),
	};

	return run_group("test_exit_family_reload", tests, ARRAY_SIZE(tests));
}
