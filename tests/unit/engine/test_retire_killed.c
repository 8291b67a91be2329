// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * An agent that is killed at any instruction of taking records back. A child does that, one
 * instruction at a time, in memory that it shares; whenever that has changed, it is what a kill
 * would leave. The next agent takes over a copy of it, and must find all counts, once.
 */
#define _GNU_SOURCE
#include "fakes/fake_engine.h"
#include "fakes/single_steps.h"
#include "fakes/support.h"

#include <string.h>
#include <sys/mman.h>

#include "engine/retire.h"

#define SLOTS 144

enum { READ_CR0 = 9, CPUID = 123 };

static struct vms vms;
static struct vcpu_counters counters;
static struct vm_counters of_vms;

static void counters_make(struct vcpu_counters *made)
{
	vcpu_counters_init(made, "exit", 1, SLOTS, REASONS_SVM, &fake_engine_cpus, "proc");
}

/* Two threads have ended, of which one ran two vCPUs; one lives; sums have counts already. */
static void scene_make(void)
{
	uint32_t first, further, other, alive;

	vm_counters_init(&of_vms, &counters);
	fake_engine_load(&counters);
	first = fake_record(1, 0x1000, false);
	further = fake_record(1, 0x2000, true);
	other = fake_record(2, 0x3000, false);
	alive = fake_record(3, 0x4000, false);
	fake_count(first, READ_CR0, 13, 10, 3);
	fake_count(first, CPUID, 7, 20, 4);
	fake_count(further, READ_CR0, 5, 10, 3);
	fake_count(other, READ_CR0, 2, 10, 3);
	fake_count(alive, READ_CR0, 1, 10, 3);
	fake_engine->ended[READ_CR0].count = 100;
	fake_engine->ended[READ_CR0].time = 1000;
	fake_engine->ended[READ_CR0].bucket[BUCKET_PLACE(3 + EXIT_BUCKETS)] = 100;
	fake_engine->records[first].head.ended = fake_engine->records[other].head.ended = 1;
}

static void assert_counts(struct vcpu_counters *of)
{
	vcpu_counters_walk(of);
	vcpu_counters_read(of);
	assert_true(vcpu_counters_read_buckets(of) >= 0);
	assert_int_equal(of->total[READ_CR0].count, 121);
	assert_int_equal(of->total[READ_CR0].time, 1210);
	assert_int_equal(of->latency[READ_CR0][3], 121);
	assert_int_equal(of->total[CPUID].count, 7);
	assert_int_equal(of->total[CPUID].time, 140);
	assert_int_equal(of->latency[CPUID][4], 7);
}

/* The next agent takes over what is there, and goes on. */
static void assert_taken_over(void)
{
	static struct vcpu_counters next;
	static struct vm_counters next_vms;

	counters_make(&next);
	vm_counters_init(&next_vms, &next);
	fake_engine_take_over(&next);
	assert_pools(&next);
	assert_counts(&next);
	retire_tick(&next_vms, &vms, 1, RETIRE_TICK);
	assert_pools(&next);
	assert_counts(&next);
	retire_tick(&next_vms, &vms, UINT64_C(5000000000), RETIRE_TICK);
	assert_pools(&next);
	assert_counts(&next);
	vm_counters_free(&next_vms);
	fake_engine_unload(&next);
}

static void agent_run(void)
{
	retire_tick(&of_vms, &vms, 1, RETIRE_TICK);
}

static void assert_killed(void *copy)
{
	struct fake_engine *live = fake_engine;

	fake_engine = copy;
	assert_taken_over();
	fake_engine = live;
}

static void test_killed(void **state)
{
	int changes;

	(void)state;
	need_single_steps();
	counters_make(&counters);
	scene_make();
	changes = single_steps(agent_run, fake_engine, sizeof(*fake_engine), assert_killed);
	if (changes < 0) {
		vm_counters_free(&of_vms);
		fake_engine_unload(&counters);
		print_message("# ptrace is refused: run with permission to trace\n");
		skip();
	}
	assert_taken_over();
	assert_true(changes > 50);
	vm_counters_free(&of_vms);
	fake_engine_unload(&counters);
	fake_engine_free();
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_killed) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
