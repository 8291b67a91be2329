// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * The exit family on arm64, whose kvm_exit and kvm_entry have other arguments, and on architectures
 * to which it does not apply.
 */
#include "bpf/family.h"

#include <errno.h>

#include "kvm/exit_reasons.h"

/* What the family finds on arm64. */
static void arm64(void)
{
	host.layout.form = EXIT_TRAP;
	host.layout.setup.entry_has_vcpu = 0;
	host.layout.setup.svm.mask = 0;
	host.layout.setup.arm64.isa = REASONS_ARM64 + 1;
	host.layout.setup.arm64.mask = 0xffffffff;
	exit_layout_ranges(REASONS_ARM64, host.layout.setup.arm64.ranges);
}

static void exits(void)
{
	for (int i = 0; i < 31; i++) {
		fire("kvm_exit", 2, 0x24, 0x40080000);
		fire("kvm_entry", 0x40080004);
	}
}

/* Neither event names a vCPU, and the reason is among the arguments. */
static void test_events(void **state)
{
	(void)state;
	arm64();
	family_open("exit");
	assert_string_equal(family_status(), "attached");
	assert_string_equal(attached_events(), "sched_process_exit kvm_exit kvm_entry");
	read_tables();
	assert_int_equal(value_at("exit_total", "", "total"), 0);
	exits();
	fire("kvm_exit", 0, 0x24, 0x40080000);
	fire("kvm_entry", 0x40080000);
	read_tables();
	assert_int_equal(value_at("exit", "DABT_LOW", "count"), 31);
	assert_true(value_at("exit", "DABT_LOW", "time") > 0);
	assert_int_equal(value_at("exit", "IRQ", "count"), 1);
	assert_int_equal(value_at("exit_total", "", "total"), 32);
}

/* Names are arm64's also where no record says so: the one that there is has no exit. */
static void test_limit(void **state)
{
	(void)state;
	arm64();
	config.vcpus = 1;
	family_open("exit");
	fire("kvm_entry", 0x40080000);
	in_thread(exits);
	read_tables();
	assert_int_equal(value_at("exit", "DABT_LOW", "count"), 31);
	assert_int_equal(value_at("map", "exit_cells", "dropped"), 31);
}

/* KVM of s390 has neither event, that of LoongArch enters by others. */
static void test_no_events(void **state)
{
	static const char *const s390[] = { "kvm_fpu", "kvm_s390_sie_exit", "kvm_userspace_exit",
					    NULL };
	static const char *const loongarch[] = { "kvm_enter", "kvm_exit", "kvm_fpu",
						 "kvm_userspace_exit", NULL };
	const char *const *const kernels[] = { s390, loongarch };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kernels); i++) {
		host.events = kernels[i];
		family_open("exit");
		assert_string_equal(
			family_status(),
			"does not apply: this kernel's KVM has no kvm_exit or kvm_entry");
		assert_int_equal(family_err(), -EOPNOTSUPP);
		assert_string_equal(attached_events(), "");
		assert_false(collector_waits(collector));
		read_tables();
		assert_int_equal(rows_of("exit"), 0);
		if (i + 1 < ARRAY_SIZE(kernels))
			collector_close(collector);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		family_test(test_events),
		family_test(test_limit),
		family_test(test_no_events),
	};

	return run_group("test_exit_family_arm64", tests, ARRAY_SIZE(tests));
}
