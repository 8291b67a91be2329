// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* vCPUs in the register, and their VM's sum. */
#include "fakes/fake_vms.h"

#include <errno.h>
#include <string.h>

/* Fixture: a VM with two vCPUs, and values for the VM. */
static struct shown a, a0, a1;

static int setup(void **state)
{
	a = shown_vm(100, 7);
	a0 = shown_vcpu(&a, 11, 0);
	a1 = shown_vcpu(&a, 22, 1);
	a0.values[VCPU_EXITS] = 2;
	a1.values[VCPU_EXITS] = 3;
	a0.values[VCPU_MODE] = a1.values[VCPU_MODE] = 1;
	a0.values[VCPU_DEEP] = 7;
	a1.values[VCPU_DEEP] = 5;
	a0.values[VCPU_HIST + 1] = 11;
	a1.values[VCPU_HIST + 1] = 13;
	return fakes_setup(state);
}

static void assert_sum(uint64_t exits, uint64_t mode, uint64_t deep, uint64_t bucket)
{
	const uint64_t *sum = stat_vm_of(vm_at(100))->sum;

	assert_int_equal(sum[VCPU_EXITS], exits);
	assert_int_equal(sum[VCPU_MODE], mode);
	assert_int_equal(sum[VCPU_DEEP], deep);
	assert_int_equal(sum[VCPU_HIST + 1], bucket);
	assert_int_equal(sum[VCPU_BUSY], 0);
}

static void test_two(void **state)
{
	uint64_t changes;

	(void)state;
	a1.record.thread = 77;
	pass(&a, &a0);
	changes = vms->changes;
	pass(&a, &a0, &a1);
	assert_true(vms->changes > changes);
	assert_vcpus("vmm-7::vcpu0#1 vmm-7::vcpu1#2");
	assert_sum(5, 2, 7, 24);
	assert_int_equal(vm_at(100)->vcpus[0].thread, 0);
	assert_int_equal(vm_at(100)->vcpus[1].thread, 77);
	assert_int_equal(vm_at(100)->vcpus[1].vcpu_id, 1);
	assert_int_equal(stat_vcpu_of(&vm_at(100)->vcpus[1])->values[VCPU_DEEP], 5);
	assert_labels(vm_at(100)->vcpus[1].labels, "{\"vm\":\"vmm\",\"pid\":7,\"vcpu\":1}");
	changes = vms->changes;
	a1.record.thread = 0; /* a kernel that does not know it */
	a1.values[VCPU_EXITS] = 4;
	pass(&a, &a0, &a1);
	assert_int_equal(vm_at(100)->vcpus[1].thread, 77);
	assert_sum(6, 2, 7, 24);
	assert_int_equal(vms->changes, changes);
}

/* Two VMs have vCPUs with the same ids at other addresses. */
static void test_two_vms(void **state)
{
	struct shown b = shown_vm(200, 8), b0 = shown_vcpu(&b, 33, 0);

	(void)state;
	b0.values[VCPU_EXITS] = 9;
	pass(&b, &b0, &a, &a0, &a1);
	assert_vcpus("vmm-7::vcpu0#2 vmm-7::vcpu1#3 vmm-8::vcpu0#1");
	assert_sum(5, 2, 7, 24);
	assert_int_equal(stat_vm_of(vm_at(200))->sum[VCPU_EXITS], 9);
}

/* The vCPU's file is absent from one pass: its gauges are unknown, its counters stay. */
static void test_missed_once(void **state)
{
	uint64_t changes;

	(void)state;
	pass(&a, &a0, &a1);
	for (int i = 0; i < 3; i++) {
		changes = vms->changes;
		pass(&a, &a1);
		assert_vcpus("vmm-7::vcpu1#2");
		assert_sum(5, 1, 5, 24);
		assert_true(vms->changes > changes);
		changes = vms->changes;
		pass(&a, &a0, &a1);
		assert_vcpus("vmm-7::vcpu0#1 vmm-7::vcpu1#2");
		assert_sum(5, 2, 7, 24);
		assert_true(vms->changes > changes);
	}
}

