// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The exit family: what it loads and attaches, and its events as counted in tables. */
#define _GNU_SOURCE
#include "bpf/family.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"

enum { CPUID = 0x72, HLT = 0x78, IO = 0x7b, ISA_VMX = 1, ISA_SVM = 2, VCPU = 0x1000 };

#define ALL_EVENTS "sched_process_exit kvm_exit kvm_entry"

static void exits(unsigned n, uint64_t code)
{
	for (unsigned i = 0; i < n; i++) {
		fire("kvm_exit", code, VCPU, ISA_SVM);
		fire("kvm_entry", VCPU);
	}
}

/* All exits are of these reasons, or io. */
static void assert_counts(uint64_t cpuid, uint64_t hlt)
{
	uint64_t count;

	read_tables();
	assert_int_equal(value_of("exit", "cpuid", "count", &count) ? count : 0, cpuid);
	assert_int_equal(value_of("exit", "hlt", "count", &count) ? count : 0, hlt);
	count = value_of("exit", "io", "count", &count) ? count : 0;
	assert_int_equal(value_at("exit_total", "", "total"), cpuid + hlt + count);
	assert_int_equal(counted_rows("exit"), (cpuid > 0) + (hlt > 0) + (count > 0));
}

static void test_events(void **state)
{
	uint64_t start, time, max, value;

	(void)state;
	family_open("exit");
	assert_string_equal(attached_events(), ALL_EVENTS);
	assert_string_equal(family_status(), "attached");
	assert_counts(0, 0);
	start = clock_ns();
	exits(31, CPUID);
	exits(7, HLT);
	assert_counts(31, 7);
	time = value_at("exit", "cpuid", "time");
	max = value_at("exit", "cpuid", "max");
	assert_in_range(time, 31, clock_ns() - start);
	assert_in_range(max, time / 31, time);
	assert_int_equal(value_at("exit_total", "", "total_time"),
			 time + value_at("exit", "hlt", "time"));
	assert_true(rows_of("exit_latency") >= 2);
	assert_int_equal(value_at("family_missed", "exit", "missed"), 0);
	assert_false(value_of("vm_exit", "", "count", &value));
}

static void test_reset_max(void **state)
{
	uint64_t max;

	(void)state;
	family_open("exit");
	exits(3, CPUID);
	read_tables();
	assert_true(value_at("exit", "cpuid", "max") > 0);
	assert_int_equal(collector_reset_max(collector), 0);
	assert_counts(3, 0);
	assert_false(value_of("exit", "cpuid", "max", &max));
	exits(1, CPUID);
	assert_counts(4, 0);
	assert_true(value_at("exit", "cpuid", "max") > 0);
}

/* A pair never spans a detach; counts stay. */
static void test_detach(void **state)
{
	uint64_t time;

	(void)state;
	family_open("exit");
	exits(5, CPUID);
	fire("kvm_exit", HLT, VCPU, ISA_SVM);
	read_tables();
	assert_int_equal(value_at("family", "exit", "generation"), 1);
	assert_int_equal(family_switch(false), 0);
	assert_string_equal(attached_events(), "");
	assert_counts(5, 1);
	assert_int_equal(family_switch(true), 0);
	assert_string_equal(attached_events(), ALL_EVENTS);
	fire("kvm_entry", VCPU);
	assert_counts(5, 1);
	time = value_at("exit", "hlt", "time");
	assert_int_equal(time, 0);
	assert_int_equal(value_at("family", "exit", "generation"), 2);
}

/* KVM comes back in another form: other programs go on with the same maps. */
static void test_another_layout(void **state)
{
	(void)state;
	family_open("exit");
	exits(5, CPUID);
	family_switch(false);
	host.layout.form = EXIT_VCPU_FIRST;
	host.layout.setup.has_reasons = 0;
	host.layout.setup.svm.mask = 0;
	/* nothing is known of the vendor's module: it is only gone, but the form is another */
	assert_int_equal(family_switch(true), 0);
	assert_non_null(strstr(family_status(), "attached, without reasons: "));
	fire("kvm_exit", VCPU, ISA_SVM);
	fire("kvm_entry", VCPU);
	read_tables();
	assert_int_equal(value_at("exit_total", "", "total"), 6);
	assert_int_equal(rows_of("exit"), 0);
	family_switch(false);
	host.layout.form = EXIT_REASON_FIRST;
	host.layout.setup.has_reasons = 1;
	host.layout.setup.svm.mask = 0xffffffff;
	assert_int_equal(family_switch(true), 0);
	assert_string_equal(family_status(), "attached");
	exits(2, CPUID);
	read_tables();
	assert_int_equal(value_at("exit", "cpuid", "count"), 7);
	assert_int_equal(value_at("exit", "other", "count"), 1);
}

