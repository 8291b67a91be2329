// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* What the ledger counts of halts, wake-ups and late timers. */
#include "bpf/ledger_programs.h"

#include <string.h>

/* What a histogram has is in one bucket, or nowhere (count 0). */
#define assert_bucket(histogram, bucket, count) bucket_check(histogram, bucket, count, __LINE__)

static void bucket_check(enum ledger_histogram histogram, unsigned bucket, uint64_t count, int line)
{
	struct ledger_record record = ledger_of_thread();

	for (unsigned i = 0; i < EXIT_BUCKETS; i++) {
		uint64_t wanted = i == bucket ? count : 0;

		if (record.halts.bucket[histogram][i] != wanted)
			fail_msg("line %d: bucket %u of histogram %u has %llu, not %llu", line, i,
				 histogram, (unsigned long long)record.halts.bucket[histogram][i],
				 (unsigned long long)wanted);
	}
}

static int load(void **state)
{
	(void)state;
	ledgers_load(RECORDS_CHUNK - 1, false);
	return 0;
}

/* A halt of so many ns, from exit to wake-up; the thread then had waited for a CPU for delay ns. */
static void halt(uint64_t ns, bool waited, uint64_t delay)
{
	static uint64_t now = 1000, delays;

	ledgers_clock(now, delays);
	run_exit(ledgers_vcpu(0), SVM_HLT);
	now += ns + 10;
	delays += delay;
	ledgers_clock(now, delays);
	run_wakeup(ns, waited);
	now += 5;
	ledgers_clock(now, delays);
	run_entry(ledgers_vcpu(0));
}

static void test_halts(void **state)
{
	(void)state;
	halt(100000, true, 7000);
	assert_bucket(LEDGER_WAITED, 16, 1);
	assert_bucket(LEDGER_POLLED, 0, 0);
	assert_bucket(LEDGER_WAKE, 12, 1);
	for (unsigned i = 0; i < 3; i++)
		halt(300, false, 200);
	assert_bucket(LEDGER_WAITED, 16, 1);
	assert_bucket(LEDGER_POLLED, 8, 3);
	assert_bucket(LEDGER_WAKE, 12, 1);
}

static void test_buckets(void **state)
{
	static const struct {
		uint64_t time;
		unsigned bucket;
	} times[] = {
		{ 0, 0 },
		{ 1, 0 },
		{ 2, 1 },
		{ 3, 1 },
		{ 4, 2 },
		{ 255, 7 },
		{ 256, 8 },
		{ 65535, 15 },
		{ 65536, 16 },
		{ (UINT64_C(1) << 31) - 1, 30 },
		{ UINT64_C(1) << 31, 31 },
		{ UINT64_C(1) << 32, 31 },
		{ UINT64_MAX, 31 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		ledgers_clear();
		run_wakeup(times[i].time, true);
		assert_bucket(LEDGER_WAITED, times[i].bucket, 1);
	}
}

/* A halt that was under way as the ledger began: what the thread has waited for is not known. */
static void test_begins_in_halt(void **state)
{
	(void)state;
	ledgers_clock(5000, 700);
	run_wakeup(4096, true);
	assert_bucket(LEDGER_WAITED, 12, 1);
	assert_bucket(LEDGER_WAKE, 0, 0);
	halt(4096, true, 0);
	ledgers_detach();
	halt(4096, true, 0);
	assert_bucket(LEDGER_WAITED, 12, 2);
}

static void assert_polls(uint64_t time, uint64_t attempts)
{
	struct ledger_record record = ledger_of_thread();

	assert_int_equal(record.halts.poll_time, time);
	assert_int_equal(record.halts.poll_attempts, attempts);
}

/* KVM's own counts, from the first halt on; not of the time detached, nor if somebody resets them.
 */
static void test_polls(void **state)
{
	(void)state;
	kvm_polled(1000, 2000);
	kvm_attempted(5);
	halt(50, true, 0);
	assert_polls(0, 0);
	kvm_polled(1100, 2000);
	kvm_attempted(6);
	halt(100, false, 0);
	/* more than the halt was long, and an attempt that took no time */
	kvm_polled(1100, 2900);
	kvm_attempted(8);
	halt(70, true, 0);
	assert_polls(1000, 3);
	ledgers_detach();
	kvm_polled(5000, 5000);
	kvm_attempted(50);
	halt(70, true, 0);
	ledgers_attach(LEDGER_KVM);
	halt(70, true, 0);
	assert_polls(1000, 3);
	kvm_polled(5010, 5000);
	kvm_attempted(51);
	halt(70, true, 0);
	assert_polls(1010, 4);
	kvm_polled(3, 4);
	kvm_attempted(1);
	halt(70, true, 0);
	kvm_polled(3, 9);
	kvm_attempted(2);
	halt(70, true, 0);
	assert_polls(1015, 5);
}

static void test_no_polls(void **state)
{
	(void)state;
	ledgers_know_polls(false);
	for (unsigned i = 1; i < 4; i++) {
		kvm_polled(i * 10, 0);
		kvm_attempted(i);
		halt(100, true, 0);
	}
	assert_polls(0, 0);
	assert_bucket(LEDGER_WAITED, 6, 3);
}

/* A vCPU of 2 GHz. */
static void test_timer(void **state)
{
	(void)state;
	ledgers_know_tsc(3, 2000000);
	run_timer(3, 3000); /* no ledger yet: it is not made */
	assert_int_equal(ledgers_taken(), 0);
	halt(100, true, 0);
	assert_int_equal(ledgers_taken(), 1);
	assert_bucket(LEDGER_LATE, 0, 0);
	run_timer(3, 3000);
	run_timer(4, 3000); /* another vCPU's, from this thread */
	assert_bucket(LEDGER_LATE, 10, 1);
	ledgers_know_tsc(3, 1000);
	run_timer(3, 1);
	run_timer(4, 1);
	assert_int_equal(ledger_of_thread().halts.bucket[LEDGER_LATE][9], 1);
}

static void test_timer_bounds(void **state)
{
	static const struct {
		int64_t cycles;
		unsigned bucket;
	} times[] = { { -5000, 0 },
		      { 0, 0 },
		      { INT64_MIN, 0 },
		      { INT64_MAX, 31 },
		      { INT64_C(1) << 58, 31 },
		      { 1 << 20, 19 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		ledgers_clear();
		ledgers_know_tsc(0, 2000000);
		halt(100, true, 0);
		run_timer(0, times[i].cycles);
		assert_bucket(LEDGER_LATE, times[i].bucket, 1);
	}
	/* the rate is not known, or not set yet; or it is detached */
	ledgers_clear();
	halt(100, true, 0);
	ledgers_know_tsc(0, 0);
	run_timer(0, 100);
	ledgers_know_tsc(0, 2000000);
	ledgers_detach();
	run_timer(0, 100);
	assert_bucket(LEDGER_LATE, 0, 0);
}

int main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, load, ledgers_unload)
	const struct CMUnitTest tests[] = {
		test(test_halts),	 test(test_buckets),  test(test_begins_in_halt),
		test(test_polls),	 test(test_no_polls), test(test_timer),
		test(test_timer_bounds),
	};

	return run_group("ledger_halts", tests, ARRAY_SIZE(tests));
}
