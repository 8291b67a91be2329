// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Pairs of exit and entry: counts, times, maxima, histograms. */
#include "bpf/exit_programs.h"

#include <string.h>

/* AMD's codes. */
enum { CPUID = 0x72, HLT = 0x78, IO = 0x7b };

#define DAY 86400000000000ULL

static const struct scenario scenarios[] = {
	{ .name = "a pair",
	  .steps = { { 1000, EXIT, CPUID, 0 }, { 1500, ENTRY, 0, 0 } },
	  .wants = { { CPUID, { 1, 500, 500, 1 } } } },
	{ .name = "an exit that is still open",
	  .steps = { { 1000, EXIT, CPUID, 0 } },
	  .wants = { { CPUID, { 1, 0, 0, 0 } } } },
	{ .name = "a longer pair after a shorter one",
	  .steps = { { 1000, EXIT, IO, 0 },
		     { 1100, ENTRY, 0, 0 },
		     { 2000, EXIT, IO, 0 },
		     { 2700, ENTRY, 0, 0 } },
	  .wants = { { IO, { 2, 800, 700, 2 } } },
	  .guest_time = 900 },
	{ .name = "a shorter pair after a longer one",
	  .steps = { { 1000, EXIT, IO, 0 },
		     { 1700, ENTRY, 0, 0 },
		     { 2000, EXIT, IO, 0 },
		     { 2100, ENTRY, 0, 0 } },
	  .wants = { { IO, { 2, 800, 700, 2 } } },
	  .guest_time = 300 },
	{ .name = "reasons apart",
	  .steps = { { 1000, EXIT, HLT, 0 },
		     { 1000 + DAY, ENTRY, 0, 0 },
		     { 2000 + DAY, EXIT, CPUID, 0 },
		     { 2003 + DAY, ENTRY, 0, 0 } },
	  .wants = { { HLT, { 1, DAY, DAY, 1 } }, { CPUID, { 1, 3, 3, 1 } } },
	  .guest_time = 1000 },
	{ .name = "a pair of no time",
	  .steps = { { 1000, EXIT, CPUID, 0 }, { 1000, ENTRY, 0, 0 } },
	  .wants = { { CPUID, { 1, 0, 0, 1 } } } },
	{ .name = "an entry with no exit before",
	  .steps = { { 1000, ENTRY, 0, 0 }, { 1700, EXIT, CPUID, 0 }, { 1900, ENTRY, 0, 0 } },
	  .wants = { { CPUID, { 1, 200, 200, 1 } } },
	  .guest_time = 700 },
	{ .name = "two exits in a row: the second replaces the first",
	  .steps = { { 500, ENTRY, 0, 0 },
		     { 1000, EXIT, HLT, 0 },
		     { 1300, EXIT, CPUID, 0 },
		     { 1500, ENTRY, 0, 0 } },
	  .wants = { { HLT, { 1, 0, 0, 0 } }, { CPUID, { 1, 200, 200, 1 } } },
	  .guest_time = 500 },
	{ .name = "two entries in a row: the second counts nothing",
	  .steps = { { 1000, EXIT, CPUID, 0 }, { 1100, ENTRY, 0, 0 }, { 1600, ENTRY, 0, 0 } },
	  .wants = { { CPUID, { 1, 100, 100, 1 } } } },
	{ .name = "two entries in a row: guest time goes on",
	  .steps = { { 1000, ENTRY, 0, 0 },
		     { 1100, ENTRY, 0, 0 },
		     { 1600, EXIT, CPUID, 0 },
		     { 1700, ENTRY, 0, 0 } },
	  .wants = { { CPUID, { 1, 100, 100, 1 } } },
	  .guest_time = 600 },
	{ .name = "an exit before the programs were detached, its entry after",
	  .steps = { { 1000, EXIT, CPUID, 0 },
		     { 1001, ATTACHED, 0, 0 },
		     { 2000, ENTRY, 0, 0 },
		     { 3000, EXIT, HLT, 0 },
		     { 3010, ENTRY, 0, 0 } },
	  .wants = { { CPUID, { 1, 0, 0, 0 } }, { HLT, { 1, 10, 10, 1 } } },
	  .guest_time = 1000 },
	{ .name = "an entry before the programs were detached, the exit after",
	  .steps = { { 1000, ENTRY, 0, 0 },
		     { 1001, ATTACHED, 0, 0 },
		     { 2000, EXIT, CPUID, 0 },
		     { 2500, ENTRY, 0, 0 } },
	  .wants = { { CPUID, { 1, 500, 500, 1 } } } },
	{ .name = "maxima begin anew",
	  .steps = { { 1000, EXIT, CPUID, 0 },
		     { 1900, ENTRY, 0, 0 },
		     { 2000, EXIT, HLT, 0 },
		     { 2700, ENTRY, 0, 0 },
		     { 2701, RESET_MAX, 0, 0 },
		     { 3000, EXIT, CPUID, 0 },
		     { 3020, ENTRY, 0, 0 },
		     { 4000, EXIT, CPUID, 0 },
		     { 4010, ENTRY, 0, 0 } },
	  .wants = { { CPUID, { 3, 930, 20, 3 } }, { HLT, { 1, 700, 0, 1 } } },
	  .guest_time = 100 + 300 + 980 },
	{ .name = "maxima begin anew while an exit is open",
	  .steps = { { 1000, EXIT, CPUID, 0 }, { 1500, RESET_MAX, 0, 0 }, { 1900, ENTRY, 0, 0 } },
	  .wants = { { CPUID, { 1, 900, 900, 1 } } } },
	{ .name = "a time of more bits than a maximum has",
	  .steps = { { 1, EXIT, CPUID, 0 },
		     { 1 + (1ULL << 50), ENTRY, 0, 0 },
		     { 2 + (1ULL << 50), RESET_MAX, 0, 0 },
		     { 3 + (1ULL << 50), EXIT, HLT, 0 },
		     { 4 + (1ULL << 51), ENTRY, 0, 0 } },
	  .wants = { { CPUID, { 1, 1ULL << 50, 0, 1 } },
		     { HLT, { 1, 1 + (1ULL << 50), (1ULL << MAX_TIME_BITS) - 1, 1 } } },
	  .guest_time = 2 },
	{ .name = "the end of a thread counts nothing",
	  .steps = { { 1000, EXIT, CPUID, 0 }, { 1500, THREAD_ENDS, 0, 0 } },
	  .wants = { { CPUID, { 1, 0, 0, 0 } } } },
	{ .name = "the end of a thread that is none of ours",
	  .steps = { { 1000, THREAD_ENDS, 0, 0 } } },
};

