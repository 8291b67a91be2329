// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Instance numbers over restarts: the file, whole, and of another size. */
#include "fakes/fake_numbers.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void assert_mode(const char *path, mode_t mode)
{
	struct stat status;

	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, mode);
}

static void test_numbers_are_kept(void **state)
{
	struct instance_numbers *numbers = numbers_open(64);

	(void)state;
	assert_int_equal(numbers_take(numbers, FIRST), 7);
	assert_int_equal(numbers_take(numbers, SECOND), 0x01000007);
	assert_int_equal(numbers_meet(numbers, THIRD), 0x02000007);
	instance_numbers_close(numbers);
	numbers = numbers_open(64);
	assert_int_equal(numbers_stats(numbers).used, 0); /* none read so far */
	assert_int_equal(numbers_take(numbers, "=0000000400000007"), 0x03000007);
	assert_int_equal(numbers_stats(numbers).used, 4);
	assert_int_equal(numbers_take(numbers, THIRD), 0x02000007);
	assert_int_equal(numbers_take(numbers, SECOND), 0x01000007);
	assert_int_equal(numbers_take(numbers, FIRST), 7);
	assert_int_equal(numbers_stats(numbers).used, 4);
	assert_int_equal(numbers_stats(numbers).dropped, 0);
	instance_numbers_close(numbers);
	assert_int_equal(unlink("store"), 0); /* a lost file: the same but for ties */
	numbers = numbers_open(64);
	assert_int_equal(numbers_take(numbers, SECOND), 7);
	assert_int_equal(numbers_take(numbers, "web-1234"), 0x07f178b1);
	instance_numbers_close(numbers);
}

/* Bytes that a program that is not this one has made. */
static void test_format(void **state)
{
	static const uint32_t header[] = { 1, 4, 0xca210a2a };
	static const uint32_t records[2][4] = { { 0x07f178b1, 0xd8b0d451, 20000, 0xf4e9162b },
						{ 0x87f178b1, 0xd8b04e20, 0xfedcba98,
						  0xa47d4669 } };
	struct instance_numbers *numbers;
	unsigned char *bytes;
	size_t size;

	(void)state;
	fake_numbers.day = 20000;
	numbers = numbers_open(49);
	numbers_take(numbers, "web-1234");
	instance_numbers_keep(numbers, "web-1234", 0xfedcba98);
	instance_numbers_close(numbers);
	bytes = file_bytes("store", &size);
	assert_int_equal(size, NUMBERS_HEADER + 256 + sizeof(records));
	assert_memory_equal(bytes, "kvminsts", 8);
	assert_memory_equal(bytes + 8, header, sizeof(header));
	for (size_t i = 20; i < NUMBERS_HEADER + 256; i++)
		assert_int_equal(bytes[i], 0);
	assert_memory_equal(bytes + NUMBERS_HEADER + 256, records, sizeof(records));
	free(bytes);
}

static void test_folder_and_modes(void **state)
{
	struct instance_numbers *numbers;
	struct report report = { 0 };
	mode_t mask = umask(022);

	(void)state;
	assert_int_equal(instance_numbers_open("folder/store", 16, &report, &numbers), 0);
	instance_numbers_close(numbers);
	assert_mode("folder", 0755);
	assert_mode("folder/store", 0644);
	assert_int_equal(report.n, 0);
	assert_int_equal(instance_numbers_open("no/folder/store", 16, &report, &numbers), 0);
	assert_warning(&report, "no/folder/store: No such file or directory; instance numbers are "
				"not remembered");
	assert_int_equal(numbers_take(numbers, FIRST), 7);
	assert_int_equal(numbers_stats(numbers).dropped, 1);
	instance_numbers_close(numbers);
	report_clear(&report);
	umask(mask);
}