/* What the kernel skipped of earlier programs stays; over a detach and a reload it never falls. */
static void test_missed(void **state)
{
	(void)state;
	family_open("exit");
	host.missed = 2;
	read_tables();
	assert_int_equal(value_at("family_missed", "exit", "missed"), 3 * 2);
	family_switch(false);
	read_tables();
	assert_int_equal(value_at("family_missed", "exit", "missed"), 3 * 2);
	host.layout.form = EXIT_VCPU_FIRST;
	assert_int_equal(family_switch(true), 0);
	host.missed = 1; /* of the new programs */
	read_tables();
	assert_int_equal(value_at("family_missed", "exit", "missed"), 3 * 2 + 3 * 1);
}

static void one_exit(void)
{
	exits(1, CPUID);
}

/*
 * The end of a thread is an event like any other: the kernel can skip our program. Records of
 * threads that have ended so are found by ticks, and taken back, with nothing lost.
 */
static void test_ends_missed(void **state)
{
	(void)state;
	family_open("exit");
	one_exit();
	for (int i = 0; i < 100; i++)
		in_thread(one_exit); /* no sched_process_exit is fired */
	read_tables();
	assert_int_equal(value_at("map", "exit_cells", "used"), 101);
	for (int i = 0; i < 5; i++)
		family_tick();
	read_tables();
	assert_int_equal(value_at("map", "exit_cells", "used"), 1);
	assert_int_equal(value_at("map", "exit_blocks", "used"), 1);
	assert_counts(101, 0);
	one_exit();
	assert_counts(102, 0);
}

/* KVM is reloaded in another form while the programs are attached to the old one. */
static void test_reloaded(void **state)
{
	(void)state;
	family_open("exit");
	exits(5, CPUID);
	host.layout.form = EXIT_VCPU_FIRST;
	host.layout.setup.has_reasons = 0;
	host.stamp++;
	family_tick();
	assert_string_equal(attached_events(), ALL_EVENTS);
	fire("kvm_exit", VCPU, ISA_SVM);
	read_tables();
	assert_int_equal(value_at("exit_total", "", "total"), 6);
}

/* While only the vendor's module is gone, the loaded programs stay, with their reasons. */
static void test_vendor_gone(void **state)
{
	(void)state;
	family_open("exit");
	exits(5, CPUID);
	family_switch(false);
	host.layout.setup.has_reasons = 0;
	host.layout.setup.svm.mask = 0;
	assert_int_equal(family_switch(true), 0);
	assert_string_equal(family_status(), "attached");
	exits(2, CPUID);
	assert_counts(7, 0);
}

/* If reading reasons is refused, counts and times remain. */
static void test_reasons_refused(void **state)
{
	(void)state;
	host.refused_loads = 1;
	family_open("exit");
	assert_non_null(strstr(family_status(), "attached, without reasons: "));
	exits(3, CPUID);
	read_tables();
	assert_int_equal(value_at("exit_total", "", "total"), 3);
	assert_true(value_at("exit_total", "", "total_time") > 0);
	assert_int_equal(rows_of("exit"), 0);
	assert_int_equal(rows_of("exit_latency"), 0);
}

/* Typed loads are tried first. Where they are refused, reasons are read as they were before. */
static void test_typed_loads(void **state)
{
	(void)state;
	host.typed_loads = true;
	host.refused_loads = 1;
	family_open("exit");
	assert_string_equal(host.loads, " typed probing");
	assert_string_equal(family_status(), "attached");
	exits(3, CPUID);
	assert_counts(3, 0);
	collector_close(collector);
	*host.loads = '\0';
	host.refused_loads = 2;
	family_open("exit");
	assert_string_equal(host.loads, " typed probing probing");
	assert_non_null(strstr(family_status(), "attached, without reasons: "));
	collector_close(collector);
	*host.loads = '\0';
	host.typed_loads = false;
	family_open("exit");
	assert_string_equal(host.loads, " probing");
	assert_string_equal(family_status(), "attached");
}

