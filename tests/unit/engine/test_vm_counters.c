// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Sums of VMs and vCPUs, from counters that appear, grow and disappear. */
#include "fakes/support.h"

#include <errno.h>
#include <linux/types.h>
#include <string.h>

#include "engine/vcpu_counters.h"

#define SLOTS 4
#define SLEEP 2 /* the slot of HLT */

/* Counters as in the kernel's map. */
struct test_cell {
	struct thread_counters counters;
	struct reason_counters reason[SLOTS];
};

static struct vcpu vcpus[2];
static struct vm vms_[2];
static struct vm *list[2];
static struct vms vms;
static struct vm_counters all;

static int setup(void **state)
{
	(void)state;
	memset(vcpus, 0, sizeof(vcpus));
	memset(vms_, 0, sizeof(vms_));
	for (int i = 0; i < 2; i++) {
		vcpus[i].id = (uint32_t)i + 11;
		vcpus[i].address = 0x1000 * ((uint64_t)i + 1);
		vcpus[i].tid = (uint32_t)i + 101;
		vms_[i].id = (uint32_t)i + 1;
		vms_[i].vcpus = &vcpus[i];
		vms_[i].nvcpus = 1;
		list[i] = &vms_[i];
	}
	vms = (struct vms){ .list = list, .n = 2 };
	vm_counters_init(&all, SLOTS);
	all.sleeps[SLEEP] = true;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	vm_counters_free(&all);
	return 0;
}

static struct thread_key key_of(uint32_t tid)
{
	return (struct thread_key){ .start = tid * 1000ULL, .tid = tid, .tgid = 100 };
}

/* A read with one thread's counters. */
static int read_one(const struct thread_key *key, const struct test_cell *counters)
{
	int err = vm_counters_begin(&all, &vms);

	if (err)
		return err;
	err = vm_counters_take(&all, key, &counters->counters);
	vm_counters_end(&all);
	return err;
}

static void assert_reason(int vm, unsigned slot, uint64_t count, uint64_t time)
{
	const struct vm_sums *sums = vm_counters_find(&all, &vms_[vm]);

	assert_non_null(sums);
	assert_int_equal(sums->reason[slot].count, count);
	assert_int_equal(sums->reason[slot].time, time);
	assert_int_equal(reason_is_counted(&sums->reason[slot]), count || time);
}

static void assert_vcpu(int vcpu, uint64_t exits, uint64_t guest, uint64_t exit, uint64_t halt)
{
	const struct vcpu_sums *sums = vm_counters_find_vcpu(&all, &vcpus[vcpu]);

	assert_non_null(sums);
	assert_int_equal(sums->exits, exits);
	assert_int_equal(sums->guest_time, guest);
	assert_int_equal(sums->exit_time, exit);
	assert_int_equal(sums->halt_time, halt);
}

static void test_by_address(void **state)
{
	struct test_cell counters = { .counters = { .vcpu = 0x2000, .guest_time = 500 } };
	struct thread_key key = key_of(7); /* whatever thread runs it */

	(void)state;
	counters.reason[1] = (struct reason_counters){ 13, 130, 0 };
	counters.reason[SLEEP] = (struct reason_counters){ 3, 3000, 0 };
	assert_int_equal(read_one(&key, &counters), 0);
	assert_reason(1, 1, 13, 130);
	assert_reason(1, SLEEP, 3, 3000);
	assert_reason(1, 0, 0, 0);
	assert_vcpu(1, 16, 500, 3130, 3000);
	assert_null(vm_counters_find(&all, &vms_[0]));
	assert_null(vm_counters_find_vcpu(&all, &vcpus[0]));
	assert_true(all.grown);
	/* reading again adds nothing; then the increase is added */
	all.grown = false;
	assert_int_equal(read_one(&key, &counters), 0);
	assert_vcpu(1, 16, 500, 3130, 3000);
	counters.reason[1].count++;
	counters.counters.guest_time += 5;
	assert_int_equal(read_one(&key, &counters), 0);
	assert_reason(1, 1, 14, 130);
	assert_vcpu(1, 17, 505, 3130, 3000);
	assert_false(all.grown);
}

static void test_by_thread(void **state)
{
	struct test_cell counters = { 0 };
	struct thread_key key = key_of(101);

	(void)state;
	counters.reason[3].count = 5;
	assert_int_equal(read_one(&key, &counters), 0);
	assert_reason(0, 3, 5, 0);
	/* the TID belongs to another thread now, not to the vCPU's */
	vcpus[0].start = 4711;
	key.start = 4712;
	counters.reason[3].count = 1000;
	assert_int_equal(read_one(&key, &counters), -EAGAIN);
	assert_reason(0, 3, 5, 0);
}

