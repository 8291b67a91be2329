// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Sums of the host over records, retired blocks and overflow rows. */
#include "fakes/fake_engine.h"
#include "fakes/support.h"

#include <errno.h>
#include <string.h>

#define SLOTS COUNTER_SLOTS_MAX

/* Slots of REASONS_SVM. */
enum { OTHER = 0, UNKNOWN = 1, READ_CR0 = 9, CPUID = 123 };

static struct vcpu_counters counters;

static int setup(void **state)
{
	(void)state;
	vcpu_counters_init(&counters, "exit", 1, SLOTS, REASONS_SVM, &fake_engine_cpus, "proc");
	fake_engine_load(&counters);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_engine_unload(&counters);
	fake_engine_free();
	return 0;
}

static void read_all(void)
{
	vcpu_counters_walk(&counters);
	vcpu_counters_read(&counters);
	assert_true(vcpu_counters_read_buckets(&counters) >= 0);
}

static void assert_total(unsigned slot, uint64_t count, uint64_t time, uint64_t max)
{
	read_all();
	assert_int_equal(counters.total[slot].count, count);
	assert_int_equal(counters.total[slot].time, time);
	assert_int_equal(counters.total[slot].max, max);
}

static void test_sums(void **state)
{
	uint64_t dropped, no_block;
	uint32_t one, other;

	(void)state;
	assert_total(READ_CR0, 0, 0, 0);
	one = fake_record(1, 0x1000, false);
	other = fake_record(2, 0x2000, false);
	fake_count(one, READ_CR0, 13, 10, 3);
	fake_count(other, READ_CR0, 5, 16, 4);
	fake_count(other, CPUID, 2, 1, 0);
	fake_engine->ended[READ_CR0] = (struct block){ .count = 100, .time = 1000, .max = 12 };
	fake_engine->ended[READ_CR0].bucket[BUCKET_PLACE(31 + EXIT_BUCKETS)] = 99;
	fake_engine->rows[0].count[READ_CR0] = 7;
	fake_engine->rows[1].count[READ_CR0] = 11;
	fake_engine->rows[1].count[CPUID] = 1;
	fake_engine->rows[1].no_block = 4;
	assert_total(READ_CR0, 136, 1210, 16);
	assert_total(CPUID, 3, 2, 1);
	vcpu_counters_overflow(&counters, &dropped, &no_block);
	assert_int_equal(dropped, 15);
	assert_int_equal(no_block, 4);
	assert_int_equal(counters.latency[READ_CR0][3], 13);
	assert_int_equal(counters.latency[READ_CR0][4], 5);
	assert_int_equal(counters.latency[READ_CR0][31], 99);
	assert_int_equal(counters.latency[CPUID][0], 2);
	assert_pools(&counters);
}

/* Reading makes no system call, but for names of codes that are new. */
static void test_no_calls(void **state)
{
	uint32_t one = fake_record(1, 0x1000, false);
	unsigned calls;

	(void)state;
	fake_engine->codes[UNKNOWN] = 0x4d2;
	fake_count(one, UNKNOWN, 1, 1, 1);
	fake_count(one, CPUID, 1, 1, 1);
	read_all();
	calls = fake_engine_calls;
	for (int i = 0; i < 5; i++) {
		fake_count(one, CPUID, 1, 1, 1);
		read_all();
	}
	assert_int_equal(fake_engine_calls, calls);
}

/* A bucket that is counted for the first time is news. */
static void test_new_buckets(void **state)
{
	uint32_t one = fake_record(1, 0x1000, false);

	(void)state;
	assert_int_equal(vcpu_counters_read_buckets(&counters), 0);
	fake_count(one, CPUID, 1, 1, 1);
	assert_int_equal(vcpu_counters_read_buckets(&counters), 1);
	fake_count(one, CPUID, 1, 1, 1);
	assert_int_equal(vcpu_counters_read_buckets(&counters), 0);
	fake_count(one, CPUID, 1, 1, 31);
	assert_int_equal(vcpu_counters_read_buckets(&counters), 1);
	assert_int_equal(vcpu_counters_read_buckets(&counters), 0);
}

/* A program has taken a block that is not in its record yet: it is found at the next look. */
static void test_block_in_flight(void **state)
{
	uint32_t one = fake_record(1, 0x1000, false);
	__u32 *place = &fake_engine->records[one].blocks[CPUID], number;

	(void)state;
	fake_count(one, CPUID, 4, 10, 3);
	number = *place;
	*place = 0;
	assert_total(CPUID, 0, 0, 0);
	*place = number;
	assert_total(CPUID, 4, 40, 10);
}

/* A block that is given back is not its last reason's, even if a program has taken it since. */
static void test_block_given_back(void **state)
{
	uint32_t one = fake_record(1, 0x1000, false);
	__u32 number;

	(void)state;
	fake_count(one, CPUID, 4, 10, 3);
	assert_total(CPUID, 4, 40, 10);
	number = fake_engine->records[one].blocks[CPUID];
	vcpu_counters_forget(&counters, number);
	vcpu_counters_read(&counters);
	assert_int_equal(counters.total[CPUID].count, 0);
	fake_engine->records[one].blocks[CPUID] = 0;
	fake_engine->records[one].blocks[READ_CR0] = number;
	fake_engine->control.blocks_taken++;
	assert_total(CPUID, 0, 0, 0);
	assert_total(READ_CR0, 4, 40, 10);
}

