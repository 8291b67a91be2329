// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Reads of a ledger that is being written, and an agent that is killed as it takes one back. A
 * child does either, one instruction at a time, in memory that it shares.
 */
#define _GNU_SOURCE
#include "fakes/fake_ledgers.h"
#include "fakes/single_steps.h"
#include "fakes/support.h"

#include <string.h>
#include <sys/mman.h>

#include "kvm/exit_reasons.h"

static struct fake_ledgers *live;
static struct ledger_reading reading;

static int setup(void **state)
{
	(void)state;
	live = mmap(NULL, sizeof(*live), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(live, MAP_FAILED);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	munmap(live, sizeof(*live));
	return 0;
}

static void test_open(void **state)
{
	struct ledger_record *record = &live->records[1];

	(void)state;
	ledger_record_read(record, FAKE_FLAG, &reading);
	assert_false(reading.is_open);
	fake_ledger_begin(record, 1000, LEDGER_GUEST);
	fake_ledger_edge(record, 1300, LEDGER_VMM);
	ledger_record_read(record, FAKE_FLAG, &reading);
	assert_true(reading.is_open);
	assert_int_equal(reading.state, LEDGER_VMM);
	assert_int_equal(reading.since, 1300);
	assert_int_equal(reading.times.time[LEDGER_GUEST], 300);
	assert_int_equal(fake_ledger_sum(&reading.times), 300);
	/* of another generation, of programs that are detached, of a thread that has ended */
	ledger_record_read(record, LEDGER_FLAG(4, LEDGER_KVM), &reading);
	assert_false(reading.is_open);
	assert_int_equal(fake_ledger_sum(&reading.times), 300);
	ledger_record_read(record, 0, &reading);
	assert_false(reading.is_open);
	record->head.ended = 1;
	ledger_record_read(record, FAKE_FLAG, &reading);
	assert_false(reading.is_open);
	assert_int_equal(fake_ledger_sum(&reading.times), 300);
}

static uint32_t reason_of(enum reasons_isa isa, const char *name)
{
	const struct reason *reason = reasons_find_name(isa, name);

	assert_non_null(reason);
	return (uint32_t)(isa + 1) << LEDGER_ISA_SHIFT |
	       (uint32_t)reasons_slot_of(isa, reason->code);
}

/* In KVM after an exit in which vCPUs sleep. */
static void test_halt(void **state)
{
	struct ledger_record *record = &live->records[1];
	const struct {
		enum reasons_isa isa;
		const char *name;
		enum ledger_state in, state;
	} halts[] = {
		{ REASONS_SVM, "hlt", LEDGER_KVM, LEDGER_HALTED },
		{ REASONS_VMX, "HLT", LEDGER_KVM, LEDGER_HALTED },
		{ REASONS_ARM64, "WFx", LEDGER_KVM, LEDGER_HALTED },
		{ REASONS_SVM, "msr", LEDGER_KVM, LEDGER_KVM },
		{ REASONS_SVM, "hlt", LEDGER_VMM, LEDGER_VMM },
	};

	(void)state;
	fake_ledger_begin(record, 1000, LEDGER_KVM);
	for (size_t i = 0; i < sizeof(halts) / sizeof(halts[0]); i++) {
		fake_ledger_edge(record, 2000 + i, halts[i].in);
		record->reason = reason_of(halts[i].isa, halts[i].name);
		ledger_record_read(record, FAKE_FLAG, &reading);
		assert_int_equal(reading.state, halts[i].state);
	}
	fake_ledger_edge(record, 3000, LEDGER_KVM);
	record->reason = 0;
	ledger_record_read(record, FAKE_FLAG, &reading);
	assert_int_equal(reading.state, LEDGER_KVM);
}

/* --- a thread that writes --- */

enum { FIRST = 1000, HALT = 77, WAITED = 5 };

static unsigned reads_open;

/* As the programs write, in their order. */
static void edges_write(void)
{
	volatile struct ledger_record *record = &live->records[1];

	record->time[LEDGER_READY] += WAITED;
	record->time[LEDGER_GUEST] += 300 - WAITED;
	record->last = UINT64_C(1300) << LEDGER_STATE_BITS | LEDGER_KVM;
	record->time[LEDGER_POLL] += 3;
	record->time[LEDGER_HALTED] += HALT;
	record->time[LEDGER_KVM] += 20;
	record->last = UINT64_C(1400) << LEDGER_STATE_BITS | LEDGER_VMM;
}

/* What is open began when all that is counted ends; whatever is counted has been. */
static void assert_whole(void *memory)
{
	const struct ledger_record *record = &((struct fake_ledgers *)memory)->records[1];

	ledger_record_read(record, FAKE_FLAG, &reading);
	assert_true(fake_ledger_sum(&reading.times) <= 400);
	if (!reading.is_open)
		return;
	reads_open++;
	assert_int_equal(FIRST + fake_ledger_sum(&reading.times), reading.since);
	assert_int_equal(reading.state, reading.since == 1300 ? LEDGER_KVM : LEDGER_VMM);
}

static void test_torn(void **state)
{
	int changes;

	(void)state;
	need_single_steps();
	fake_ledger_begin(&live->records[1], FIRST, LEDGER_GUEST);
	reads_open = 0;
	changes = single_steps(edges_write, live, sizeof(*live), assert_whole);
	print_message("# %d changes, open in %u\n", changes, reads_open);
	assert_int_equal(changes, 7);
	assert_int_equal(reads_open, 2);
}

/* --- an agent that is killed --- */

enum { BEFORE = 10000, TIMES = 400 };

static void assert_once(void *memory)
{
	struct fake_ledgers *copy = memory;
	const struct pool *records = fake_ledgers_pool(copy);

	ledger_record_recover(&copy->ended, records);
	for (unsigned round = 0; round < 2; round++) {
		uint64_t guest = copy->ended.time[LEDGER_GUEST], all = 0;

		for (unsigned i = 0; i < FAKE_LEDGERS; i++)
			guest += copy->records[i].time[LEDGER_GUEST];
		for (unsigned i = 0; i < LEDGER_PLACES; i++)
			all += copy->ended.time[i] + copy->records[1].time[i];
		assert_int_equal(guest, BEFORE + TIMES - 100);
		assert_int_equal(all, BEFORE + TIMES);
		ledger_record_retire(&copy->ended, records, 1);
	}
	fake_ledgers_pool(live);
}

static void agent_run(void)
{
	ledger_record_retire(&live->ended, fake_ledgers_pool(live), 1);
}

static void scene_make(void)
{
	live->ended.time[LEDGER_GUEST] = BEFORE;
	fake_ledger_begin(&live->records[1], FIRST, LEDGER_GUEST);
	fake_ledger_edge(&live->records[1], FIRST + 300, LEDGER_VMM);
	fake_ledger_edge(&live->records[1], FIRST + 400, LEDGER_GUEST);
}

static void test_killed(void **state)
{
	int changes;

	(void)state;
	need_single_steps();
	scene_make();
	changes = single_steps(agent_run, live, sizeof(*live), assert_once);
	print_message("# %d changes\n", changes);
	assert_true(changes >= 5);
}

static void test_retired(void **state)
{
	(void)state;
	scene_make();
	agent_run();
	assert_int_equal(live->ended.time[LEDGER_GUEST], BEFORE + 300);
	assert_int_equal(live->ended.time[LEDGER_VMM], 100);
	for (unsigned i = 0; i < LEDGER_PLACES; i++)
		assert_int_equal(live->records[1].time[i], 0);
	assert_int_equal(live->ended.moves, 0);
}

int main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		test(test_open),   test(test_halt),    test(test_torn),
		test(test_killed), test(test_retired),
	};

	return cmocka_run_group_tests_name("ledger_record", tests, NULL, NULL);
}
