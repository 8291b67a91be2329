// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* What is published of causes never falls, and together it is all that was counted. */
#include "fakes/fake_causes.h"
#include "fakes/support.h"

#include <string.h>

#define A CAUSE_KEY(CAUSE_PIO, 1, 0x3f8)
#define B CAUSE_KEY(CAUSE_PIO, 0, 0x3fd)
#define C CAUSE_KEY(CAUSE_MSR, 1, 0x6e0)

static struct fake_causes memory;
static struct cause_sums sums;
static struct cause_record *const record = &memory.records[1], *const second = &memory.records[2];

static int setup(void **state)
{
	(void)state;
	memset(&memory, 0, sizeof(memory));
	fake_causes_open(&memory, &sums);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	cause_sums_free(&sums);
	return 0;
}

static bool all(void *data, uint64_t key)
{
	(void)data;
	(void)key;
	return true;
}

static bool never(void *data, uint64_t key)
{
	(void)data;
	(void)key;
	return false;
}

static void read_all(void)
{
	for (uint32_t i = 1; i < FAKE_CAUSE_RECORDS; i++)
		assert_int_equal(cause_sums_read(&sums, i, all, NULL), 0);
}

/* Killed, and started again. */
static void restart(void)
{
	cause_sums_free(&sums);
	fake_causes_open(&memory, &sums);
}

static void test_grows(void **state)
{
	(void)state;
	fake_causes_start(record, 5, A);
	fake_causes_count(record, 5, 3);
	fake_causes_start(second, 9, A);
	fake_causes_count(second, 9, 5);
	record->none.count = 2;
	read_all();
	assert_causes(fake_causes_of(&sums, 1, A), 3);
	assert_causes(fake_causes_of(&sums, 2, A), 5);
	assert_causes(fake_causes_of_host(&sums, A), 8);
	assert_causes(fake_causes_of_host(&sums, CAUSE_OTHER), 0);
	assert_int_equal(fake_causes_of_host(&sums, CAUSE_NONE).count, 2);
	fake_causes_count(record, 5, 4);
	assert_causes(fake_causes_of(&sums, 1, A), 3);
	read_all();
	assert_causes(fake_causes_of(&sums, 1, A), 7);
	assert_int_equal(sums.used, 2);
}

/* The number of a set's changes comes round to 0, for this agent and for the next one. */
static void test_many_changes(void **state)
{
	(void)state;
	fake_causes_start(record, 4, A);
	fake_causes_start(record, 7, B);
	fake_causes_count(record, 4, 3);
	read_all();
	record->changes[1] = 0;
	fake_causes_count(record, 4, 4);
	fake_causes_count(record, 7, 5);
	read_all();
	assert_causes(fake_causes_of(&sums, 1, A), 7);
	assert_causes(fake_causes_of(&sums, 1, B), 5);
	restart();
	fake_causes_count(record, 7, 6);
	read_all();
	assert_causes(fake_causes_of(&sums, 1, A), 7);
	assert_causes(fake_causes_of(&sums, 1, B), 11);
	assert_causes(fake_causes_total(&sums), 18);
	/* its next owner has other sets */
	assert_int_equal(cause_sums_finish(&sums, 1), 0);
	cause_sums_retire(&sums, 1);
	fake_causes_start(record, 9, A);
	fake_causes_count(record, 9, 2);
	read_all();
	assert_causes(fake_causes_of(&sums, 1, A), 2);
	assert_causes(fake_causes_total(&sums), 20);
}

