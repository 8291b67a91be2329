// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Instance numbers where names cannot be remembered: full sets and failing disks. */
#define _GNU_SOURCE
#include "fakes/fake_numbers.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* The name of this hash number. */
static const char *name_of(uint32_t number)
{
	static char name[32];

	snprintf(name, sizeof(name), "=%08x%08x", number * 3, number);
	return name;
}

/* Take names first .. last, each on the day of its number. */
static void take_all(struct instance_numbers *numbers, uint32_t first, uint32_t last)
{
	for (uint32_t i = first; i <= last; i++) {
		fake_numbers.day = i;
		assert_int_equal(numbers_take(numbers, name_of(i)), i);
	}
}

static void meet_all(struct instance_numbers *numbers, uint32_t first, uint32_t last)
{
	take_all(numbers, first, last);
	for (uint32_t i = first; i <= last; i++) {
		fake_numbers.day = i;
		instance_numbers_release(numbers, name_of(i));
	}
}

static void test_the_longest_unused_is_forgotten(void **state)
{
	struct instance_numbers *numbers = numbers_open(16);

	(void)state;
	meet_all(numbers, 101, 116);
	assert_int_equal(numbers_stats(numbers).used, 16);
	fake_numbers.day = 120;
	numbers_meet(numbers, name_of(101));
	numbers_meet(numbers, name_of(103));
	assert_int_equal(numbers_stats(numbers).dropped, 0);
	numbers_meet(numbers, name_of(200));
	assert_int_equal(record_find(102), 0);
	fake_numbers.day = 90; /* the clock is put back: this one is next */
	numbers_meet(numbers, name_of(116));
	fake_numbers.day = 121;
	numbers_meet(numbers, name_of(201));
	assert_int_equal(record_find(116), 0);
	numbers_meet(numbers, name_of(202));
	assert_int_equal(record_find(104), 0);
	assert_int_equal(numbers_stats(numbers).dropped, 3);
	assert_int_equal(numbers_stats(numbers).used, 16);
	for (uint32_t i = 105; i < 116; i++)
		assert_int_not_equal(record_find(i), 0);
	assert_int_not_equal(record_find(101), 0);
	assert_int_not_equal(record_find(103), 0);
	instance_numbers_close(numbers);
}

/* The last day in use is that of the release, or of the last tick before a kill -9. */
static void test_the_last_day_in_use(void **state)
{
	struct instance_numbers *numbers = numbers_open(16);

	(void)state;
	take_all(numbers, 101, 116);
	fake_numbers.day = 130;
	instance_numbers_release(numbers, name_of(101));
	instance_numbers_release(numbers, name_of(102));
	fake_numbers.day = 131;
	instance_numbers_tick(numbers); /* all but two */
	fake_numbers.day = 132;
	instance_numbers_close(numbers); /* as at a kill -9: nothing is released */
	numbers = numbers_open(16);
	numbers_meet(numbers, name_of(201));
	numbers_meet(numbers, name_of(202));
	assert_int_equal(record_find(101), 0);
	assert_int_equal(record_find(102), 0);
	for (uint32_t i = 103; i <= 116; i++)
		assert_int_not_equal(record_find(i), 0);
	instance_numbers_close(numbers);
}

static void test_a_name_in_use_is_never_forgotten(void **state)
{
	struct instance_numbers *numbers = numbers_open(16);

	(void)state;
	take_all(numbers, 101, 116);
	fake_numbers.day = 140;
	assert_int_equal(numbers_take(numbers, name_of(117)), 117); /* not remembered */
	assert_int_equal(numbers_take(numbers, "=0000000100000075"), 0x01000075);
	assert_int_equal(numbers_take(numbers, "=0000000100000065"), 0x01000065);
	assert_int_equal(numbers_take(numbers, "=0000000100000000"), 0x01000000);
	instance_numbers_keep(numbers, "key", 1);
	assert_int_equal(numbers_stats(numbers).dropped, 5);
	instance_numbers_tick(numbers);
	assert_int_equal(record_find(117), 0);
	for (uint32_t i = 101; i <= 116; i++)
		assert_int_not_equal(record_find(i), 0);

	instance_numbers_release(numbers, name_of(110));
	instance_numbers_release(numbers, "=0000000100000075");
	instance_numbers_release(numbers, "=0000000100000065");
	instance_numbers_release(numbers, "=0000000100000000");
	fake_numbers.day = 141;
	instance_numbers_tick(numbers); /* now there is a place for it */
	assert_int_not_equal(record_find(117), 0);
	assert_int_equal(numbers_stats(numbers).used, 16);
	instance_numbers_close(numbers);
}

