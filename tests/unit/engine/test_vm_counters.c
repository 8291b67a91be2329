// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Whose records are whose, and sums of VMs and vCPUs over them. */
#include "fakes/fake_engine.h"
#include "fakes/support.h"

#include <errno.h>
#include <string.h>

#include "engine/vm_counters.h"

#define SLOTS 200

enum { READ_CR0 = 9, CPUID = 123, HLT = 129 }; /* slots of REASONS_SVM */

static struct vcpu vcpus[3];
static struct vm vm_list[2];
static struct vm *list[2];
static struct vms vms;
static struct vcpu_counters counters;
static struct vm_counters of_vms;

/* VM 1 has vCPUs 11 and 12, VM 2 has vCPU 13, at addresses 0x1000, 0x2000, 0x3000. */
static int setup(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		vcpus[i] =
			(struct vcpu){ .id = 11 + i, .address = 0x1000 * (i + 1), .tid = 101 + i };
	vm_list[0] = (struct vm){ .id = 1, .vcpus = &vcpus[0], .nvcpus = 2 };
	vm_list[1] = (struct vm){ .id = 2, .vcpus = &vcpus[2], .nvcpus = 1 };
	list[0] = &vm_list[0];
	list[1] = &vm_list[1];
	vms = (struct vms){ .list = list, .n = 2 };
	vcpu_counters_init(&counters, "exit", 1, SLOTS, REASONS_SVM, &fake_engine_cpus, "proc");
	vm_counters_init(&of_vms, &counters);
	fake_engine_load(&counters);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	vm_counters_free(&of_vms);
	fake_engine_unload(&counters);
	fake_engine_free();
	return 0;
}

static void update(void)
{
	vcpu_counters_walk(&counters);
	assert_true(vcpu_counters_read_buckets(&counters) >= 0);
	assert_int_equal(vm_counters_update(&of_vms, &vms), 0);
}

static void assert_sums(uint32_t vm, uint32_t vcpu, unsigned slot, uint64_t count, uint64_t time,
			uint64_t max)
{
	struct slot_sums sums;

	update();
	vm_counters_sum(&of_vms, vm, vcpu, slot, &sums);
	assert_int_equal(sums.count, count);
	assert_int_equal(sums.time, time);
	assert_int_equal(sums.max, max);
}

static void test_sums(void **state)
{
	uint32_t one, other, further;

	(void)state;
	assert_sums(1, 0, READ_CR0, 0, 0, 0);
	one = fake_record(1, 0x1000, false);
	other = fake_record(2, 0x2000, false);
	further = fake_record(2, 0x3000, true);
	fake_count(one, READ_CR0, 13, 10, 3);
	fake_count(other, READ_CR0, 5, 16, 4);
	fake_count(further, READ_CR0, 2, 1, 0);
	assert_sums(1, 11, READ_CR0, 13, 130, 10);
	assert_sums(1, 12, READ_CR0, 5, 80, 16);
	assert_sums(1, 0, READ_CR0, 18, 210, 16);
	assert_sums(2, 13, READ_CR0, 2, 2, 1);
	assert_sums(2, 0, READ_CR0, 2, 2, 1);
	assert_sums(2, 0, CPUID, 0, 0, 0);
	assert_sums(3, 0, READ_CR0, 0, 0, 0);
	assert_int_equal(vm_counters_bucket(&of_vms, 1, READ_CR0, 4), 5);
	assert_int_equal(vm_counters_bucket(&of_vms, 2, READ_CR0, 4), 0);
}

static void test_totals(void **state)
{
	struct slot_sums sums, halts;
	uint64_t guest_time;
	uint32_t one, other;

	(void)state;
	update();
	assert_false(vm_counters_total(&of_vms, 1, 0, &sums, &halts, &guest_time));
	one = fake_record(1, 0x1000, false);
	other = fake_record(2, 0x2000, false);
	fake_count(one, READ_CR0, 13, 10, 3);
	fake_count(other, HLT, 5, 16, 4);
	fake_count(other, CPUID, 2, 1, 0);
	fake_engine->records[one].head.guest_time = 1000;
	fake_engine->records[other].head.guest_time = 500;
	update();
	assert_true(vm_counters_total(&of_vms, 1, 0, &sums, &halts, &guest_time));
	assert_int_equal(sums.count, 20);
	assert_int_equal(sums.time, 212);
	assert_int_equal(halts.time, 80);
	assert_int_equal(guest_time, 1500);
	assert_true(vm_counters_total(&of_vms, 1, 12, &sums, &halts, &guest_time));
	assert_int_equal(sums.count, 7);
	assert_int_equal(guest_time, 500);
	assert_false(vm_counters_total(&of_vms, 2, 0, &sums, &halts, &guest_time));
}