/* Other has what was counted since the last read; the key goes on where it was. */
static void eviction(void (*between)(void))
{
	fake_causes_start(record, 5, A);
	fake_causes_count(record, 5, 10);
	read_all();
	fake_causes_count(record, 5, 3);
	between();
	fake_causes_start(record, 5, B);
	fake_causes_count(record, 5, 4);
	between();
	read_all();
	assert_causes(fake_causes_of(&sums, 1, A), 10);
	assert_causes(fake_causes_of(&sums, 1, B), 4);
	assert_causes(fake_causes_of(&sums, 1, CAUSE_OTHER), 3);
	assert_causes(fake_causes_total(&sums), 17);
	between();
	fake_causes_count(record, 5, 1);
	fake_causes_start(record, 5, A);
	fake_causes_count(record, 5, 2);
	read_all();
	between();
	assert_causes(fake_causes_of(&sums, 1, A), 12);
	assert_causes(fake_causes_of(&sums, 1, B), 4);
	assert_causes(fake_causes_of(&sums, 1, CAUSE_OTHER), 4);
	assert_causes(fake_causes_total(&sums), 20);
	assert_int_equal(sums.used, 2);
}

static void nothing(void)
{
}

static void test_eviction(void **state)
{
	(void)state;
	eviction(nothing);
}

static void test_eviction_over_restart(void **state)
{
	(void)state;
	eviction(restart);
}

/* The key comes back between two reads: its slot has less than was published, or more. */
static void test_same_key_anew(void **state)
{
	(void)state;
	fake_causes_start(record, 0, A);
	fake_causes_count(record, 0, 10);
	read_all();
	fake_causes_start(record, 0, B);
	fake_causes_count(record, 0, 1);
	fake_causes_start(record, 0, A);
	fake_causes_count(record, 0, 15);
	read_all();
	assert_causes(fake_causes_of(&sums, 1, A), 25);
	assert_causes(fake_causes_of(&sums, 1, B), 0);
	assert_causes(fake_causes_of(&sums, 1, CAUSE_OTHER), 1);
}

/* A key that is not admitted stays part of other, while its slot has it. */
static void test_not_admitted(void **state)
{
	(void)state;
	fake_causes_start(record, 0, A);
	fake_causes_count(record, 0, 10);
	assert_int_equal(cause_sums_read(&sums, 1, never, NULL), 0);
	assert_causes(fake_causes_of(&sums, 1, CAUSE_OTHER), 10);
	fake_causes_count(record, 0, 3);
	restart();
	read_all();
	assert_causes(fake_causes_of(&sums, 1, A), 0);
	assert_causes(fake_causes_of(&sums, 1, CAUSE_OTHER), 13);
	fake_causes_start(record, 0, B);
	fake_causes_start(record, 0, A);
	fake_causes_count(record, 0, 2);
	read_all();
	assert_causes(fake_causes_of(&sums, 1, A), 2);
	assert_causes(fake_causes_of(&sums, 1, CAUSE_OTHER), 13);
}

static void test_no_room(void **state)
{
	(void)state;
	for (unsigned i = 0; i < FAKE_CAUSE_SUMS + 3; i++) {
		fake_causes_start(record, i, CAUSE_KEY(CAUSE_PIO, 0, i));
		fake_causes_count(record, i, 2);
	}
	read_all();
	assert_int_equal(sums.used, FAKE_CAUSE_SUMS);
	assert_int_equal(sums.dropped, 3);
	assert_causes(fake_causes_of(&sums, 1, CAUSE_OTHER), 6);
	assert_causes(fake_causes_total(&sums), 2 * (FAKE_CAUSE_SUMS + 3));
}

/* A set that is changing all the time is as it was. */
static void test_changes_meanwhile(void **state)
{
	(void)state;
	fake_causes_start(record, 0, A);
	fake_causes_count(record, 0, 10);
	read_all();
	record->changes[0]++;
	record->other.count += 10;
	record->slots[0].counts = (struct cause_counts){ 0 };
	read_all();
	assert_causes(fake_causes_of(&sums, 1, A), 10);
	assert_causes(fake_causes_of(&sums, 1, CAUSE_OTHER), 0);
	record->other.count -= 10;
	fake_causes_count(record, 0, 10);
	record->changes[0]++;
	fake_causes_start(record, 0, B);
	read_all();
	assert_causes(fake_causes_total(&sums), 10);
}

