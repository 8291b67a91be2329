// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Records are taken back when their threads have ended or their vCPUs are gone, and not before. */
#include "fakes/fake_engine.h"
#include "fakes/fake_retire.h"
#include "fakes/support.h"

#include <string.h>
#include <unistd.h>

#include "engine/retire.h"

enum { CPUID = 123 };

/* A thread counts once, whatever becomes of it, for the host and its VM. */
static void test_ended_thread(void **state)
{
	uint32_t one = fake_record(1, 0x1000, false), other = fake_record(2, 0x1000, false);

	(void)state;
	fake_count(one, READ_CR0, 13, 10, 3);
	fake_count(other, READ_CR0, 5, 10, 3);
	scene_tick();
	assert_scene(18, 18);
	fake_engine->records[one].head.ended = 1;
	for (int i = 0; i < 4; i++) {
		scene_tick();
		assert_scene(18, 18);
		assert_int_equal(pool_used(&scene.counters.records), 1);
		assert_int_equal(fake_indexed(), 1);
	}
	assert_int_equal(fake_engine->ended[READ_CR0].count, 13);
	assert_int_equal(fake_engine->state.isa, REASONS_SVM + 1);
	/* its number is another thread's, of no VM */
	for (int i = 0; i < 6; i++)
		fake_count(fake_record(10 + (uint32_t)i, 0x7000, false), READ_CR0, 1, 10, 3);
	scene_tick();
	assert_scene(24, 18);
}

/* Records of further vCPUs end with their thread, although only the first is marked. */
static void test_further_vcpus(void **state)
{
	uint32_t first = fake_record(1, 0x1000, false), further = fake_record(1, 0x2000, true);
	uint32_t other = fake_record(2, 0x2000, true);

	(void)state;
	scene.vms.passes = NULL;
	fake_count(first, READ_CR0, 1, 10, 3);
	fake_count(further, READ_CR0, 2, 10, 3);
	fake_count(other, READ_CR0, 4, 10, 3);
	fake_engine->records[first].head.ended = 1;
	scene_tick();
	scene_tick();
	assert_scene(7, 1);
	assert_int_equal(pool_used(&scene.counters.records), 1);
	assert_int_equal(fake_engine->records[other].head.start, 10000000);
}

/* The vCPU of a thread that has ended may still appear in the register. */
static void test_waits_for_the_register(void **state)
{
	uint32_t one = fake_record(1, 0x5000, false), never = fake_record(2, 0x6000, false);

	(void)state;
	fake_count(one, READ_CR0, 13, 10, 3);
	fake_count(never, READ_CR0, 2, 10, 3);
	fake_engine->records[one].head.ended = fake_engine->records[never].head.ended = 1;
	scene_tick();
	scene_tick();
	assert_int_equal(pool_used(&scene.counters.records), 2);
	scene.vcpu.address = 0x5000;
	scene.vms.changes++;
	scene_tick();
	assert_scene(15, 13);
	assert_int_equal(pool_used(&scene.counters.records), 1);
	scene_tick();
	assert_scene(15, 13);
	assert_int_equal(pool_used(&scene.counters.records), 0);
}

/*
 * A living thread's vCPU is closed: the thread finds the record no more, but a program may hold it
 * still, so it is taken back a second later.
 */
static void test_closed_vcpu(void **state)
{
	uint32_t one = fake_record(1, 0x1000, false), anew;

	(void)state;
	fake_count(one, READ_CR0, 13, 10, 3);
	scene_tick();
	scene.vcpu.id = 12; /* another one, at the same address */
	scene.vms.changes++;
	scene.now -= SECOND / 2;
	scene_tick();
	assert_int_equal(fake_indexed(), 0);
	assert_int_equal(fake_engine->records[one].head.start, RECORD_GONE);
	assert_scene(13, 13);
	fake_count(one, READ_CR0, 1, 10, 3); /* by that program */
	assert_scene(14, 14);
	anew = fake_record(1, 0x1000, false);
	fake_count(anew, READ_CR0, 2, 10, 3);
	scene.now -= SECOND / 2;
	scene_tick();
	assert_int_equal(pool_used(&scene.counters.records), 2);
	scene_tick();
	assert_int_equal(pool_used(&scene.counters.records), 1);
	assert_scene(16, 16);
}