static void test_loads_refused(void **state)
{
	(void)state;
	/* with reasons and without, when it is opened and when it is attached */
	host.refused_loads = 4;
	family_open("exit");
	assert_int_equal(host.refused_loads, 0);
	assert_int_equal(collector_attached(collector), 0);
	assert_string_equal(attached_events(), "");
	read_tables();
	assert_int_equal(rows_of("exit"), 0);
	assert_int_equal(family_switch(true), 0); /* as if capabilities were given meanwhile */
	assert_string_equal(attached_events(), ALL_EVENTS);
	exits(3, CPUID);
	assert_counts(3, 0);
}

static void test_no_layout(void **state)
{
	static const char *const none[] = { NULL };

	(void)state;
	host.layout_err = -EINVAL;
	family_open("exit");
	assert_string_equal(family_status(), "does not apply: kvm_exit has unknown arguments");
	assert_int_equal(family_err(), -EINVAL);
	collector_close(collector);
	host.events = none;
	family_open("exit");
	assert_string_equal(family_status(), "KVM is not loaded");
	assert_int_equal(family_err(), -ENOENT);
	assert_true(collector_waits(collector));
}

/* Where KVM's events are listed nowhere, no family says that KVM is not loaded. */
static void test_unlisted(void **state)
{
	static const char *const names[] = { "trace", "exit", "userspace_exit", "cause" };
	static const char *const none[] = { NULL };

	(void)state;
	host.events = none;
	host.unlisted = true;
	host.layout_err = -ENOENT;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		family_open(names[i]);
		assert_null(strstr(family_status(), "not loaded"));
		if (i + 1 < sizeof(names) / sizeof(names[0]))
			collector_close(collector);
	}
}

/*
 * Modules have no types before Linux 5.11: the reason is among the arguments. The record of an
 * entry, which does not say of which vCPU it is, becomes that of the next exit.
 */
static void test_no_types(void **state)
{
	(void)state;
	host.layout_err = -ENOENT;
	host.arguments = 3;
	family_open("exit");
	assert_string_equal(family_status(), "attached");
	assert_string_equal(attached_events(), ALL_EVENTS);
	fire("kvm_entry", VCPU);
	exits(31, CPUID);
	exits(7, HLT);
	assert_counts(31, 7);
	assert_true(value_at("exit", "hlt", "time") > 0);
	assert_int_equal(value_at("map", "exit_cells", "used"), 1);
}

/* A kernel that has no types, and of whose kvm_exit nothing is known but that it is another. */
static void test_no_types_nor_reasons(void **state)
{
	(void)state;
	host.layout_err = -ENOENT;
	host.arguments = 2;
	family_open("exit");
	assert_non_null(strstr(family_status(), "attached, without reasons: the kernel has no "));
	assert_string_equal(attached_events(), ALL_EVENTS);
	read_tables();
	assert_int_equal(value_at("exit_total", "", "total"), 0);
	assert_int_equal(value_at("exit_total", "", "total_time"), 0);
	fire("kvm_exit", VCPU, ISA_SVM);
	fire("kvm_entry", VCPU);
	read_tables();
	assert_int_equal(value_at("exit_total", "", "total"), 1);
	assert_true(value_at("exit_total", "", "total_time") > 0);
	assert_int_equal(rows_of("exit"), 0);
	*host.loads = '\0';
	family_switch(false);
	assert_int_equal(family_switch(true), 0);
	assert_string_equal(host.loads, "");
	/* with the module's types */
	host.layout_err = 0;
	host.arguments = 3;
	family_switch(false);
	assert_int_equal(family_switch(true), 0);
	assert_string_equal(family_status(), "attached");
	exits(3, CPUID);
	read_tables();
	assert_int_equal(value_at("exit", "cpuid", "count"), 3);
	assert_int_equal(value_at("exit_total", "", "total"), 4);
}