/* Both forms of kvm_exit's arguments, and all ways to find a record, count alike. */
static void test_scenarios(void **state)
{
	static const unsigned forms[] = { 0,	 REASON_FIRST,	 BY_VCPU, BY_VCPU | REASON_FIRST,
					  ALONE, BY_VCPU | ALONE };

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		exits_load(forms[i], 4);
		for (size_t j = 0; j < ARRAY_SIZE(scenarios); j++)
			assert_scenario(&exit_subject, &scenarios[j]);
		exits_unload(state);
	}
}

/* A thread's record adopts the vCPU of its first exit, which later entries need not name. */
static void test_entry_without_vcpu(void **state)
{
	(void)state;
	exits_load(NO_ENTRY_VCPU, 4);
	assert_scenario(&exit_subject, &(struct scenario){ .name = "kvm_entry without vCPU",
							   .steps = { { 1000, EXIT, CPUID, 0 },
								      { 1500, ENTRY, 0, 0 },
								      { 1600, EXIT, IO, 0 },
								      { 1650, ENTRY, 0, 0 } },
							   .wants = { { CPUID, { 1, 500, 500, 1 } },
								      { IO, { 1, 50, 50, 1 } } },
							   .guest_time = 100 });
}

/* The same if an entry is the first event: the record is one, and has the vCPU. */
static void test_entry_first(void **state)
{
	const struct entry *list;

	(void)state;
	exits_load(NO_ENTRY_VCPU, 4);
	assert_scenario(&exit_subject,
			&(struct scenario){ .name = "an entry that names no vCPU",
					    .steps = { { 900, ENTRY, 0, 0 },
						       { 1000, EXIT, CPUID, 0 },
						       { 1500, ENTRY, 0, 0 } },
					    .wants = { { CPUID, { 1, 500, 500, 1 } } },
					    .guest_time = 100 });
	assert_int_equal(entries_read(&exit_maps, &list), 1);
	assert_int_equal(list[0].head.vcpu, vcpu_address(0));
	assert_int_equal(list[0].key.vcpu, 0);
}

/* After epoch 65535 comes 0, with maxima of a higher epoch in the entries. */
static void test_the_last_epoch(void **state)
{
	static const uint64_t times[] = { 700, 20 };
	unsigned slot = (unsigned)reasons_slot_of(REASONS_SVM, CPUID);

	(void)state;
	exits_load(0, 1);
	epoch_set(&exit_maps, UINT16_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		clock_set(1000);
		kvm_exit(0, ISA_SVM, CPUID);
		clock_set(1000 + times[i]);
		kvm_entry(0);
		assert_int_equal(counters_of(&exit_maps, slot).max, times[i]);
		epoch_begin(&exit_maps);
		assert_int_equal(counters_of(&exit_maps, slot).max, 0);
	}
}

/* --- histograms --- */

static void pair(uint64_t time)
{
	clock_set(1000);
	kvm_exit(1, ISA_SVM, HLT);
	clock_set(1000 + time);
	kvm_entry(1);
}

/* A pair of this time falls into this bucket, and into no other. */
static void assert_bucket(uint64_t time, unsigned want)
{
	static uint64_t counts[EXIT_BUCKETS];
	unsigned slot = (unsigned)reasons_slot_of(REASONS_SVM, HLT);

	pair(time);
	counts[want]++;
	for (unsigned i = 0; i < EXIT_BUCKETS; i++) {
		uint64_t is = counters_bucket(&exit_maps, slot, i);

		if (is != counts[i])
			fail_msg("%llu ns: bucket %u has %llu, not %llu", (unsigned long long)time,
				 i, (unsigned long long)is, (unsigned long long)counts[i]);
	}
}

static void test_buckets(void **state)
{
	(void)state;
	exits_load(0, 1);
	assert_bucket(0, 0);
	assert_bucket(1, 0);
	for (unsigned bit = 1; bit < 64; bit++) {
		unsigned bucket = bit < EXIT_BUCKETS ? bit : EXIT_BUCKETS - 1;

		assert_bucket(1ULL << bit, bucket);
		assert_bucket((1ULL << bit) + 1, bit == 1 ? 1 : bucket);
		assert_bucket((2ULL << bit) - 1, bucket);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_scenarios, exits_unload),
		cmocka_unit_test_teardown(test_entry_without_vcpu, exits_unload),
		cmocka_unit_test_teardown(test_entry_first, exits_unload),
		cmocka_unit_test_teardown(test_the_last_epoch, exits_unload),
		cmocka_unit_test_teardown(test_buckets, exits_unload),
	};

	return run_group("test_exit", tests, ARRAY_SIZE(tests));
}