/* A VM ends while its thread goes on. */
static void test_closed_vm(void **state)
{
	uint32_t one = fake_record(1, 0x1000, false);

	(void)state;
	fake_count(one, READ_CR0, 13, 10, 3);
	scene_tick();
	scene.vms.n = 0;
	scene.vms.changes++;
	for (int i = 0; i < 3; i++) {
		scene_tick();
		assert_scene(13, 0);
	}
	assert_int_equal(pool_used(&scene.counters.records), 0);
	assert_int_equal(pool_used(&scene.counters.blocks), 0);
}

static void test_maxima(void **state)
{
	uint32_t one = fake_record(1, 0x1000, false), other;

	(void)state;
	fake_count(one, READ_CR0, 1, 10, 3);
	fake_engine->records[one].head.ended = 1;
	scene_tick();
	vcpu_counters_read(&scene.counters);
	assert_int_equal(scene.counters.total[READ_CR0].max, 10);
	vcpu_counters_reset_max(&scene.counters);
	other = fake_record(2, 0x1000, false);
	fake_count(other, READ_CR0, 1, 4, 2);
	fake_engine->records[other].head.ended = 1;
	scene_tick();
	vcpu_counters_read(&scene.counters);
	assert_int_equal(scene.counters.total[READ_CR0].max, 4);
}

/* Rounds of threads that come and go: nothing leaks, and totals are exact. */
static void test_many_threads(void **state)
{
	uint64_t want = 0;

	(void)state;
	for (uint32_t round = 0; round < 500; round++) {
		uint32_t n = 1 + round % (FAKE_RECORDS - 1);

		for (uint32_t i = 0; i < n; i++) {
			uint32_t one = fake_record(1000 * round + i, 0x1000, false);

			fake_count(one, READ_CR0, i + 1, 10, 3);
			fake_count(one, CPUID, 1, 10, 3);
			fake_engine->records[one].head.ended = 1;
			want += i + 1;
		}
		scene_tick();
		assert_scene(want, want);
		assert_int_equal(pool_used(&scene.counters.records), 0);
	}
	assert_int_equal(scene.of_vms.nkept, 3);
}

/* A tick takes back as many as it is told, those that are left at the next. */
static void test_bounded(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 7; i++) {
		uint32_t one = fake_record(1 + i, 0x1000, false);

		fake_count(one, READ_CR0, 1, 10, 3);
		fake_engine->records[one].head.ended = 1;
	}
	for (uint32_t left = 7; left; left = left > 3 ? left - 3 : 0) {
		assert_int_equal(pool_used(&scene.counters.records), left);
		assert_int_equal(vm_counters_update(&scene.of_vms, &scene.vms), 0);
		retire_tick(&scene.of_vms, &scene.vms, scene.now, 3);
	}
	assert_int_equal(pool_used(&scene.counters.records), 0);
	assert_int_equal(vm_counters_update(&scene.of_vms, &scene.vms), 0);
	assert_scene(7, 7);
}

/* VMs that come and go, at one address, half of them while their thread goes on: nothing stays. */
static void test_many_vms(void **state)
{
	enum { VMS = 10000, TICKS = 3 };

	(void)state;
	for (uint32_t i = 0; i < VMS; i++) {
		uint32_t one;

		scene.vm.id = 100 + i;
		scene.vcpu.id = 100000 + i;
		scene.vms.n = 1;
		scene.vms.changes++;
		one = fake_record(1 + i % 2, 0x1000, false);
		fake_count(one, READ_CR0, 2, 10, 3);
		scene_tick_fast();
		fake_engine->records[one].head.ended = i % 2;
		scene_tick_fast();
		assert_int_equal(scene.of_vms.nkept > 0, i % 2); /* the VM still has its counts */
		scene.vms.n = 0;
		scene.vms.changes++;
		for (int j = 0; j < TICKS; j++)
			scene_tick_fast();
		assert_int_equal(pool_used(&scene.counters.records), 0);
		assert_int_equal(pool_used(&scene.counters.blocks), 0);
		assert_int_equal(fake_indexed(), 0);
		assert_int_equal(scene.of_vms.nkept, 0);
		assert_int_equal(scene.of_vms.nplaces, 0);
	}
	assert_pools(&scene.counters);
	assert_scene(2 * VMS, 0);
}

