// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The exit family where KVM has the events of nested guests. */
#include "bpf/family.h"

enum { CPUID = 0x72, HLT = 0x78, ISA_SVM = 2, VCPU = 0x1000 };

#define ALL_EVENTS "sched_process_exit kvm_exit kvm_entry"

/* Where the events are, exits of nested guests are counted, and are no exits of their own. */
static void test_nested(void **state)
{
	static const char *const events[] = { "kvm_entry", "kvm_exit", "kvm_nested_vmexit",
					      "kvm_nested_vmexit_inject", NULL };

	(void)state;
	host.events = events;
	family_open("exit");
	assert_string_equal(attached_events(),
			    ALL_EVENTS " kvm_nested_vmexit kvm_nested_vmexit_inject");
	fire("kvm_exit", CPUID, VCPU, ISA_SVM);
	fire("kvm_nested_vmexit", CPUID, VCPU, ISA_SVM);
	fire("kvm_nested_vmexit_inject", CPUID, 0, 0, 0, 0, ISA_SVM);
	fire("kvm_entry", VCPU);
	fire("kvm_exit", HLT, VCPU, ISA_SVM);
	fire("kvm_exit", HLT, VCPU, ISA_SVM);
	read_tables();
	assert_int_equal(value_at("exit_total", "", "total"), 3);
	assert_int_equal(value_at("exit", "cpuid", "count"), 1);
	assert_int_equal(value_at("exit", "hlt", "count"), 2);
	assert_int_equal(counted_rows("exit"), 2);
	assert_int_equal(value_at("map", "exit_blocks", "used"), 4);
	host.missed = 1;
	read_tables();
	assert_int_equal(value_at("family_missed", "exit", "missed"), 5);
	assert_int_equal(family_switch(false), 0);
	assert_string_equal(attached_events(), "");
	assert_int_equal(family_switch(true), 0);
	/* KVM comes back without them */
	family_switch(false);
	host.events = (const char *const[]){ "kvm_entry", "kvm_exit", NULL };
	host.layout.form = EXIT_VCPU_FIRST;
	host.layout.setup.has_reasons = 0;
	host.stamp++;
	assert_int_equal(family_switch(true), 0);
	assert_string_equal(attached_events(), ALL_EVENTS);
	read_tables();
	assert_int_equal(value_at("exit_total", "", "total"), 3);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		family_test(test_nested),
	};

	return run_group("exit_family_nested", tests, ARRAY_SIZE(tests));
}
