// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * The programs as they are shipped, with the kernel's clock. How long a pair takes here is not
 * known, but it is no less than what passes between its events, and no more than around them.
 */
#include "bpf/counters.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <time.h>

#include "base/clock.h"
#include "bpf/exit.h"
#include "bpf/userspace_exit.h"
#include "exit.skel.h"
#include "kvm/exit_offsets.h"
#include "kvm/tracepoints.h"
#include "userspace_exit.skel.h"

enum { PAIRS = 31, PAUSE = 50000 }; /* ns */

/* A pair's events, and what is counted of all pairs. */
struct pairs {
	void (*begin)(void);
	void (*end)(void);
	uint64_t in, out; /* time in ns around all pairs' inside, and from the first to the last */
};

static void pause_shortly(void)
{
	const struct timespec ts = { .tv_nsec = PAUSE };

	assert_int_equal(nanosleep(&ts, NULL), 0);
}

static void pairs_run(struct pairs *pairs)
{
	uint64_t first = clock_ns();

	for (int i = 0; i < PAIRS; i++) {
		uint64_t before = clock_ns();

		pairs->begin();
		pause_shortly();
		pairs->end();
		pairs->in += clock_ns() - before;
		pause_shortly();
	}
	pairs->out = clock_ns() - first;
}

static void assert_pairs(const struct counted *counted, const struct pairs *pairs)
{
	assert_int_equal(counted->count, PAIRS);
	assert_in_range(counted->time, PAIRS * PAUSE, pairs->in);
	assert_in_range(counted->max, counted->time / PAIRS, counted->time);
}

static struct exit_bpf *exits;
static struct userspace_exit_bpf *userspace_exits;

static int destroy(void **state)
{
	(void)state;
	exit_bpf__destroy(exits);
	userspace_exit_bpf__destroy(userspace_exits);
	exits = NULL;
	userspace_exits = NULL;
	return 0;
}

static void exit_begins(void)
{
	run_with(bpf_program__fd(exits->progs.exit_reason_first), 0x72, 0x5eed, 2);
}

static void exit_ends(void)
{
	run_with(bpf_program__fd(exits->progs.exit_entry), 0x5eed);
}

/* The form of kvm_exit that reads no kernel memory. */
static void test_exit(void **state)
{
	struct pairs pairs = { .begin = exit_begins, .end = exit_ends };
	struct exit_setup *setup;
	struct counter_maps maps;
	struct counted counted;
	uint64_t timed = 0;
	__u32 slot;

	(void)state;
	exits = exit_bpf__open();
	assert_non_null(exits);
	setup = (struct exit_setup *)&exits->rodata->setup;
	setup->has_reasons = setup->entry_has_vcpu = 1;
	setup->svm.isa = REASONS_SVM + 1;
	setup->svm.mask = 0xffffffff;
	exit_layout_ranges(REASONS_SVM, setup->svm.ranges);
	bpf_program__set_autoload(exits->progs.exit_vcpu_first, false);
	counter_maps_size(exits, exit);
	assert_int_equal(exit_bpf__load(exits), 0);
	maps = counter_maps_of(exits, exit, EXIT_SLOTS);
	pools_fill(&maps, 1, 1);
	pairs_run(&pairs);
	slot = (__u32)reasons_slot_of(REASONS_SVM, 0x72);
	counted = counters_of(&maps, slot);
	assert_pairs(&counted, &pairs);
	assert_in_range(counters_guest_time(&maps), (PAIRS - 1) * PAUSE, pairs.out - counted.time);
	for (unsigned i = 0; i < EXIT_BUCKETS; i++) {
		uint64_t count = counters_bucket(&maps, slot, i);

		timed += count;
		assert_true(!count || 2ULL << i > PAUSE);
	}
	assert_int_equal(timed, PAIRS);
}

static void userspace_exit_begins(void)
{
	run_with(bpf_program__fd(userspace_exits->progs.userspace_exit_begin), 2, 0);
}

static void userspace_exit_ends(void)
{
	run_with(bpf_program__fd(userspace_exits->progs.userspace_exit_fpu), 1);
}

static void test_userspace_exit(void **state)
{
	struct pairs pairs = { .begin = userspace_exit_begins, .end = userspace_exit_ends };
	struct userspace_exit_setup *setup;
	struct counter_maps maps;
	struct counted counted;

	(void)state;
	userspace_exits = userspace_exit_bpf__open();
	assert_non_null(userspace_exits);
	setup = (struct userspace_exit_setup *)&userspace_exits->rodata->setup;
	exit_layout_ranges(REASONS_USERSPACE, setup->ranges);
	counter_maps_size(userspace_exits, userspace_exit);
	assert_int_equal(userspace_exit_bpf__load(userspace_exits), 0);
	maps = counter_maps_of(userspace_exits, userspace_exit, USERSPACE_EXIT_SLOTS);
	pools_fill(&maps, 1, 1);
	pairs_run(&pairs);
	counted = counters_of(&maps, (unsigned)reasons_slot_of(REASONS_USERSPACE, 2));
	assert_pairs(&counted, &pairs);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_exit, destroy),
		cmocka_unit_test_teardown(test_userspace_exit, destroy),
	};

	return run_group("test_real_clock", tests, ARRAY_SIZE(tests));
}