/* --- taking over --- */

static void test_take_over(void **state)
{
	uint32_t one = fake_record(1, 0x1000, false), other = fake_record(2, 0x2000, false);

	(void)state;
	fake_count(one, READ_CR0, 13, 10, 3);
	fake_count(other, READ_CR0, 5, 10, 3);
	fake_engine->nqueues[0] = fake_engine->nqueues[1] = 0; /* lost */
	scene_take_over();
	scene_tick();
	assert_scene(18, 13);
	assert_int_equal(pool_used(&scene.counters.records), 2);
	assert_int_equal(fake_indexed(), 2);
	fake_engine->records[other].head.ended = 1;
	for (int i = 0; i < 4; i++)
		scene_tick();
	assert_scene(18, 13);
	assert_int_equal(pool_used(&scene.counters.records), 1);
}

/* Entries that lead nowhere, records that nothing leads to, blocks that are no record's. */
static void test_take_over_debris(void **state)
{
	uint32_t lost = fake_record(1, 0x1000, false), gone = fake_record(2, 0x2000, false);

	(void)state;
	fake_count(lost, READ_CR0, 13, 10, 3);
	fake_count(gone, READ_CR0, 5, 10, 3);
	fake_engine->index[0].number = 0;
	fake_engine->records[gone].head.start = RECORD_GONE;
	fake_engine->index[4].key = (struct record_key){ .start = 7, .tid = 7 };
	fake_engine->index[4].number = 3;
	fake_engine->index[5].key = (struct record_key){ .start = 8, .tid = 8 };
	fake_engine->index[5].number = FAKE_RECORDS + 100;
	fake_engine->records[5].head.vcpu = 0x4444;
	fake_engine->records[gone].blocks[CPUID] = FAKE_BLOCKS + 3;
	scene_take_over();
	assert_int_equal(fake_indexed(), 0);
	scene_tick();
	assert_scene(18, 0);
	assert_int_equal(pool_used(&scene.counters.records), 0);
}

/* --- /proc --- */

static void proc_thread(uint32_t tid, unsigned long long start)
{
	char path[64], text[256];

	snprintf(path, sizeof(path), "proc/5/task/%u", tid);
	make_folders(path);
	snprintf(path, sizeof(path), "proc/5/task/%u/stat", tid);
	snprintf(text, sizeof(text),
		 "%u (a) b (c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 %llu 20 21\n", tid,
		 start);
	write_text(path, text);
}

static void proc_make(const char *pid_namespace)
{
	make_folders("proc/1");
	write_text("proc/1/stat", "1 (init) S\n");
	make_folders("proc/self/ns");
	assert_int_equal(symlink(pid_namespace, "proc/self/ns/pid"), 0);
	assert_int_equal(symlink("time:[4026531834]", "proc/self/ns/time"), 0);
}

static void test_reap(void **state)
{
	uint32_t there = fake_record(1, 0x1000, false), ended = fake_record(2, 0x1000, false);
	uint32_t reused = fake_record(3, 0x1000, false);

	(void)state;
	proc_make("pid:[4026531836]");
	proc_thread(1, 1);
	proc_thread(3, 2); /* the TID belongs to another thread */
	retire_reap(&scene.counters);
	assert_int_equal(fake_engine->records[there].head.ended, 0);
	assert_int_equal(fake_engine->records[ended].head.ended, 1);
	assert_int_equal(fake_engine->records[reused].head.ended, 1);
}