/* Two threads run a vCPU one after the other: its counts are those of both. */
static void test_migration(void **state)
{
	uint32_t one = fake_record(1, 0x1000, false), other;

	(void)state;
	fake_count(one, READ_CR0, 13, 10, 3);
	assert_sums(1, 11, READ_CR0, 13, 130, 10);
	other = fake_record(2, 0x1000, false);
	fake_count(other, READ_CR0, 1, 10, 3);
	assert_sums(1, 11, READ_CR0, 14, 140, 10);
}

/* Where events name no vCPU, the thread says whose a record is, once and for all. */
static void test_by_thread(void **state)
{
	uint32_t one = fake_record(101, 0, false);

	(void)state;
	fake_count(one, READ_CR0, 13, 10, 3);
	assert_sums(1, 11, READ_CR0, 13, 130, 10);
	vcpus[0].tid = 999; /* another thread runs it now */
	vms.changes++;
	assert_sums(1, 11, READ_CR0, 13, 130, 10);
	vcpus[1].start = 20000000; /* the TID is another thread's now */
	fake_record(102, 0, false);
	update();
	assert_int_equal(of_vms.unknown, 1);
	vcpus[1].start = 10000000;
	update();
	assert_int_equal(of_vms.unknown, 0);
}

/* A vCPU that the register does not know yet. */
static void test_unknown(void **state)
{
	uint32_t one = fake_record(1, 0x9000, false);

	(void)state;
	fake_count(one, READ_CR0, 13, 10, 3);
	assert_sums(2, 0, READ_CR0, 0, 0, 0);
	vcpus[2].address = 0x9000;
	vms.changes++;
	assert_sums(2, 0, READ_CR0, 13, 130, 10);
}

/* A vCPU of a new VM has the address of one that the register still keeps, hidden. */
static void test_hidden(void **state)
{
	uint32_t one = fake_record(1, 0x1000, false);

	(void)state;
	vms.pass = 1;
	vm_list[1].pass = vcpus[2].pass = 1;
	vcpus[2].address = 0x1000;
	fake_count(one, READ_CR0, 13, 10, 3);
	assert_sums(2, 13, READ_CR0, 13, 130, 10);
	assert_sums(1, 0, READ_CR0, 0, 0, 0);
	vms.pass = 2; /* hidden, it stays its record's */
	vms.changes++;
	assert_sums(2, 13, READ_CR0, 13, 130, 10);
	fake_record(2, 0x1000, false);
	update();
	assert_int_equal(of_vms.unknown, 1);
}

/* The same in a record that exists: from the first pass that sees the new one it is nobody's. */
static void test_replaced(void **state)
{
	uint32_t one = fake_record(1, 0x1000, false);

	(void)state;
	fake_count(one, READ_CR0, 13, 10, 3);
	assert_sums(1, 11, READ_CR0, 13, 130, 10);
	vms.pass = vms.changes = 1;
	vm_list[1].pass = vcpus[2].pass = 1;
	vcpus[2].address = 0x1000;
	assert_sums(2, 0, READ_CR0, 0, 0, 0);
	assert_sums(1, 0, READ_CR0, 13, 130, 10);
	assert_int_equal(of_vms.uses[one].gone, RECORD_GONE);
}

/* Once a vCPU is gone, its record is no other's, even if an address comes again. */
static void test_gone(void **state)
{
	uint32_t one = fake_record(1, 0x1000, false);

	(void)state;
	fake_count(one, READ_CR0, 13, 10, 3);
	assert_sums(1, 11, READ_CR0, 13, 130, 10);
	vcpus[0].id = 99; /* another vCPU, at the same address */
	vms.changes++;
	assert_sums(1, 0, READ_CR0, 13, 130, 10);
	assert_sums(1, 99, READ_CR0, 0, 0, 0);
	assert_int_equal(of_vms.uses[one].gone, RECORD_GONE);
	vms.n = 0;
	vms.changes++;
	assert_sums(1, 0, READ_CR0, 0, 0, 0);
	vms.n = 2;
	vm_list[0].id = 3;
	vms.changes++;
	assert_sums(3, 0, READ_CR0, 0, 0, 0);
}

