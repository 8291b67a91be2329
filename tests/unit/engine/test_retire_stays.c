// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Pinned records of threads that have ended stay while their vCPU is there, for the next agent. */
#include "fakes/fake_engine.h"
#include "fakes/support.h"

#include <string.h>
#include <unistd.h>

#include "engine/retire.h"

#define SLOTS  200
#define SECOND UINT64_C(1000000000)

enum { READ_CR0 = 9 };

static struct vcpu vcpu = { .id = 11, .address = 0x1000 };
static struct vm vm = { .id = 1, .vcpus = &vcpu, .nvcpus = 1 };
static struct vm *list[] = { &vm };
static struct vms vms;
static struct vcpu_counters counters;
static struct vm_counters of_vms;
static struct pins pins; /* only its address counts */
static uint64_t now;

static int setup(void **state)
{
	vm.pass = vcpu.pass = 0;
	vms = (struct vms){ .list = list, .n = 1, .passes = (void *)&vms };
	vcpu.id = 11;
	now = 100 * SECOND;
	vcpu_counters_init(&counters, "exit", 1, SLOTS, REASONS_SVM, &fake_engine_cpus, "proc");
	vm_counters_init(&of_vms, &counters);
	fake_engine_load(&counters);
	return work_setup(state);
}

static int teardown(void **state)
{
	vm_counters_free(&of_vms);
	fake_engine_unload(&counters);
	fake_engine_free();
	return work_teardown(state);
}

static void tick_fast(void)
{
	vcpu_counters_walk(&counters);
	assert_int_equal(vm_counters_update(&of_vms, &vms), 0);
	retire_tick(&of_vms, &vms, now, RETIRE_TICK);
	assert_int_equal(vm_counters_update(&of_vms, &vms), 0);
	now += SECOND;
}

static void tick(void)
{
	tick_fast();
	assert_pools(&counters);
}

static void assert_counts(uint64_t host, uint64_t of_vm)
{
	struct slot_sums sums;

	vcpu_counters_read(&counters);
	assert_int_equal(counters.total[READ_CR0].count, host);
	assert_int_equal(counters.total[READ_CR0].time, host * 10);
	vm_counters_sum(&of_vms, 1, 0, READ_CR0, &sums);
	assert_int_equal(sums.count, of_vm);
}

static void take_over(void)
{
	vm_counters_free(&of_vms);
	fake_engine_unload(&counters);
	vcpu_counters_init(&counters, "exit", 1, SLOTS, REASONS_SVM, &fake_engine_cpus, "proc");
	fake_engine_take_over(&counters);
	assert_pools(&counters);
}

static unsigned settled;

static int settle(void *data, uint32_t number)
{
	(void)data;
	(void)number;
	settled++;
	return 0;
}

/* Pinned records of ended threads stay, until their VM ends: the next agent finds them. */
static void test_stays(void **state)
{
	uint32_t one = fake_record(1, 0x1000, false), other = fake_record(2, 0x1000, false);

	(void)state;
	settled = 0;
	for (int agent = 0; agent < 2; agent++) {
		counters.records.pins = &pins;
		counters.settle = settle;
		if (!agent) {
			fake_count(one, READ_CR0, 13, 10, 3);
			fake_count(other, READ_CR0, 5, 10, 3);
			fake_engine->records[one].head.ended = 1;
		}
		for (int i = 0; i < 6; i++) {
			tick();
			assert_counts(18, 18);
			assert_int_equal(pool_used(&counters.records), 2);
			assert_int_equal(settled, agent + 1);
		}
		assert_int_equal(fake_engine->ended[READ_CR0].count, 0);
		if (!agent)
			take_over();
	}
	/* it is away, or has ended */
	vms.pass++;
	vms.changes++;
	for (int i = 0; i < 3; i++) {
		tick();
		assert_counts(18, 18);
	}
	assert_int_equal(pool_used(&counters.records), 1);
	vms.n = 0;
	vms.changes++;
	for (int i = 0; i < 3; i++)
		tick();
	assert_counts(18, 0);
	assert_int_equal(pool_used(&counters.records), 0);
}

/* Half of the room is for threads that run. */
static void test_stays_while_there_is_room(void **state)
{

	(void)state;
	counters.records.pins = &pins;
	for (uint32_t i = 1; i < FAKE_RECORDS; i++) {
		uint32_t number = fake_record(i, 0x1000, false);

		fake_count(number, READ_CR0, 1, 10, 3);
		fake_engine->records[number].head.ended = 1;
		tick();
		assert_counts(i, i);
		assert_int_equal(pool_used(&counters.records),
				 i < FAKE_RECORDS / 2 ? i : FAKE_RECORDS / 2 - 1);
	}
}

static void test_stays_while_there_are_blocks(void **state)
{
	uint32_t one = fake_record(1, 0x1000, false), other = fake_record(2, 0x1000, false);

	(void)state;
	counters.records.pins = &pins;
	fake_count(one, READ_CR0, 13, 10, 3);
	fake_engine->records[one].head.ended = 1;
	for (unsigned slot = 0; pool_used(&counters.blocks) < FAKE_BLOCKS / 2; slot++) {
		tick();
		assert_int_equal(pool_used(&counters.records), 2);
		fake_count(other, slot, 1, 10, 3);
	}
	tick();
	assert_int_equal(pool_used(&counters.records), 1);
}

/* The address of the vCPU of a thread that ended, maybe long ago, is another VM's now. */
static void test_another_process(void **state)
{
	uint32_t one = fake_record(1, 0x1000, false), other = fake_record(2, 0x1000, false);

	(void)state;
	counters.records.pins = &pins;
	vm.is_creators = true;
	vm.pid = fake_engine->records[other].head.tgid;
	fake_engine->records[one].head.tgid = vm.pid + 1;
	fake_count(one, READ_CR0, 13, 10, 3);
	fake_count(other, READ_CR0, 5, 10, 3);
	fake_engine->records[one].head.ended = fake_engine->records[other].head.ended = 1;
	for (int i = 0; i < 5; i++)
		tick_fast();
	assert_counts(18, 5);
	assert_int_equal(pool_used(&counters.records), 1);
	vm.is_creators = false;
}

#define retire_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		retire_test(test_stays),
		retire_test(test_stays_while_there_is_room),
		retire_test(test_stays_while_there_are_blocks),
		retire_test(test_another_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
