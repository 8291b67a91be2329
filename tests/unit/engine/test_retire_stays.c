// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Pinned records of threads that have ended stay while their vCPU is there, for the next agent. */
#include "fakes/fake_engine.h"
#include "fakes/fake_retire.h"
#include "fakes/support.h"

#include <string.h>
#include <unistd.h>

#include "engine/retire.h"

static struct pins pins; /* only its address counts */
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
		scene.counters.records.pins = &pins;
		scene.counters.settle = settle;
		if (!agent) {
			fake_count(one, READ_CR0, 13, 10, 3);
			fake_count(other, READ_CR0, 5, 10, 3);
			fake_engine->records[one].head.ended = 1;
		}
		for (int i = 0; i < 6; i++) {
			scene_tick();
			assert_scene(18, 18);
			assert_int_equal(pool_used(&scene.counters.records), 2);
			assert_int_equal(settled, agent + 1);
		}
		assert_int_equal(fake_engine->ended[READ_CR0].count, 0);
		if (!agent)
			scene_take_over();
	}
	/* it is away, or has ended */
	scene.vms.pass++;
	scene.vms.changes++;
	for (int i = 0; i < 3; i++) {
		scene_tick();
		assert_scene(18, 18);
	}
	assert_int_equal(pool_used(&scene.counters.records), 1);
	scene.vms.n = 0;
	scene.vms.changes++;
	for (int i = 0; i < 3; i++)
		scene_tick();
	assert_scene(18, 0);
	assert_int_equal(pool_used(&scene.counters.records), 0);
}

/* Half of the room is for threads that run. */
static void test_stays_while_there_is_room(void **state)
{

	(void)state;
	scene.counters.records.pins = &pins;
	for (uint32_t i = 1; i < FAKE_RECORDS; i++) {
		uint32_t number = fake_record(i, 0x1000, false);

		fake_count(number, READ_CR0, 1, 10, 3);
		fake_engine->records[number].head.ended = 1;
		scene_tick();
		assert_scene(i, i);
		assert_int_equal(pool_used(&scene.counters.records),
				 i < FAKE_RECORDS / 2 ? i : FAKE_RECORDS / 2 - 1);
	}
}

static void test_stays_while_there_are_blocks(void **state)
{
	uint32_t one = fake_record(1, 0x1000, false), other = fake_record(2, 0x1000, false);

	(void)state;
	scene.counters.records.pins = &pins;
	fake_count(one, READ_CR0, 13, 10, 3);
	fake_engine->records[one].head.ended = 1;
	for (unsigned slot = 0; pool_used(&scene.counters.blocks) < FAKE_BLOCKS / 2; slot++) {
		scene_tick();
		assert_int_equal(pool_used(&scene.counters.records), 2);
		fake_count(other, slot, 1, 10, 3);
	}
	scene_tick();
	assert_int_equal(pool_used(&scene.counters.records), 1);
}

/* The address of the vCPU of a thread that ended, maybe long ago, is another VM's now. */
static void test_another_process(void **state)
{
	uint32_t one = fake_record(1, 0x1000, false), other = fake_record(2, 0x1000, false);

	(void)state;
	scene.counters.records.pins = &pins;
	scene.vm.is_creators = true;
	scene.vm.pid = fake_engine->records[other].head.tgid;
	fake_engine->records[one].head.tgid = scene.vm.pid + 1;
	fake_count(one, READ_CR0, 13, 10, 3);
	fake_count(other, READ_CR0, 5, 10, 3);
	fake_engine->records[one].head.ended = fake_engine->records[other].head.ended = 1;
	for (int i = 0; i < 5; i++)
		scene_tick_fast();
	assert_scene(18, 5);
	assert_int_equal(pool_used(&scene.counters.records), 1);
}

#define retire_test(test) cmocka_unit_test_setup_teardown(test, scene_setup, scene_teardown)

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