/* A name not remembered is at its release, where there is room by then. */
static void test_remembered_at_release(void **state)
{
	struct instance_numbers *numbers = numbers_open(16);

	(void)state;
	take_all(numbers, 101, 116);
	assert_int_equal(numbers_take(numbers, "=0000000100000065"), 0x01000065);
	instance_numbers_release(numbers, name_of(101));
	instance_numbers_release(numbers, "=0000000100000065");
	assert_int_not_equal(record_find(0x01000065), 0);
	assert_int_equal(record_find(101), 0);
	instance_numbers_close(numbers);
}

static void test_values_are_forgotten_by_day(void **state)
{
	struct instance_numbers *numbers = numbers_open(16);
	uint32_t value;

	(void)state;
	for (uint32_t i = 1; i <= 16; i++) {
		fake_numbers.day = 100 + i;
		instance_numbers_keep(numbers, name_of(i), i);
	}
	fake_numbers.day = 130;
	assert_int_equal(instance_numbers_kept(numbers, name_of(1), &value), 0);
	instance_numbers_keep(numbers, name_of(2), 2);
	numbers_meet(numbers, FIRST);
	instance_numbers_keep(numbers, "key", 5);
	assert_int_equal(numbers_stats(numbers).dropped, 2);
	for (uint32_t i = 1; i <= 16; i++) {
		int err = instance_numbers_kept(numbers, name_of(i), &value);

		assert_int_equal(err, i == 3 || i == 4 ? -ENOENT : 0);
		assert_true(err || value == i);
	}
	assert_int_equal(instance_numbers_kept(numbers, "key", &value), 0);
	assert_int_equal(value, 5);
	instance_numbers_close(numbers);
}

/* One write of 16 bytes for a name, and one for a name and day. */
static void test_writes(void **state)
{
	struct instance_numbers *numbers = numbers_open(1600);
	uint32_t value;

	(void)state;
	fake_numbers.day = 100;
	fake_numbers.writes = 0;
	fake_numbers.written = 0;
	for (unsigned day = 100; day < 103; day++) {
		fake_numbers.day = day;
		for (unsigned i = 0; i < 5; i++) {
			numbers_meet(numbers, "a");
			numbers_meet(numbers, "b");
			numbers_take(numbers, "c");
			instance_numbers_keep(numbers, "a", 7);
			assert_int_equal(instance_numbers_kept(numbers, "a", &value), 0);
			instance_numbers_tick(numbers);
			instance_numbers_tick(numbers);
		}
		assert_int_equal(fake_numbers.writes, 4 * (day - 99));
		assert_int_equal(fake_numbers.written, 16 * fake_numbers.writes);
	}
	instance_numbers_close(numbers);
}

/* A tick looks at no more than 4,096 places, and at each once a day. */
static void test_ticks(void **state)
{
	struct instance_numbers *numbers = numbers_open(65536);
	unsigned ticks = 0, before;
	char name[32];

	(void)state;
	fake_numbers.day = 100;
	for (unsigned i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "vm-%u", i);
		numbers_take(numbers, name);
	}
	fake_numbers.day = 101;
	fake_numbers.writes = 0;
	do {
		before = fake_numbers.writes;
		instance_numbers_tick(numbers);
		assert_true(fake_numbers.writes - before < 4096);
	} while (fake_numbers.writes > before && ++ticks < 100);
	assert_int_equal(ticks, 4);
	assert_int_equal(fake_numbers.writes, 10000);
	instance_numbers_close(numbers);
}

static void test_a_disk_that_fails(void **state)
{
	struct instance_numbers *numbers = numbers_open(16);
	uint32_t value;

	(void)state;
	fake_numbers.day = 100;
	numbers_take(numbers, "=0000000100000008");
	instance_numbers_keep(numbers, "old", 1);
	fake_numbers.write_error = ENOSPC;
	assert_int_equal(numbers_take(numbers, FIRST), 7);
	assert_int_equal(numbers_take(numbers, SECOND), 0x01000007);
	instance_numbers_keep(numbers, "key", 1);
	instance_numbers_keep(numbers, "old", 2);
	assert_int_equal(numbers_stats(numbers).dropped, 4);
	assert_int_equal(numbers_stats(numbers).used, 2);
	assert_int_equal(numbers_stats(numbers).write_error, ENOSPC);
	assert_int_equal(instance_numbers_kept(numbers, "key", &value), -ENOENT);
	fake_numbers.write_error = 0;
	fake_numbers.write_short = 13;
	fake_numbers.day = 101;
	assert_int_equal(numbers_meet(numbers, THIRD), 0x02000007);
	assert_int_equal(numbers_stats(numbers).dropped, 5);
	assert_int_equal(record_find(0x02000007), 0);
	fake_numbers.write_short = 0;
	fake_numbers.day = 102;
	instance_numbers_tick(numbers); /* there is room again */
	assert_int_equal(numbers_stats(numbers).write_error, 0);
	assert_int_equal(numbers_stats(numbers).dropped, 5);
	instance_numbers_close(numbers);
	numbers = numbers_open(16);
	assert_int_equal(numbers_take(numbers, SECOND), 0x01000007);
	assert_int_equal(numbers_take(numbers, FIRST), 7);
	instance_numbers_close(numbers);
}

