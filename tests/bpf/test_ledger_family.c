// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The ledger family: what it loads and attaches, what has values here, and its own event in tables.
 */
#include "bpf/family.h"
#include "vms/vm_passes.h"

#include <errno.h>
#include <time.h>

static const char *const events[] = { "kvm_cpuid", "kvm_entry",		 "kvm_exit",
				      "kvm_fpu",   "kvm_userspace_exit", "kvm_vcpu_wakeup",
				      NULL };
static const char *const arm64_events[] = { "kvm_entry", "kvm_exit", "kvm_userspace_exit",
					    "kvm_vcpu_wakeup", NULL };

/* What this kernel's types say of KVM's statistics of polling. */
static struct statistic statistics[] = {
	{ .name = "halt_poll_success_ns", .offset = 0, .size = 8, .buckets = 1 },
	{ .name = "halt_poll_fail_ns", .offset = 8, .size = 8, .buckets = 1, .first = 1 },
};
static struct stat_layout layout;
static bool has_layout;

struct stat_layout *__wrap_vms_layout(const struct vms *vms);
struct stat_layout *__wrap_vms_layout(const struct vms *vms)
{
	(void)vms;
	return has_layout ? &layout : NULL;
}

static int setup(void **state)
{
	int err = family_setup(state);

	host.events = events;
	has_layout = true;
	layout = (struct stat_layout){ .vcpu = { statistics, ARRAY_SIZE(statistics), 2, 16 },
				       .vcpu_stat = 64 };
	return err;
}

static uint64_t time_of(const char *name)
{
	return value_at("time", "", name);
}

static bool has(const char *name)
{
	uint64_t value;

	return value_of("time", "", name, &value);
}

/* A halt of 5 ms has ended. */
static void wake(void)
{
	const struct timespec halt = { .tv_nsec = 5000000 };

	nanosleep(&halt, NULL);
	fire("kvm_vcpu_wakeup", 4000000, 1, 1);
}

static uint64_t sum(void)
{
	static const char *const names[] = { "guest", "kvm",   "poll",	 "halted",
					     "vmm",   "ready", "unknown" };
	uint64_t all = 0, value;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (value_of("time", "", names[i], &value))
			all += value;
	}
	return all;
}

static void test_events(void **state)
{
	uint64_t halted;

	(void)state;
	family_open("ledger");
	assert_string_equal(family_status(), "attached");
	assert_string_equal(attached_events(), "sched_process_exit kvm_vcpu_wakeup");
	read_tables();
	assert_int_equal(time_of("total"), 0);
	wake();
	read_tables();
	assert_int_equal(time_of("total"), 0);
	wake();
	read_tables();
	/* this thread may have waited for a CPU, too */
	halted = time_of("halted");
	assert_true(halted <= 4000000 && halted + time_of("ready") >= 4000000);
	assert_true(time_of("total") >= 5000000);
	assert_int_equal(sum(), time_of("total"));
	/* neither exits nor trips are seen */
	assert_int_equal(time_of("kvm"), 0);
	assert_int_equal(time_of("unknown") + halted + time_of("ready"), time_of("total"));
	assert_int_equal(value_at("map", "ledger_cells", "used"), 1);
	assert_int_equal(value_at("family", "ledger", "generation"), 1);
}

/* The time while it was detached is in nothing. */
static void test_detach(void **state)
{
	const struct timespec away = { .tv_nsec = 100000000 };
	uint64_t total;

	(void)state;
	family_open("ledger");
	wake();
	wake();
	read_tables();
	total = time_of("total");
	assert_int_equal(family_switch(false), 0);
	assert_string_equal(attached_events(), "");
	nanosleep(&away, NULL);
	assert_int_equal(family_switch(true), 0);
	assert_string_equal(attached_events(), "sched_process_exit kvm_vcpu_wakeup");
	wake();
	read_tables();
	assert_int_equal(time_of("total"), total);
	wake();
	read_tables();
	assert_true(time_of("total") >= total + 5000000);
	assert_int_equal(sum(), time_of("total"));
	assert_int_equal(value_at("family", "ledger", "generation"), 2);
}

/* Guest and KVM have values where kvm_exit fires: with a vendor's module, or not on x86. */
static void test_values(void **state)
{
	(void)state;
	family_open("ledger");
	read_tables();
	assert_true(has("guest") && has("kvm") && has("ready") && has("unknown"));
	collector_close(collector);
	host.vendor = -ENOENT;
	family_open("ledger");
	read_tables();
	assert_false(has("guest") || has("kvm"));
	assert_true(has("poll"));
	collector_close(collector);
	host.events = arm64_events;
	family_open("ledger");
	read_tables();
	assert_true(has("guest") && has("poll"));
}

/* Without reads of kernel memory (lockdown), or types, polling has no value; all else has. */
static void test_loads_refused(void **state)
{
	(void)state;
	family_open("ledger");
	read_tables();
	assert_true(has("poll"));
	collector_close(collector);
	has_layout = false;
	family_open("ledger");
	read_tables();
	assert_false(has("poll"));
	collector_close(collector);
	has_layout = true;
	host.refused_loads = 1;
	family_open("ledger");
	assert_string_equal(family_status(), "attached");
	read_tables();
	assert_false(has("poll"));
	assert_true(has("guest") && has("halted"));
	collector_close(collector);
	/* typed loads alone are refused, where programs are not compiled (JIT) */
	host.typed_loads = true;
	host.refused_loads = 1;
	family_open("ledger");
	assert_string_equal(family_status(), "attached");
	read_tables();
	assert_true(has("poll"));
	collector_close(collector);
	host.refused_loads = 3;
	family_open("ledger");
	assert_int_equal(collector_attached(collector), 0);
	assert_string_equal(attached_events(), "");
	read_tables();
	assert_false(has("total"));
	assert_int_equal(family_switch(true), -ENODEV);
}

static void test_attach_fails(void **state)
{
	(void)state;
	host.no_attach = "kvm_vcpu_wakeup";
	host.attach_err = -ENOENT;
	family_open("ledger");
	assert_string_equal(attached_events(), "");
	assert_string_equal(family_status(), "this kernel's KVM lacks a tracepoint that is needed");
	host.no_attach = NULL;
	assert_int_equal(family_switch(true), 0);
	wake();
	wake();
	read_tables();
	assert_true(time_of("halted") + time_of("ready") > 0);
}

static void test_off(void **state)
{
	(void)state;
	config.ledger = 0;
	family_open("ledger");
	assert_string_equal(family_status(), "switched off: ledger = off in kvm.conf");
	assert_string_equal(attached_events(), "");
}

int main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, setup, family_teardown)
	const struct CMUnitTest tests[] = {
		test(test_events),	  test(test_detach),	   test(test_values),
		test(test_loads_refused), test(test_attach_fails), test(test_off),
	};

	return run_group("ledger family", tests, ARRAY_SIZE(tests));
}