/* Records retire: their keys are the host's, also that of a slot that has started with another. */
static void test_retire(void **state)
{
	(void)state;
	for (unsigned round = 1; round <= 2; round++) {
		fake_causes_start(record, 5, A);
		fake_causes_count(record, 5, 10);
		fake_causes_start(record, 6, C);
		fake_causes_count(record, 6, 1);
		read_all();
		fake_causes_start(record, 5, B);
		fake_causes_count(record, 5, 4);
		record->none.count = 1;
		assert_int_equal(cause_sums_finish(&sums, 1), 0);
		cause_sums_retire(&sums, 1);
		if (round == 1)
			restart();
		read_all();
		assert_causes(fake_causes_of_host(&sums, A), round * 10);
		assert_causes(fake_causes_of_host(&sums, C), round);
		assert_causes(fake_causes_of_host(&sums, CAUSE_OTHER), round * 4);
		assert_int_equal(fake_causes_of_host(&sums, CAUSE_NONE).count, round);
		assert_causes(fake_causes_of(&sums, 1, A), 0);
		assert_int_equal(sums.used, 2);
	}
}

/* What is open when its thread has ended counts, without time. */
static void test_finish(void **state)
{
	(void)state;
	fake_causes_start(record, 5, A);
	fake_causes_count(record, 5, 10);
	record->open = 1;
	record->key = A;
	record->trips = 2;
	record->trip_time = 30;
	second->trip_key = B;
	second->trips = 1;
	read_all();
	assert_int_equal(cause_sums_finish(&sums, 1), 0);
	assert_int_equal(cause_sums_finish(&sums, 2), 0);
	assert_int_equal(fake_causes_of(&sums, 1, A).count, 11);
	assert_int_equal(fake_causes_of(&sums, 1, A).time, 100);
	assert_int_equal(fake_causes_of(&sums, 1, A).trips, 12);
	assert_int_equal(fake_causes_of(&sums, 1, A).trip_time, 100);
	/* a key that has no slot */
	assert_int_equal(fake_causes_of(&sums, 2, CAUSE_OTHER).trips, 1);
	assert_int_equal(record->open, 0);
}

static struct cause_sum *mapped; /* what is mapped when the first sum is taken */
static unsigned maps;

static struct cause_sum *list_map(void *data)
{
	assert_ptr_equal(data, &memory);
	maps++;
	return mapped;
}

/* The list is mapped when a key needs it; without memory the key is part of other. */
static void test_mapped_when_needed(void **state)
{
	(void)state;
	sums.list = NULL;
	sums.map = list_map;
	sums.map_data = &memory;
	maps = 0;
	mapped = NULL;
	record->none.count = 2;
	read_all();
	assert_int_equal(maps, 0);
	assert_causes(fake_causes_of_host(&sums, A), 0);
	fake_causes_start(record, 5, A);
	fake_causes_count(record, 5, 3);
	read_all();
	assert_int_equal(maps, 1);
	assert_int_equal(sums.dropped, 1);
	assert_causes(fake_causes_of_host(&sums, CAUSE_OTHER), 3);
	mapped = memory.sums;
	fake_causes_start(second, 9, B);
	fake_causes_count(second, 9, 5);
	read_all();
	fake_causes_start(second, 10, C);
	fake_causes_count(second, 10, 7);
	read_all();
	assert_int_equal(maps, 2);
	assert_causes(fake_causes_of_host(&sums, B), 5);
	assert_causes(fake_causes_of_host(&sums, C), 7);
	assert_int_equal(memory.sums[1].key, B);
}

int main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		test(test_grows),
		test(test_many_changes),
		test(test_eviction),
		test(test_eviction_over_restart),
		test(test_same_key_anew),
		test(test_not_admitted),
		test(test_no_room),
		test(test_changes_meanwhile),
		test(test_retire),
		test(test_finish),
		test(test_mapped_when_needed),
	};

	return cmocka_run_group_tests_name("cause_sums", tests, NULL, NULL);
}