/* A failure to attach one event attaches none; another attempt can succeed. */
static void test_attach_fails(void **state)
{
	static const char *const events[] = { "sched_process_exit", "kvm_exit", "kvm_entry" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
		host.no_attach = events[i];
		host.attach_err = -EACCES;
		family_open("exit");
		assert_string_equal(attached_events(), "");
		assert_int_equal(collector_attached(collector), 0);
		host.no_attach = NULL;
		assert_int_equal(family_switch(true), 0);
		assert_string_equal(attached_events(), ALL_EVENTS);
		exits(2, HLT);
		assert_counts(0, 2);
		if (i + 1 < ARRAY_SIZE(events))
			collector_close(collector);
	}
}

/* --- the limit of vCPUs --- */

static void five_exits(void)
{
	exits(5, HLT);
}

static void test_limit(void **state)
{
	(void)state;
	config.vcpus = 1;
	family_open("exit");
	exits(3, CPUID);
	in_thread(five_exits);
	assert_counts(3, 5);
	assert_int_equal(value_at("map", "exit_cells", "limit"), 1);
	assert_int_equal(value_at("map", "exit_cells", "used"), 1);
	assert_int_equal(value_at("map", "exit_cells", "dropped"), 5);
	assert_int_equal(value_at("exit", "hlt", "time"), 0);
	assert_int_equal(value_at("map", "exit_blocks", "limit"), 65536);
	assert_int_equal(value_at("map", "exit_blocks", "used"), 1);
	assert_int_equal(value_at("map", "exit_blocks", "dropped"), 0);
}

static void one_hlt(void)
{
	fire("kvm_exit", HLT, VCPU, ISA_SVM);
}

/*
 * Where no program of the two events is ever left out, an exit of a vCPU in the guest is that of
 * the thread that has entered it.
 */
static void test_in_guest(void **state)
{
	(void)state;
	for (unsigned atomic = 0; atomic < 2; atomic++) {
		host.atomic = atomic;
		family_open("exit");
		exits(3, CPUID);
		in_thread(one_hlt);
		assert_counts(3, 1);
		assert_int_equal(value_at("map", "exit_cells", "used"), atomic ? 1 : 2);
		family_close();
	}
}

/* Reasons of a vCPU that find no room are counted without times. */
static void test_limit_of_counters(void **state)
{
	(void)state;
	config.counters = 2;
	family_open("exit");
	exits(3, CPUID);
	exits(5, HLT);
	exits(7, IO);
	assert_counts(3, 5);
	assert_int_equal(value_at("exit", "io", "count"), 7);
	assert_int_equal(value_at("exit", "io", "time"), 0);
	assert_int_equal(value_at("map", "exit_blocks", "limit"), 2);
	assert_int_equal(value_at("map", "exit_blocks", "used"), 2);
	assert_int_equal(value_at("map", "exit_blocks", "dropped"), 7);
	assert_int_equal(value_at("map", "exit_cells", "dropped"), 0);
}

static void thread_of_a_vm(void)
{
	exits(5, HLT);
	fire("sched_process_exit", 0);
}

/* The counts of a thread that has ended stay, and its room is free again. */
static void test_thread_end(void **state)
{
	(void)state;
	config.vcpus = 2;
	family_open("exit");
	exits(3, CPUID);
	for (unsigned i = 1; i <= 4; i++) {
		in_thread(thread_of_a_vm);
		assert_counts(3, 5 * i);
		assert_int_equal(value_at("map", "exit_cells", "used"), 2);
		family_tick();
		for (int j = 0; j < 3; j++)
			assert_counts(3, 5 * i);
		assert_int_equal(value_at("map", "exit_cells", "used"), 1);
		assert_int_equal(value_at("map", "exit_blocks", "used"), 1);
	}
	assert_int_equal(value_at("map", "exit_cells", "dropped"), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		family_test(test_events),
		family_test(test_reset_max),
		family_test(test_detach),
		family_test(test_another_layout),
		family_test(test_missed),
		family_test(test_ends_missed),
		family_test(test_vendor_gone),
		family_test(test_reasons_refused),
		family_test(test_typed_loads),
		family_test(test_loads_refused),
		family_test(test_no_layout),
		family_test(test_unlisted),
		family_test(test_no_types),
		family_test(test_no_types_nor_reasons),
		family_test(test_attach_fails),
		family_test(test_limit),
		family_test(test_in_guest),
		family_test(test_reloaded),
		family_test(test_limit_of_counters),
		family_test(test_thread_end),
	};

	return run_group("test_exit_family", tests, ARRAY_SIZE(tests));
}