/* A tick finds them, too: a thread that calls exec ends under its number without its event. */
static void test_reap_by_ticks(void **state)
{
	uint32_t one = fake_record(1, 0x1000, false);

	(void)state;
	proc_make("pid:[4026531836]");
	proc_thread(1, 1);
	fake_count(one, READ_CR0, 3, 10, 3);
	scene_tick();
	assert_int_equal(pool_used(&scene.counters.records), 1);
	assert_int_equal(unlink("proc/5/task/1/stat"), 0);
	scene_tick();
	assert_scene(3, 3);
	assert_int_equal(pool_used(&scene.counters.records), 0);
}

/* What the register has just seen running needs no look; if it has ended, or is another, it does.
 */
static void test_reap_unseen(void **state)
{
	uint32_t one = fake_record(1, 0x1000, false);

	(void)state;
	proc_make("pid:[4026531836]"); /* shows no thread */
	scene.vcpu.tid = 1;
	scene.vcpu.start = fake_engine->records[one].head.start;
	scene.vcpu.has_thread = true;
	scene_tick();
	assert_int_equal(fake_engine->records[one].head.ended, 0);
	scene.vcpu.has_thread = false;
	scene_tick();
	assert_int_equal(pool_used(&scene.counters.records), 0);
	one = fake_record(2, 0x1000, false);
	scene.vcpu.has_thread = true;
	scene_tick();
	assert_int_equal(pool_used(&scene.counters.records), 0);
	/* a vCPU that no pass sees any more tells nothing */
	one = fake_record(1, 0x1000, false);
	scene_tick();
	assert_int_equal(fake_engine->records[one].head.ended, 0);
	scene.vms.pass++;
	scene_tick();
	assert_int_equal(pool_used(&scene.counters.records), 0);
}

/* If /proc does not show all threads, or shows other TIDs, no thread is considered ended. */
static void test_no_reap(void **state)
{
	uint32_t one = fake_record(1, 0x1000, false);

	(void)state;
	retire_reap(&scene.counters);
	assert_int_equal(fake_engine->records[one].head.ended, 0);
	proc_make("pid:[4026532123]");
	retire_reap(&scene.counters);
	scene_tick();
	assert_int_equal(fake_engine->records[one].head.ended, 0);
}

static void test_no_memory(void **state)
{
	uint32_t one = fake_record(1, 0x1000, false), further = fake_record(1, 0x2000, true);

	(void)state;
	fake_count(one, READ_CR0, 3, 10, 3);
	fake_count(further, READ_CR0, 4, 10, 3);
	vcpu_counters_walk(&scene.counters);
	assert_int_equal(vm_counters_update(&scene.of_vms, &scene.vms), 0);
	fake_engine->records[one].head.ended = 1;
	for (unsigned n = 0; n < 3; n++) {
		alloc_fail_at(n);
		retire_tick(&scene.of_vms, &scene.vms, scene.now, RETIRE_TICK);
		alloc_failed();
		assert_pools(&scene.counters);
		vm_counters_update(&scene.of_vms, &scene.vms);
		assert_scene(7, 3);
	}
	for (int i = 0; i < 6; i++)
		scene_tick();
	assert_scene(7, 3);
	assert_int_equal(pool_used(&scene.counters.records), 0);
}

#define retire_test(test) cmocka_unit_test_setup_teardown(test, scene_setup, scene_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		retire_test(test_ended_thread),
		retire_test(test_further_vcpus),
		retire_test(test_waits_for_the_register),
		retire_test(test_closed_vcpu),
		retire_test(test_closed_vm),
		retire_test(test_maxima),
		retire_test(test_many_threads),
		retire_test(test_many_vms),
		retire_test(test_bounded),
		retire_test(test_take_over),
		retire_test(test_take_over_debris),
		retire_test(test_reap),
		retire_test(test_reap_by_ticks),
		retire_test(test_reap_unseen),
		retire_test(test_no_reap),
		retire_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