/* The day of a remembered name that cannot be written: it is remembered all the same. */
static void test_a_day_that_cannot_be_written(void **state)
{
	struct instance_numbers *numbers = numbers_open(16);
	uint32_t value;

	(void)state;
	fake_numbers.day = 100;
	numbers_meet(numbers, FIRST);
	instance_numbers_keep(numbers, "key", 9);
	fake_numbers.day = 101;
	fake_numbers.write_error = EIO;
	numbers_meet(numbers, FIRST);
	instance_numbers_keep(numbers, "key", 9);
	assert_int_equal(instance_numbers_kept(numbers, "key", &value), 0);
	assert_int_equal(numbers_stats(numbers).dropped, 0);
	assert_int_equal(numbers_stats(numbers).write_error, EIO);
	instance_numbers_close(numbers);
}

/* What cannot be read is not written over. */
static void test_a_disk_that_cannot_be_read(void **state)
{
	struct instance_numbers *numbers = numbers_open(16);
	uint32_t value;

	(void)state;
	fake_numbers.day = 100;
	numbers_meet(numbers, FIRST);
	fake_numbers.writes = 0;
	fake_numbers.read_error = EIO;
	assert_int_equal(numbers_take(numbers, SECOND), 7);
	instance_numbers_keep(numbers, "key", 1);
	assert_int_equal(instance_numbers_kept(numbers, "key", &value), -ENOENT);
	assert_int_equal(fake_numbers.writes, 0);
	fake_numbers.read_error = 0;
	instance_numbers_tick(numbers); /* the number is another's: no second record of it */
	assert_int_equal(fake_numbers.writes, 0);
	assert_int_equal(numbers_take(numbers, FIRST), 0x01000007);
	assert_int_equal(numbers_take(numbers, SECOND), 7);
	instance_numbers_close(numbers);
	fake_numbers.read_error = EIO;
	numbers =
		numbers_open_line(16, REPORT_WARNING,
				  "store: Input/output error; instance numbers are not remembered");
	instance_numbers_close(numbers);
}

static void test_a_full_disk(void **state)
{
	struct instance_numbers *numbers;
	uint32_t of[3000];
	char name[32];

	(void)state;
	if (unshare(CLONE_NEWNS) || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) ||
	    mkdir("disk", 0755) || mount("none", "disk", "tmpfs", 0, "size=64k")) {
		print_message("skip: mounting needs root\n");
		skip();
	}
	assert_int_equal(chdir("disk"), 0);
	numbers = numbers_open(65536);
	for (unsigned i = 0; i < ARRAY_SIZE(of); i++) {
		snprintf(name, sizeof(name), "vm-%u", i);
		of[i] = numbers_take(numbers, name);
	}
	assert_int_equal(numbers_stats(numbers).write_error, ENOSPC);
	assert_in_range(numbers_stats(numbers).dropped, 1500, 2999);
	assert_int_equal(numbers_stats(numbers).used + numbers_stats(numbers).dropped,
			 ARRAY_SIZE(of));
	assert_in_range(numbers_stats(numbers).file_bytes, 4096, 65536);
	instance_numbers_close(numbers);
	assert_int_equal(records_invalid(4096), 0);
	numbers = numbers_open(65536);
	for (unsigned i = ARRAY_SIZE(of); i-- > 0;) {
		snprintf(name, sizeof(name), "vm-%u", i);
		assert_int_equal(numbers_take(numbers, name), of[i]);
	}
	instance_numbers_close(numbers);
	assert_int_equal(chdir(".."), 0);
	assert_int_equal(umount("disk"), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		numbers_test(test_the_longest_unused_is_forgotten),
		numbers_test(test_the_last_day_in_use),
		numbers_test(test_a_name_in_use_is_never_forgotten),
		numbers_test(test_remembered_at_release),
		numbers_test(test_values_are_forgotten_by_day),
		numbers_test(test_writes),
		numbers_test(test_ticks),
		numbers_test(test_a_disk_that_fails),
		numbers_test(test_a_day_that_cannot_be_written),
		numbers_test(test_a_disk_that_cannot_be_read),
		numbers_test(test_a_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