/* A vCPU closed before its VM, or on its way to another process: KVM keeps it, and so do we. */
static void test_missed_often(void **state)
{
	uint64_t changes;

	(void)state;
	pass(&a, &a0, &a1);
	pass(&a, &a1);
	changes = vms->changes;
	for (int i = 0; i < 5; i++) {
		pass(&a, &a1);
		assert_vcpus("vmm-7::vcpu1#2");
		assert_sum(5, 1, 5, 24);
	}
	assert_int_equal(vms->changes, changes);
	pass(&a);
	pass(&a);
	assert_sum(5, 0, 0, 24);
	pass(&a, &a0);
	assert_vcpus("vmm-7::vcpu0#1");
	assert_sum(5, 1, 7, 24);
	a0.values[VCPU_EXITS] += 4;
	pass(&a, &a0, &a1);
	assert_vcpus("vmm-7::vcpu0#1 vmm-7::vcpu1#2");
	assert_sum(9, 2, 7, 24);
}

/* A thread number that is used again is not a hidden vCPU's. */
static void test_thread_again(void **state)
{
	struct shown b = shown_vm(200, 8), b0 = shown_vcpu(&b, 33, 0);

	(void)state;
	a0.record.tid = a1.record.tid = 77;
	a0.record.start = a1.record.start = 5;
	pass(&a, &a0, &a1);
	pass(&a, &a1);
	b0.record.tid = 77;
	b0.record.start = 9;
	pass(&a, &a1, &b, &b0);
	assert_int_equal(vm_at(100)->vcpus[0].tid, 0);
	assert_int_equal(vm_at(100)->vcpus[1].tid, 77); /* it was seen, with the other thread */
	pass(&a, &a0, &a1, &b, &b0);
	assert_int_equal(vm_at(100)->vcpus[0].tid, 77);
}

/* The last thread of a vCPU is known when it has ended, too; and that it has. */
static void test_thread_ends(void **state)
{
	(void)state;
	a0.record.tid = 77;
	a0.record.start = 5;
	pass(&a, &a0);
	assert_true(vm_at(100)->vcpus[0].has_thread);
	a0.record.start = 0;
	pass(&a, &a0);
	assert_false(vm_at(100)->vcpus[0].has_thread);
	assert_int_equal(vm_at(100)->vcpus[0].tid, 77);
	assert_int_equal(vm_at(100)->vcpus[0].start, 5);
}

/* A VM and its vCPU were absent; only the VM comes back. */
static void test_missed_with_its_vm(void **state)
{
	(void)state;
	pass(&a, &a0, &a1);
	pass(NULL);
	assert_vcpus("");
	pass(&a, &a1);
	assert_vcpus("vmm-7::vcpu1#2");
	assert_sum(5, 1, 5, 24);
}

/* Another vCPU reuses the address. */
static void test_address_again(void **state)
{
	(void)state;
	pass(&a, &a0, &a1);
	a1.record.vcpu_id = 2;
	pass(&a, &a0, &a1);
	assert_vcpus("vmm-7::vcpu0#1 vmm-7::vcpu2#3");
	assert_sum(8, 2, 7, 37);
}

/* Without a birth of its VM, counters that fall are another vCPU's. */
static void test_address_again_without_births(void **state)
{
	(void)state;
	a.record.birth = a0.record.birth = a1.record.birth = 0;
	pass(&a, &a0, &a1);
	a0.values[VCPU_MODE] = 0;
	a0.values[VCPU_DEEP] = 6;
	pass(&a, &a0, &a1);
	assert_vcpus("vmm-7::vcpu0#1 vmm-7::vcpu1#2");
	a0.values[VCPU_EXITS] = 1;
	pass(&a, &a0, &a1);
	assert_vcpus("vmm-7::vcpu1#2 vmm-7::vcpu0#3");
	assert_sum(6, 1, 6, 35);
	a1.values[VCPU_HIST + 1]--;
	pass(&a, &a0, &a1);
	assert_vcpus("vmm-7::vcpu0#3 vmm-7::vcpu1#4");
}