/* Another thread takes over the vCPU, and the first one ends: no sum falls. */
static void test_other_threads(void **state)
{
	struct test_cell one = { .counters = { .vcpu = 0x1000 } }, two = one;
	struct thread_key key1 = key_of(7), key2 = key_of(8);

	(void)state;
	one.reason[1].count = 100;
	assert_int_equal(read_one(&key1, &one), 0);
	assert_true(all.grown);
	all.grown = false;
	two.reason[1].count = 7;
	assert_int_equal(read_one(&key2, &two), 0);
	assert_reason(0, 1, 107, 0);
	assert_int_equal(all.ntaken, 1);
	assert_false(all.grown);
	/* from now on the thread runs the other VM */
	two.counters.vcpu = 0x2000;
	two.reason[1].count = 9;
	assert_int_equal(read_one(&key2, &two), 0);
	assert_reason(0, 1, 107, 0);
	assert_reason(1, 1, 2, 0);
	assert_true(all.grown); /* the reason is new to this VM */
}

/* An unknown VM gets all counts once it is known; a destroyed one is forgotten. */
static void test_vms_come_and_go(void **state)
{
	struct test_cell counters = { .counters = { .vcpu = 0x2000 } };
	struct thread_key key = key_of(7);

	(void)state;
	vms.n = 1;
	counters.reason[1].count = 11;
	for (int i = 0; i < 3; i++)
		assert_int_equal(read_one(&key, &counters), -EAGAIN);
	assert_int_equal(read_one(&key, &counters), 0); /* it was unknown for too many reads */
	assert_null(vm_counters_find(&all, &vms_[1]));
	vms.n = 2;
	assert_int_equal(read_one(&key, &counters), 0);
	assert_reason(1, 1, 11, 0);
	vms.n = 1;
	read_one(&key, &counters);
	assert_null(vm_counters_find(&all, &vms_[1]));
	assert_null(vm_counters_find_vcpu(&all, &vcpus[1]));
	assert_int_equal(all.nvms, 0);
	/* at the same address: another VM, whose sums start at 0 */
	vms_[1].id = 3;
	vcpus[1].id = 13;
	vms.n = 2;
	counters.reason[1].count = 12;
	assert_int_equal(read_one(&key, &counters), 0);
	assert_reason(1, 1, 1, 0);
}

static void test_many_in_any_order(void **state)
{
	static const uint32_t tids[] = { 9, 3, 7, 1, 8, 2 };
	struct test_cell counters = { .counters = { .vcpu = 0x1000 } };

	(void)state;
	for (int round = 0; round < 2; round++) {
		counters.reason[1].count++;
		assert_int_equal(vm_counters_begin(&all, &vms), 0);
		for (size_t i = 0; i < ARRAY_SIZE(tids); i++) {
			struct thread_key key = key_of(tids[i]);

			assert_int_equal(vm_counters_take(&all, &key, &counters.counters), 0);
		}
		vm_counters_end(&all);
	}
	assert_int_equal(all.ntaken, ARRAY_SIZE(tids));
	for (size_t i = 1; i < all.ntaken; i++)
		assert_true(thread_key_compare(&all.taken[i - 1].key, &all.taken[i].key) < 0);
	assert_reason(0, 1, 2 * ARRAY_SIZE(tids), 0);
}

static void test_no_memory(void **state)
{
	struct test_cell counters = { .counters = { .vcpu = 0x1000 } };
	struct thread_key key = key_of(7);
	unsigned n = 0;
	int err;

	(void)state;
	counters.reason[1].count = 5;
	do {
		alloc_fail_at(n++);
		err = read_one(&key, &counters);
		assert_true(err == 0 || err == -ENOMEM);
	} while (alloc_failed());
	assert_true(n > 5);
	assert_int_equal(err, 0);
	assert_reason(0, 1, 5, 0);
}

static void test_order_of_keys(void **state)
{
	struct thread_key first = { 5, 0, 7, 8 }, key;

	(void)state;
	assert_int_equal(thread_key_compare(&first, &first), 0);
	for (int i = 0; i < 4; i++) {
		key = first;
		key.start += i == 0;
		key.tid += i == 1;
		key.tgid += i == 2;
		key.vcpu += i == 3;
		assert_true(thread_key_compare(&first, &key) < 0);
		assert_true(thread_key_compare(&key, &first) > 0);
	}
}

#define vms_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		vms_test(test_by_address),
		vms_test(test_by_thread),
		vms_test(test_other_threads),
		vms_test(test_vms_come_and_go),
		vms_test(test_many_in_any_order),
		vms_test(test_no_memory),
		cmocka_unit_test(test_order_of_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