static void test_values(void **state)
{
	struct instance_numbers *numbers = numbers_open(16);
	uint32_t value;

	(void)state;
	untouched_fill(&value, sizeof(value));
	assert_int_equal(instance_numbers_kept(numbers, FIRST, &value), -ENOENT);
	assert_untouched(&value, sizeof(value));
	instance_numbers_keep(numbers, FIRST, 0);
	instance_numbers_keep(numbers, "=0000000100000008", 0xffffffff);
	assert_int_equal(instance_numbers_kept(numbers, "=0001000100000007", &value), -ENOENT);
	assert_int_equal(instance_numbers_kept(numbers, "=0000000140000007", &value), -ENOENT);
	assert_int_equal(numbers_take(numbers, FIRST), 7); /* a value is in nobody's way */
	assert_int_equal(numbers_take(numbers, "=8000000000000008"), 8);
	assert_int_equal(instance_numbers_kept(numbers, "=8000000000000009", &value), -ENOENT);
	numbers_take(numbers, "=8000000000000009");
	assert_int_equal(instance_numbers_kept(numbers, "=8000000000000009", &value), -ENOENT);
	instance_numbers_keep(numbers, "=0005000000000005", 5); /* alike in all but the kind */
	assert_int_equal(numbers_take(numbers, "=0000000500000005"), 5);
	instance_numbers_close(numbers);
	numbers = numbers_open(16);
	assert_int_equal(instance_numbers_kept(numbers, FIRST, &value), 0);
	assert_int_equal(value, 0);
	assert_int_equal(instance_numbers_kept(numbers, "=0000000100000008", &value), 0);
	assert_true(value == 0xffffffff);
	instance_numbers_keep(numbers, FIRST, 2);
	instance_numbers_keep(numbers, FIRST, 3);
	assert_int_equal(instance_numbers_kept(numbers, FIRST, &value), 0);
	assert_int_equal(value, 3);
	assert_int_equal(numbers_stats(numbers).used, 7);
	assert_int_equal(numbers_stats(numbers).dropped, 0);
	instance_numbers_close(numbers);
}

/* Many names, of which each 16th has a tie. */
static void resize_name(unsigned i, char name[64])
{
	if (i % 16)
		snprintf(name, 64, "vm-%u::vcpu0", i);
	else
		snprintf(name, 64, "=%08x%08x", i, i / 32 * 977);
}

#define RESIZE_NAMES 2000

static void assert_resized(size_t names, const uint32_t *expected)
{
	struct instance_numbers *numbers = numbers_open(names), *other;
	uint32_t value;
	char name[64];

	assert_int_equal(numbers_stats(numbers).limit, names);
	assert_int_equal(numbers_stats(numbers).dropped, 0);
	for (unsigned i = RESIZE_NAMES; i-- > 0;) {
		resize_name(i, name);
		assert_int_equal(numbers_take(numbers, name), expected[i]);
	}
	assert_int_equal(instance_numbers_kept(numbers, "key", &value), 0);
	assert_int_equal(value, 0xabcdef01);
	assert_int_equal(numbers_stats(numbers).dropped, 0);
	other = numbers_open_line(names, REPORT_INFO,
				  "store: another process writes it; numbers of new instances are "
				  "not remembered by this one");
	instance_numbers_close(other);
	instance_numbers_close(numbers);
	assert_int_equal(records_invalid((uint32_t)names / 16), 0);
	assert_int_equal(access("store.new", F_OK), -1);
}

static void test_another_size(void **state)
{
	struct instance_numbers *numbers = numbers_open(16384);
	uint32_t before[RESIZE_NAMES];
	char name[64];

	(void)state;
	for (unsigned i = 0; i < RESIZE_NAMES; i++) {
		resize_name(i, name);
		before[i] = numbers_take(numbers, name);
	}
	instance_numbers_keep(numbers, "key", 0xabcdef01);
	instance_numbers_close(numbers);
	write_text("store.new", "of a process that was killed");
	assert_resized(65536, before);
	assert_resized(131072, before);
	assert_resized(8192, before);
	assert_resized(16384, before);
}

