// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The userspace_exit family: what it loads and attaches, and its events as counted in tables. */
#include "bpf/family.h"

#include <errno.h>

#include "base/clock.h"
#include "kvm/exit_reasons.h"

enum { IO = 2, HLT = 5, MMIO = 6 };

static void exits(unsigned n, uint64_t reason, int error)
{
	for (unsigned i = 0; i < n; i++) {
		fire("kvm_userspace_exit", reason, (uint64_t)(int64_t)error);
		fire("kvm_fpu", 1);
	}
}

static void test_events(void **state)
{
	uint64_t start;

	(void)state;
	family_open("userspace_exit");
	assert_string_equal(family_status(), "attached");
	assert_string_equal(attached_events(), "sched_process_exit kvm_userspace_exit kvm_fpu");
	read_tables();
	assert_int_equal(value_at("userspace_exit", "MMIO", "count"), 0);
	assert_int_equal(counted_rows("userspace_exit"), 0);
	start = clock_ns();
	exits(31, IO, 0);
	exits(7, MMIO, 0);
	exits(3, IO, -EINTR);
	exits(2, IO, -EFAULT);
	exits(1, 1234, 0);
	read_tables();
	assert_int_equal(counted_rows("userspace_exit"), 5);
	assert_int_equal(value_at("userspace_exit", "IO", "count"), 31);
	assert_int_equal(value_at("userspace_exit", "MMIO", "count"), 7);
	assert_int_equal(value_at("userspace_exit", "restart", "count"), 3);
	assert_int_equal(value_at("userspace_exit", "error", "count"), 2);
	assert_int_equal(value_at("userspace_exit", "0x4d2", "count"), 1);
	assert_in_range(value_at("userspace_exit", "IO", "time"), 31, clock_ns() - start);
	assert_int_equal(value_at("family_missed", "userspace_exit", "missed"), 0);
	assert_int_equal(rows_of("vm_userspace_exit"), 0);
}

/* All reasons of the table are counted, not only as many as can claim a slot. */
static void test_reasons(void **state)
{
	const struct reason *list;
	size_t n;

	(void)state;
	family_open("userspace_exit");
	list = reasons_list(REASONS_USERSPACE, &n);
	for (size_t i = 0; i < n; i++) {
		if (list[i].code < REASONS_RESTART)
			exits((unsigned)i + 1, list[i].code, 0);
	}
	read_tables();
	for (size_t i = 0; i < n; i++) {
		if (list[i].code < REASONS_RESTART)
			assert_int_equal(value_at("userspace_exit", list[i].name, "count"), i + 1);
	}
	assert_int_equal(counted_rows("userspace_exit"), n - 2);
}

/* Where KVM has no kvm_fpu, or as on arm64 one that never fires, kvm_entry starts KVM_RUN. */
static void test_by_kvm_entry(void **state)
{
	static const char *const none[] = { "kvm_entry", "kvm_userspace_exit", NULL };
	static const char *const arm64[] = { "kvm_entry", "kvm_exit", "kvm_fpu",
					     "kvm_userspace_exit", NULL };
	const char *const *const kernels[] = { none, arm64 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kernels); i++) {
		host.events = kernels[i];
		family_open("userspace_exit");
		assert_string_equal(attached_events(),
				    "sched_process_exit kvm_userspace_exit kvm_entry");
		fire("kvm_userspace_exit", MMIO, 0);
		fire("kvm_entry", 0x1000);
		read_tables();
		assert_int_equal(value_at("userspace_exit", "MMIO", "count"), 1);
		assert_true(value_at("userspace_exit", "MMIO", "time") > 0);
		if (i + 1 < ARRAY_SIZE(kernels))
			collector_close(collector);
	}
}

/* A pair never spans a detach; counts stay. */
static void test_detach(void **state)
{
	(void)state;
	family_open("userspace_exit");
	exits(5, MMIO, 0);
	fire("kvm_userspace_exit", IO, 0);
	assert_int_equal(family_switch(false), 0);
	assert_string_equal(attached_events(), "");
	assert_int_equal(family_switch(true), 0);
	assert_string_equal(attached_events(), "sched_process_exit kvm_userspace_exit kvm_fpu");
	fire("kvm_fpu", 1);
	read_tables();
	assert_int_equal(value_at("userspace_exit", "MMIO", "count"), 5);
	assert_int_equal(value_at("userspace_exit", "IO", "count"), 1);
	assert_int_equal(value_at("userspace_exit", "IO", "time"), 0);
	assert_int_equal(value_at("family", "userspace_exit", "generation"), 2);
}

/* A family that cannot be loaded keeps its tables, and cannot be attached. */
static void test_load_refused(void **state)
{
	(void)state;
	host.refused_loads = 1;
	family_open("userspace_exit");
	assert_int_equal(collector_attached(collector), 0);
	assert_string_equal(attached_events(), "");
	read_tables();
	assert_int_equal(rows_of("userspace_exit"), 0);
	assert_int_equal(family_switch(true), -ENODEV);
}

static void test_attach_fails(void **state)
{
	static const char *const events[] = { "sched_process_exit", "kvm_userspace_exit",
					      "kvm_fpu" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
		host.no_attach = events[i];
		host.attach_err = -ENOENT;
		family_open("userspace_exit");
		assert_string_equal(attached_events(), "");
		assert_string_equal(family_status(),
				    "this kernel's KVM lacks a tracepoint that is needed");
		host.no_attach = NULL;
		assert_int_equal(family_switch(true), 0);
		exits(2, IO, 0);
		read_tables();
		assert_int_equal(value_at("userspace_exit", "IO", "count"), 2);
		if (i + 1 < ARRAY_SIZE(events))
			collector_close(collector);
	}
}

static void five_exits(void)
{
	exits(5, MMIO, 0);
}

static void test_limit(void **state)
{
	(void)state;
	config.vcpus = 1;
	family_open("userspace_exit");
	exits(3, IO, 0);
	in_thread(five_exits);
	read_tables();
	assert_int_equal(value_at("userspace_exit", "IO", "count"), 3);
	assert_int_equal(value_at("userspace_exit", "MMIO", "count"), 5);
	assert_int_equal(value_at("userspace_exit", "MMIO", "time"), 0);
	assert_int_equal(rows_of("map"), 2);
	assert_int_equal(value_at("map", "userspace_exit_cells", "limit"), 1);
	assert_int_equal(value_at("map", "userspace_exit_cells", "used"), 1);
	assert_int_equal(value_at("map", "userspace_exit_cells", "dropped"), 5);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		family_test(test_events),	family_test(test_reasons),
		family_test(test_by_kvm_entry), family_test(test_detach),
		family_test(test_load_refused), family_test(test_attach_fails),
		family_test(test_limit),
	};

	return run_group("test_userspace_exit_family", tests, ARRAY_SIZE(tests));
}