/* Somebody resets the counters of a vCPU: it is the same one, and counts on. */
static void test_counters_reset(void **state)
{
	(void)state;
	pass(&a, &a0, &a1);
	a0.values[VCPU_EXITS] = a0.values[VCPU_HIST + 1] = 0;
	pass(&a, &a0, &a1);
	assert_vcpus("vmm-7::vcpu0#1 vmm-7::vcpu1#2");
	assert_sum(5, 2, 7, 24);
	a0.values[VCPU_EXITS] = 9;
	a1.values[VCPU_EXITS] = 0;
	pass(&a, &a0, &a1);
	assert_sum(14, 2, 7, 24);
	assert_int_equal(stat_vcpu_of(&vm_at(100)->vcpus[0])->values[VCPU_EXITS], 11);
	assert_int_equal(stat_vcpu_of(&vm_at(100)->vcpus[1])->values[VCPU_EXITS], 3);
	assert_vcpus("vmm-7::vcpu0#1 vmm-7::vcpu1#2");
}

/* Without memory for the base the values stay as they were, and the next pass tries again. */
static void test_counters_reset_without_memory(void **state)
{
	(void)state;
	pass(&a, &a0);
	a0.values[VCPU_EXITS] = 1;
	vms_begin(vms);
	assert_int_equal(see(&a), 0);
	alloc_fail_at(0);
	assert_int_equal(see(&a0), -ENOMEM);
	assert_true(alloc_failed());
	vms_cancel(vms);
	assert_sum(2, 1, 7, 11);
	pass(&a, &a0);
	assert_vcpus("vmm-7::vcpu0#1");
	assert_sum(2, 1, 7, 11);
	a0.values[VCPU_EXITS] = 2;
	pass(&a, &a0);
	assert_sum(3, 1, 7, 11);
}

/* A vCPU's record must follow one of its VM in the same pass. */
static void test_without_a_vm(void **state)
{
	struct shown b = shown_vm(200, 8), b0 = shown_vcpu(&b, 33, 0);

	(void)state;
	vms_begin(vms);
	assert_int_equal(see(&b0), -EINVAL);
	assert_int_equal(see(&a), 0);
	assert_int_equal(see(&b0), -EINVAL);
	assert_int_equal(see(&b), 0);
	assert_int_equal(see(&b0), 0);
	vms_end(vms);
	vms_begin(vms);
	assert_int_equal(see(&a), 0);
	assert_int_equal(see(&b0), -EINVAL);
	vms_end(vms);
	assert_vms("vmm-7#1");
	assert_vcpus("");
}

/* A record whose size differs from the layout is refused. */
static void test_wrong_size(void **state)
{
	(void)state;
	vms_begin(vms);
	a.record.bytes -= 8;
	assert_int_equal(see(&a), -EINVAL);
	a.record.bytes += 16;
	assert_int_equal(see(&a), -EINVAL);
	a.record.bytes -= 8;
	assert_int_equal(see(&a), 0);
	a0.record.bytes = VM_VALUES * 8;
	assert_int_equal(see(&a0), -EINVAL);
	vms_end(vms);
	assert_vms("vmm-7#1");
	assert_int_equal(vm_at(100)->nvcpus, 0);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, fakes_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		test(test_two),
		test(test_two_vms),
		test(test_missed_once),
		test(test_missed_often),
		test(test_thread_again),
		test(test_thread_ends),
		test(test_missed_with_its_vm),
		test(test_address_again),
		test(test_address_again_without_births),
		test(test_counters_reset),
		test(test_counters_reset_without_memory),
		test(test_without_a_vm),
		test(test_wrong_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