/* A file that is too small for all has those of the last days. */
static void test_a_much_smaller_size(void **state)
{
	struct instance_numbers *numbers = numbers_open(1024);
	char name[64];

	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		fake_numbers.day = 100 + i * 7 % 40;
		snprintf(name, sizeof(name), "=%08x%08x", i, 1 + i);
		numbers_meet(numbers, name);
	}
	instance_numbers_close(numbers);
	fake_numbers.day = 200;
	numbers = numbers_open(16);
	assert_int_equal(numbers_stats(numbers).dropped, 24);
	instance_numbers_close(numbers);
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(record_find(1 + i) != 0, i * 7 % 40 >= 24);
}

static void test_a_size_that_cannot_be(void **state)
{
	struct instance_numbers *numbers = numbers_open(32);

	(void)state;
	numbers_take(numbers, FIRST);
	numbers_take(numbers, SECOND);
	instance_numbers_close(numbers);
	make_folders("store.new");
	numbers = numbers_open_line(100, REPORT_WARNING,
				    "store: cannot be replaced by one for 128 names: File exists; "
				    "it stays one for 32");
	assert_int_equal(numbers_take(numbers, SECOND), 0x01000007);
	assert_int_equal(numbers_take(numbers, THIRD), 0x02000007);
	assert_int_equal(numbers_stats(numbers).limit, 32);
	instance_numbers_close(numbers);
	assert_int_not_equal(record_find(0x02000007), 0);
	assert_int_equal(rmdir("store.new"), 0);
	fake_numbers.write_error = ENOSPC;
	numbers = numbers_open_line(100, REPORT_WARNING,
				    "store: cannot be replaced by one for 128 names: No space left "
				    "on device; it stays one for 32");
	assert_int_equal(access("store.new", F_OK), -1);
	fake_numbers.write_error = 0;
	assert_int_equal(numbers_take(numbers, SECOND), 0x01000007);
	instance_numbers_close(numbers);
}

#define KILL_NAMES 400

static void kill_name(unsigned i, char name[64])
{
	snprintf(name, 64, "=%08x%08x", i, i / 4 + 1); /* four names a number */
}

/* What a killed process does: names, days and values, in this order or that. */
static void store_forever(unsigned seed)
{
	struct instance_numbers *numbers = numbers_open(2048);
	char name[64];

	srandom(seed);
	fake_numbers.day = 1000 + seed;
	for (;;) {
		kill_name((unsigned)random() % KILL_NAMES, name);
		numbers_meet(numbers, name);
		instance_numbers_keep(numbers, name, (uint32_t)random());
		fake_numbers.day = 1000 + seed + (unsigned)random() % 8;
	}
}

static void test_kill_9(void **state)
{
	uint32_t known[KILL_NAMES] = { 0 };
	struct instance_numbers *numbers;
	char name[64];

	(void)state;
	for (unsigned round = 0; round < 100; round++) {
		pid_t child = fork();

		assert_true(child >= 0);
		if (!child) {
			store_forever(round);
			_exit(0);
		}
		/* a busy machine, or valgrind, may take long until there is something to kill it at
		 */
		for (unsigned ms = 0; ms < 30000 && access("store", F_OK); ms++)
			usleep(1000);
		usleep(500 + round * 137 % 3000);
		assert_int_equal(kill(child, SIGKILL), 0);
		assert_int_equal(waitpid(child, NULL, 0), child);
		numbers = numbers_open(2048);
		assert_int_equal(records_invalid(128), 0);
		for (unsigned i = 0; i < KILL_NAMES; i++) {
			uint32_t number;

			kill_name((i + round) % KILL_NAMES, name);
			number = numbers_take(numbers, name);
			if (known[(i + round) % KILL_NAMES])
				assert_int_equal(number, known[(i + round) % KILL_NAMES]);
			known[(i + round) % KILL_NAMES] = number;
		}
		assert_int_equal(numbers_stats(numbers).dropped, 0);
		instance_numbers_close(numbers);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		numbers_test(test_numbers_are_kept),	  numbers_test(test_format),
		numbers_test(test_folder_and_modes),	  numbers_test(test_values),
		numbers_test(test_another_size),	  numbers_test(test_a_much_smaller_size),
		numbers_test(test_a_size_that_cannot_be), numbers_test(test_kill_9),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