static void test_reset_max(void **state)
{
	uint32_t one = fake_record(1, 0x1000, false);

	(void)state;
	fake_count(one, READ_CR0, 13, 10, 3);
	fake_engine->ended[READ_CR0] = (struct block){ .count = 1, .max = 99 };
	assert_total(READ_CR0, 14, 130, 99);
	vcpu_counters_reset_max(&counters);
	assert_int_equal(fake_engine->control.epoch, 1);
	assert_int_equal(fake_engine->state.epoch, 1);
	assert_total(READ_CR0, 14, 130, 0);
	fake_count(one, READ_CR0, 1, 4, 2);
	assert_total(READ_CR0, 15, 134, 4);
	fake_engine->state.epoch = 0xffff;
	vcpu_counters_reset_max(&counters);
	assert_int_equal(fake_engine->control.epoch, 0);
}

static void test_generations(void **state)
{
	(void)state;
	fake_engine->state.generation = 7;
	vcpu_counters_begin(&counters);
	assert_int_equal(fake_engine->state.generation, 8);
	assert_int_equal(fake_engine->control.generation, 8);
}

/* Of two maxima that of the current epoch counts. */
static void test_maxima(void **state)
{
	const uint64_t epoch = UINT64_C(1) << MAX_TIME_BITS;
	static const struct {
		uint64_t one, other, want;
	} cases[] = { { 5, 7, 7 }, { 7, 5, 7 }, { 2, 1, 2 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct block to = { .max = 3 * epoch | cases[i].one };

		block_add(&to, &(struct block){ .max = 3 * epoch | cases[i].other }, 3);
		assert_int_equal(to.max, 3 * epoch | cases[i].want);
	}
	for (uint64_t other = 2; other <= 4; other += 2) {
		struct block to = { .max = 3 * epoch | 1 }, stale = { .max = other * epoch | 9 };

		block_add(&to, &(struct block){ .max = other * epoch | 9 }, 3);
		assert_int_equal(to.max, 3 * epoch | 1);
		block_add(&stale, &(struct block){ .max = 3 * epoch | 1 }, 3);
		assert_int_equal(stale.max, 3 * epoch | 1);
	}
}

/* Counts of two slots of one reason are one reason's, wherever they are. */
static void test_one_reason_in_two_slots(void **state)
{
	uint32_t one = fake_record(1, 0x1000, false), other = fake_record(2, 0x2000, false);

	(void)state;
	fake_engine->codes[1] = fake_engine->codes[3] = 0x4d2;
	fake_engine->codes[5] = 0x72; /* an older version had no range for CPUID */
	fake_count(one, 1, 1, 5, 2);
	fake_count(other, 3, 2, 10, 3);
	fake_count(other, 5, 4, 1, 0);
	fake_count(other, SLOTS - 1, 8, 1, 0); /* a later version's range */
	fake_engine->rows[1].count[3] = 4;
	fake_engine->rows[0].count[2] = 8; /* a claim that is not to be found */
	assert_total(1, 7, 25, 10);
	assert_total(3, 0, 0, 0);
	assert_total(CPUID, 4, 4, 1);
	assert_total(OTHER, 16, 8, 1);
	assert_int_equal(counters.latency[1][3], 2);
	assert_int_equal(counters.nstrays, 3);
	assert_string_equal(reason_slots_name(&counters.slots, 3), "0x4d2");
}

/* The instruction set is that of the records. */
static void test_instruction_sets(void **state)
{
	uint32_t one = fake_record(1, 0x1000, false);

	(void)state;
	fake_count(one, 9, 1, 1, 0);
	read_all();
	assert_string_equal(reason_slots_name(&counters.slots, 9), "read_cr0");
	fake_engine->records[one].head.isa = REASONS_VMX + 1;
	fake_count(one, 10, 1, 1, 0);
	read_all();
	assert_string_equal(reason_slots_name(&counters.slots, 9), "EXCEPTION_NMI");
	assert_true(counters.sleeps[reasons_slot_of(REASONS_VMX, 12)]);
	fake_engine->records[one].head.isa = 0; /* before the first exit */
	fake_count(one, 11, 1, 1, 0);
	read_all();
	assert_int_equal(counters.slots.isa, REASONS_VMX);
}

static void test_nothing_loaded(void **state)
{
	struct vcpu_counters none;

	(void)state;
	vcpu_counters_init(&none, "exit", 1, SLOTS, REASONS_SVM, &fake_engine_cpus, "proc");
	vcpu_counters_walk(&none);
	vcpu_counters_read(&none);
	assert_int_equal(vcpu_counters_read_buckets(&none), 0);
	vcpu_counters_reset_max(&none);
	assert_int_equal(pool_used(&none.records), 0);
	assert_int_equal(pool_bytes(&none.records), 0);
	vcpu_counters_free(&none);
}

static void test_no_memory(void **state)
{
	uint32_t one = fake_record(1, 0x1000, false);

	(void)state;
	fake_count(one, CPUID, 1, 1, 1);
	alloc_fail_at(0);
	assert_int_equal(vcpu_counters_read_buckets(&counters), -ENOMEM);
	assert_true(alloc_failed());
	assert_int_equal(vcpu_counters_read_buckets(&counters), 1);
}

#define counters_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		counters_test(test_sums),
		counters_test(test_no_calls),
		counters_test(test_new_buckets),
		counters_test(test_block_in_flight),
		counters_test(test_block_given_back),
		counters_test(test_reset_max),
		counters_test(test_generations),
		counters_test(test_maxima),
		counters_test(test_one_reason_in_two_slots),
		counters_test(test_instruction_sets),
		counters_test(test_nothing_loaded),
		counters_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
