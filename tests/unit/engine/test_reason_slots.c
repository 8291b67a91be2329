// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Slots that stand for the same reason have one home and one name. */
#include "fakes/support.h"

#include <errno.h>
#include <linux/types.h>
#include <string.h>

#include "engine/reason_slots.h"

#define CODES_FD 17
#define CPUID	 0x72

static __u64 codes[REASONS_SLOT_FIRST]; /* by claimed slot; 0: not claimed */
static unsigned lookups;

int __wrap_bpf_map_lookup_elem(int fd, const void *key, void *value);
int __wrap_bpf_map_lookup_elem(int fd, const void *key, void *value)
{
	__u32 slot = *(const __u32 *)key;

	assert_int_equal(fd, CODES_FD);
	assert_in_range(slot, REASONS_SLOT_UNKNOWN, REASONS_SLOT_FIRST - 1);
	lookups++;
	memcpy(value, &codes[slot], sizeof(__u64));
	return codes[slot] ? 0 : -ENOENT;
}

static struct reason_slots slots;
static struct counts {
	uint64_t count, time, max;
} reasons[COUNTER_SLOTS_MAX];

static int setup(void **state)
{
	(void)state;
	memset(codes, 0, sizeof(codes));
	memset(reasons, 0, sizeof(reasons));
	lookups = 0;
	reason_slots_init(&slots, REASONS_SVM, COUNTER_SLOTS_MAX);
	slots.codes_fd = CODES_FD;
	return 0;
}

static void count(unsigned slot, uint64_t n)
{
	reasons[slot] = (struct counts){ n, n * 10, n };
}

/* Move all counts to their homes, as a reader adds them up. */
static void fold(void)
{
	for (unsigned slot = 0; slot < COUNTER_SLOTS_MAX; slot++) {
		struct counts *from = &reasons[slot], *to;

		if (!from->count)
			continue;
		to = &reasons[reason_slots_home(&slots, slot)];
		if (to == from)
			continue;
		to->count += from->count;
		to->time += from->time;
		if (to->max < from->max)
			to->max = from->max;
		*from = (struct counts){ 0 };
	}
}

/* After folding the slots with counts are these, "NAME COUNT TIME MAX"; no name occurs twice. */
static void assert_rows(const char *expected)
{
	char text[1024] = "";

	fold();
	for (unsigned slot = 0; slot < COUNTER_SLOTS_MAX; slot++) {
		if (!reasons[slot].count)
			continue;
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s %llu %llu %llu\n",
			 reason_slots_name(&slots, slot), (unsigned long long)reasons[slot].count,
			 (unsigned long long)reasons[slot].time,
			 (unsigned long long)reasons[slot].max);
	}
	assert_string_equal(text, expected);
}

static void test_nothing_to_fold(void **state)
{
	(void)state;
	codes[1] = 0x4d2;
	codes[2] = 0x4d3;
	count(0, 1);
	count(1, 2);
	count(2, 3);
	count(9, 4);
	count(9 + CPUID, 5);
	count(9 + 0xaf, 6); /* in a range, without a name */
	for (int i = 0; i < 2; i++)
		assert_rows("other 1 10 1\n0x4d2 2 20 2\n0x4d3 3 30 3\nread_cr0 4 40 4\n"
			    "cpuid 5 50 5\n0xaf 6 60 6\n");
}

/* An older agent had no range for the code. */
static void test_code_with_a_range(void **state)
{
	(void)state;
	codes[2] = CPUID;
	codes[3] = 0xaf;
	count(2, 2);
	count(3, 7);
	count(9 + CPUID, 5);
	assert_rows("cpuid 7 70 5\n0xaf 7 70 7\n");
}

/* Two CPUs have claimed a slot each. */
static void test_code_with_two_slots(void **state)
{
	(void)state;
	codes[1] = 0x4d1;
	codes[3] = codes[5] = codes[8] = 0x4d2;
	count(5, 2);
	count(8, 3);
	assert_rows("0x4d2 5 50 3\n");
	count(3, 10);
	assert_rows("0x4d2 10 100 10\n");
}

/* Slots of a later agent's ranges, of another instruction set, or of a claim that is lost. */
static void test_no_code(void **state)
{
	(void)state;
	count(0, 1);
	count(4, 2);
	count(COUNTER_SLOTS_MAX - 1, 3);
	count(240, 4);
	assert_rows("other 10 100 4\n");
	reason_slots_set_isa(&slots, REASONS_VMX);
	memset(reasons, 0, sizeof(reasons));
	count(9, 1);
	count(104, 2);
	count(105, 3);
	count(200, 4);
	assert_rows("other 7 70 4\nEXCEPTION_NMI 1 10 1\n0x5f 2 20 2\n");
}

/* What was added to a home stays there: a counter never falls. */
static void test_homes_are_kept(void **state)
{
	(void)state;
	count(4, 2);
	assert_rows("other 2 20 2\n");
	codes[4] = 0x4d2;
	memset(reasons, 0, sizeof(reasons));
	count(4, 3);
	assert_rows("other 3 30 3\n");
	assert_string_equal(reason_slots_name(&slots, 4), "other");
	assert_int_equal(reason_slots_home(&slots, 4), 0);
	/* a name alone decides nothing: the slot may be claimed later */
	assert_string_equal(reason_slots_name(&slots, 6), "other");
	codes[6] = 0x4d6;
	assert_string_equal(reason_slots_name(&slots, 6), "0x4d6");
}

/* The codes are looked up once, not at each read. */
static void test_lookups(void **state)
{
	unsigned before;

	(void)state;
	codes[1] = CPUID;
	count(1, 1);
	assert_rows("cpuid 1 10 1\n");
	before = lookups;
	for (int i = 0; i < 5; i++) {
		count(1, 1);
		fold();
	}
	assert_int_equal(lookups, before);
	reason_slots_init(&slots, REASONS_SVM, COUNTER_SLOTS_MAX); /* nothing is loaded */
	assert_string_equal(reason_slots_name(&slots, 1), "other");
	assert_int_equal(lookups, before);
}

#define slots_test(test) cmocka_unit_test_setup_teardown(test, setup, NULL)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		slots_test(test_nothing_to_fold),     slots_test(test_code_with_a_range),
		slots_test(test_code_with_two_slots), slots_test(test_no_code),
		slots_test(test_homes_are_kept),      slots_test(test_lookups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