/* What is kept of a retired record counts as long as its VM runs, and then no more. */
static void test_kept(void **state)
{
	uint32_t one = fake_record(1, 0x1000, false), other = fake_record(2, 0x1000, false);
	struct slot_use slots[COUNTER_SLOTS_MAX];
	struct slot_sums sums, halts;
	uint64_t guest_time;

	(void)state;
	fake_count(one, READ_CR0, 13, 10, 3);
	fake_count(one, CPUID, 1, 1, 0);
	fake_count(other, READ_CR0, 2, 20, 4);
	fake_engine->records[one].head.guest_time = 77;
	update();
	assert_int_equal(vm_counters_keep(&of_vms, one), 0);
	memset(&fake_engine->records[one], 0, sizeof(struct fake_record));
	of_vms.uses[one] = (struct record_use){ 0 };
	of_vms.outdated = true;
	assert_sums(1, 11, READ_CR0, 15, 170, 20);
	assert_sums(1, 0, CPUID, 1, 1, 1);
	assert_int_equal(vm_counters_bucket(&of_vms, 1, READ_CR0, 3), 13);
	vm_counters_total(&of_vms, 1, 11, &sums, &halts, &guest_time);
	assert_int_equal(sums.count, 16);
	assert_int_equal(guest_time, 77);
	vm_counters_slots(&of_vms, 1, 0, slots);
	assert_true(slots[CPUID].has);
	assert_int_equal(slots[READ_CR0].buckets, 1U << 3 | 1U << 4);
	/* its vCPU goes, the VM stays */
	vm_list[0].vcpus = &vcpus[1];
	vm_list[0].nvcpus = 1;
	vms.changes++;
	assert_sums(1, 0, READ_CR0, 15, 170, 20);
	assert_sums(1, 12, READ_CR0, 0, 0, 0);
	vms.list = &list[1];
	vms.n = 1;
	vms.changes++;
	assert_sums(1, 0, READ_CR0, 0, 0, 0);
	assert_int_equal(of_vms.nkept, 0);
}

static void test_slots(void **state)
{
	struct slot_use slots[COUNTER_SLOTS_MAX];
	uint32_t one = fake_record(1, 0x1000, false);

	(void)state;
	fake_engine->codes[1] = fake_engine->codes[3] = 0x4d2;
	fake_count(one, 3, 13, 10, 3);
	fake_count(one, CPUID, 13, 10, 31);
	update();
	vm_counters_slots(&of_vms, 1, 11, slots);
	for (unsigned slot = 0; slot < COUNTER_SLOTS_MAX; slot++)
		assert_int_equal(slots[slot].has, slot == 1 || slot == CPUID);
	assert_int_equal(slots[1].buckets, 8);
	assert_int_equal(slots[CPUID].buckets, 1U << 31);
	assert_sums(1, 0, 1, 13, 130, 10);
	vm_counters_slots(&of_vms, 1, 12, slots);
	assert_false(slots[CPUID].has);
}

/* Nothing is done while nothing has changed. */
static void test_unchanged(void **state)
{
	uint64_t generation;

	(void)state;
	fake_record(1, 0x1000, false);
	update();
	generation = of_vms.generation;
	update();
	assert_int_equal(of_vms.generation, generation);
	fake_record(2, 0x2000, false);
	update();
	assert_int_equal(of_vms.generation, generation + 1);
	vms.changes++;
	update();
	assert_int_equal(of_vms.generation, generation + 2);
}

static void test_no_memory(void **state)
{
	uint32_t one = fake_record(1, 0x1000, false);
	unsigned n = 0;
	int err;

	(void)state;
	fake_count(one, READ_CR0, 13, 10, 3);
	vcpu_counters_walk(&counters);
	do {
		alloc_fail_at(n++);
		err = vm_counters_update(&of_vms, &vms);
		assert_true(err == 0 || err == -ENOMEM);
	} while (alloc_failed());
	assert_true(n > 2);
	assert_sums(1, 0, READ_CR0, 13, 130, 10);
	n = 0;
	do {
		alloc_fail_at(n++);
		err = vm_counters_keep(&of_vms, one);
		assert_true(err == 0 || err == -ENOMEM);
		assert_true(err == 0 || !of_vms.nkept || !of_vms.kept[0].sum.count);
	} while (alloc_failed());
	assert_sums(1, 0, READ_CR0, 26, 260, 10); /* it is still there, too */
}

#define vms_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		vms_test(test_sums),	  vms_test(test_totals),    vms_test(test_migration),
		vms_test(test_by_thread), vms_test(test_unknown),   vms_test(test_gone),
		vms_test(test_hidden),	  vms_test(test_replaced),  vms_test(test_kept),
		vms_test(test_slots),	  vms_test(test_unchanged), vms_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
