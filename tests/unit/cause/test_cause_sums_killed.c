// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * An agent that is killed at any instruction of publishing causes and of taking a record back. A
 * child does that, one instruction at a time, in memory that it shares; whenever that has changed,
 * it is what a kill would leave. The next agent takes over a copy of it: it must have all counts,
 * once, and no key less than was published.
 */
#define _GNU_SOURCE
#include "fakes/fake_causes.h"
#include "fakes/single_steps.h"
#include "fakes/support.h"

#include <string.h>
#include <sys/mman.h>

#define A CAUSE_KEY(CAUSE_PIO, 1, 0x3f8)
#define B CAUSE_KEY(CAUSE_PIO, 0, 0x3fd)
#define C CAUSE_KEY(CAUSE_MSR, 1, 0x6e0)

/* Counted in the scene: of which by slots that have A, before and after it was published */
enum { FIRST = 10, SINCE = 3, SECOND = 4, ENDED = 100, TOTAL = 2 * FIRST + SINCE + SECOND + ENDED };

static struct fake_causes *live;
static struct cause_sums sums;

static bool all(void *data, uint64_t key)
{
	(void)data;
	(void)key;
	return true;
}

/* A was published, and its slot has started with B; C was published, too, and is there still. */
static void scene_make(void)
{
	struct cause_record *record = &live->records[1];

	memset(live, 0, sizeof(*live));
	fake_causes_open(live, &sums);
	/* an earlier record has left counts of C */
	fake_causes_start(&live->records[2], 3, C);
	fake_causes_count(&live->records[2], 3, ENDED);
	assert_int_equal(cause_sums_read(&sums, 2, all, NULL), 0);
	cause_sums_retire(&sums, 2);
	fake_causes_start(record, 5, A);
	fake_causes_count(record, 5, FIRST);
	fake_causes_start(record, 9, C);
	fake_causes_count(record, 9, FIRST);
	assert_int_equal(cause_sums_read(&sums, 1, all, NULL), 0);
	fake_causes_count(record, 5, SINCE);
	fake_causes_start(record, 5, B);
	fake_causes_count(record, 5, SECOND);
}

static void assert_taken_over(void *memory)
{
	struct cause_sums next;

	fake_causes_open(memory, &next);
	for (unsigned round = 0; round < 2; round++) {
		assert_int_equal(cause_sums_read(&next, 1, all, NULL), 0);
		assert_causes(fake_causes_total(&next), TOTAL);
		assert_true(fake_causes_of_host(&next, A).count >= FIRST);
		assert_true(fake_causes_of_host(&next, C).count >= FIRST + ENDED);
		assert_int_equal(cause_sums_finish(&next, 1), 0);
		cause_sums_retire(&next, 1);
	}
	cause_sums_free(&next);
}

static void agent_run(void)
{
	cause_sums_read(&sums, 1, all, NULL);
	cause_sums_finish(&sums, 1);
	cause_sums_retire(&sums, 1);
}

static void test_killed(void **state)
{
	int changes;

	(void)state;
	need_single_steps();
	live = mmap(NULL, sizeof(*live), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(live, MAP_FAILED);
	scene_make();
	changes = single_steps(agent_run, live, sizeof(*live), assert_taken_over);
	print_message("# %d changes\n", changes);
	assert_true(changes > 100);
	cause_sums_free(&sums);
	munmap(live, sizeof(*live));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_killed),
	};

	return cmocka_run_group_tests_name("cause_sums_killed", tests, NULL, NULL);
}
