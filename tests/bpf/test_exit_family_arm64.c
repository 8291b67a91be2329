// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The exit family on arm64, whose kvm_exit and kvm_entry have other arguments. */
#include "bpf/family.h"

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
	assert_int_equal(rows_of("exit"), 2);
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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		family_test(test_events),
		family_test(test_limit),
	};

	return run_group("test_exit_family_arm64", tests, ARRAY_SIZE(tests));
}
