// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * The programs of before the engine and today's are fed the same events, and agree to the last
 * count: of AMD and Intel, in both forms of kvm_exit, by two threads with several vCPUs each.
 */
#include "bpf/exit_programs.h"
#include "bpf/old_exit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS 20000

static uint64_t random_state, now;
static unsigned form, generation, epoch;

/* xorshift: the same events each time */
static uint64_t random_below(uint64_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state % n;
}

/* A few reasons of each vendor, codes that nobody knows, and flags. */
static uint32_t random_code(void)
{
	static const uint32_t codes[] = { 0x60,	  0x61,	  0x64,	  0x72,	      0x78,
					  0x7b,	  0x7c,	  0x81,	  0x400,      0x402,
					  0,	  1,	  10,	  12,	      28,
					  30,	  48,	  49,	  0x8000000a, 0x7000,
					  0x7001, 0x7002, 0x7003, 0x7009,     0xffffffff };

	return codes[random_below(ARRAY_SIZE(codes))];
}

static void exit_both(void)
{
	unsigned vcpu = (unsigned)random_below(VCPUS), isa = random_below(2) ? ISA_VMX : ISA_SVM;
	uint32_t code = random_code();

	kvm_exit(vcpu, isa, code);
	if (form & REASON_FIRST)
		run_with(old_exit_program(), code, vcpu_address(vcpu), isa);
	else
		run_with(old_exit_program(), vcpu_address(vcpu), isa);
}

static void entry_both(void)
{
	unsigned vcpu = (unsigned)random_below(VCPUS);

	kvm_entry(vcpu);
	run_with(old_entry_program(), vcpu_address(vcpu));
}

static void control_change(void)
{
	if (random_below(2)) {
		generation_begin(&exit_maps);
		generation++;
	} else {
		epoch_begin(&exit_maps);
		epoch++;
	}
	old_control_set(exit_maps.control->generation, exit_maps.control->epoch);
}

static void events(void)
{
	for (unsigned i = 0; i < EVENTS; i++) {
		uint64_t what = random_below(1000);

		now += random_below(1ULL << random_below(36));
		clock_set(now);
		old_clock_set(now);
		if (what < 480)
			exit_both();
		else if (what < 998)
			entry_both();
		else
			control_change();
	}
}

static uint64_t overflow_of(unsigned slot)
{
	uint64_t sum = 0;

	for (int cpu = 0; cpu < possible_cpus(); cpu++)
		sum += overflow_read(&exit_maps, cpu).count[slot];
	return sum;
}

#define assert_agree(slot, what, new, old)                                               \
	do {                                                                             \
		if ((new) != (old))                                                      \
			fail_msg("slot %u: " what " is %" PRIu64 ", was %" PRIu64, slot, \
				 (uint64_t)(new), (uint64_t)(old));                      \
	} while (0)

/* Returns how many exits are compared. */
static uint64_t assert_all_agree(uint64_t *ret_overflow)
{
	struct counted is[EXIT_SLOTS];
	uint64_t count = 0;

	*ret_overflow = 0;
	counters_read(&exit_maps, is);
	for (unsigned slot = 0; slot < EXIT_SLOTS; slot++) {
		struct old_sums was;

		old_sums_read(slot, epoch, &was);
		assert_agree(slot, "count", is[slot].count, was.count);
		assert_agree(slot, "time", is[slot].time, was.time);
		assert_agree(slot, "max", is[slot].max, was.max);
		assert_agree(slot, "overflow", overflow_of(slot), was.overflow);
		for (unsigned i = 0; was.count && i < EXIT_BUCKETS; i++)
			assert_agree(slot, "a bucket", counters_bucket(&exit_maps, slot, i),
				     was.bucket[i]);
		count += was.count;
		*ret_overflow += was.overflow;
	}
	assert_int_equal(counters_guest_time(&exit_maps), old_guest_time());
	return count;
}

/* Two threads, with so many records. */
static void agree(unsigned flags, unsigned records, uint64_t *ret_overflow)
{
	struct exit_setup setup = { .has_reasons = 1 };

	form = flags;
	random_state = 0x5eed5eed5eed5eedULL;
	now = 1000;
	generation = epoch = 0;
	exits_load(flags, records);
	exit_setup_make(flags, &setup);
	assert_int_equal(old_exits_load(&setup, offsetof(struct exit_setup, arm64),
					flags & REASON_FIRST, records),
			 0);
	old_control_set(exit_maps.control->generation, exit_maps.control->epoch);
	in_thread(events);
	events();
	assert_true(assert_all_agree(ret_overflow) > 0);
	assert_true(generation > 10 && epoch > 10);
}

static int unload(void **state)
{
	old_exits_unload();
	return exits_unload(state);
}

static const unsigned forms[] = { 0, REASON_FIRST, TYPED };

static void test_agree(void **state)
{
	uint64_t overflow;

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		if (forms[i] & TYPED && !typed_loads())
			continue;
		agree(forms[i], 2 * VCPUS, &overflow);
		assert_int_equal(overflow, 0);
		unload(state);
	}
}

/* There is room for some of the vCPUs only: the same ones. */
static void test_limit(void **state)
{
	uint64_t overflow;

	for (size_t i = 0; i < 2; i++) {
		agree(forms[i], VCPUS + 1, &overflow);
		assert_true(overflow > EVENTS / 10);
		unload(state);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_agree, unload),
		cmocka_unit_test_teardown(test_limit, unload),
	};

	return run_group("test_exit_old", tests, ARRAY_SIZE(tests));
}
