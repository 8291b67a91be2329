// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Instance numbers of a process that reads the file only, and who that is. */
#define _GNU_SOURCE
#include "fakes/fake_numbers.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define READER \
	"store: another process writes it; numbers of new instances are not remembered by this one"
#define UNWRITABLE(why) \
	"store: cannot be written: " why "; numbers of new instances are not remembered"

/* Two names are remembered; then a new one is met and a value kept, and the file is the same. */
static void assert_read_only(enum report_level level, const char *line)
{
	struct instance_numbers *numbers;
	unsigned char *before, *after;
	size_t size, now;
	uint32_t value;

	before = file_bytes("store", &size);
	numbers = numbers_open_line(64, level, line); /* another size, too */
	assert_int_equal(numbers_stats(numbers).limit, 32);
	assert_int_equal(numbers_take(numbers, THIRD), 0x02000007);
	assert_int_equal(numbers_take(numbers, SECOND), 0x01000007);
	assert_int_equal(numbers_take(numbers, "new"), instance_hash("new") & 0x3fffffff);
	instance_numbers_keep(numbers, "other key", 1);
	instance_numbers_keep(numbers, "key", 2);
	instance_numbers_tick(numbers);
	instance_numbers_release(numbers, FIRST);
	instance_numbers_release(numbers, SECOND);
	instance_numbers_release(numbers, "new");
	assert_int_equal(instance_numbers_kept(numbers, "other key", &value), -ENOENT);
	assert_int_equal(instance_numbers_kept(numbers, "key", &value), 0);
	assert_int_equal(value, 1);
	assert_int_equal(numbers_stats(numbers).dropped, 4);
	assert_int_equal(numbers_stats(numbers).write_error, 0);
	instance_numbers_close(numbers);
	after = file_bytes("store", &now);
	assert_int_equal(now, size);
	assert_memory_equal(after, before, size);
	assert_int_equal(access("store.new", F_OK), -1);
	free(before);
	free(after);
}

static struct instance_numbers *two_names(void)
{
	struct instance_numbers *numbers = numbers_open(32);

	numbers_take(numbers, FIRST);
	numbers_take(numbers, SECOND);
	instance_numbers_keep(numbers, "key", 1);
	return numbers;
}

static void test_a_second_process_reads(void **state)
{
	struct instance_numbers *writer, *reader;

	(void)state;
	fake_numbers.day = 100;
	writer = two_names();
	fake_numbers.day = 101;
	assert_read_only(REPORT_INFO, READER);
	reader = numbers_open_line(32, REPORT_INFO, READER);
	numbers_take(writer, "=0000000500000007"); /* what is remembered meanwhile is seen */
	assert_int_equal(numbers_take(reader, "=0000000600000007"), 0x03000007);
	assert_int_equal(numbers_take(reader, "=0000000500000007"), 0x02000007);
	/* the number that the reader has given away: it keeps it, and the other gets a new one */
	assert_int_equal(numbers_take(writer, "=0000000700000007"), 0x03000007);
	assert_int_equal(numbers_take(reader, "=0000000700000007"), 0x04000007);
	instance_numbers_close(writer);
	writer = numbers_open(32); /* the lock went with the writer */
	instance_numbers_close(writer);
	instance_numbers_close(reader);
}

static void test_files_that_may_not_be_written(void **state)
{
	uid_t user = geteuid();

	(void)state;
	fake_numbers.day = 100;
	instance_numbers_close(two_names());
	fake_numbers.day = 101;
	assert_int_equal(chmod("store", 0444), 0);
	assert_int_equal(chmod(".", 0555), 0);
	assert_int_equal(seteuid(user ? user : 65534), 0);
	assert_read_only(REPORT_WARNING, UNWRITABLE("Permission denied"));
	assert_int_equal(seteuid(user), 0);
	assert_int_equal(chmod(".", 0755), 0);
	assert_int_equal(unlink("store"), 0);
	assert_int_equal(chmod(".", 0555), 0);
	assert_int_equal(seteuid(user ? user : 65534), 0);
	instance_numbers_close(
		numbers_open_line(16, REPORT_WARNING,
				  "store: Permission denied; instance numbers are not remembered"));
	assert_int_equal(seteuid(user), 0);
	assert_int_equal(chmod(".", 0755), 0);
	write_text("store", "");
	assert_int_equal(chmod("store", 0), 0);
	assert_int_equal(seteuid(user ? user : 65534), 0);
	instance_numbers_close(
		numbers_open_line(16, REPORT_WARNING,
				  "store: Permission denied; instance numbers are not remembered"));
	assert_int_equal(seteuid(user), 0);
}

static void test_a_read_only_file_system(void **state)
{
	(void)state;
	fake_numbers.day = 100;
	if (mkdir("disk", 0755) || chdir("disk"))
		fail();
	instance_numbers_close(two_names());
	assert_int_equal(chdir(".."), 0);
	fake_numbers.day = 101;
	if (unshare(CLONE_NEWNS) || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) ||
	    mount("disk", "disk", "none", MS_BIND, NULL) ||
	    mount("none", "disk", "none", MS_BIND | MS_REMOUNT | MS_RDONLY, NULL)) {
		print_message("skip: mounting needs root\n");
		skip();
	}
	assert_int_equal(chdir("disk"), 0);
	assert_read_only(REPORT_WARNING, UNWRITABLE("Read-only file system"));
	assert_int_equal(chdir(".."), 0);
	assert_int_equal(umount("disk"), 0);
}

/* An empty file that its writer has locked, but not written yet. */
static void test_a_file_without_a_header(void **state)
{
	struct instance_numbers *numbers;
	int fd = open("store", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	struct stat status;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	numbers = numbers_open_line(32, REPORT_INFO, READER);
	assert_int_equal(numbers_take(numbers, FIRST), 7);
	assert_int_equal(numbers_stats(numbers).dropped, 1);
	instance_numbers_close(numbers);
	assert_int_equal(fstat(fd, &status), 0);
	assert_int_equal(status.st_size, 0);
	close(fd);
}

/* A pipe that may only be read has no writer to wait for. */
static void test_a_pipe_that_may_be_read(void **state)
{
	uid_t user = geteuid();

	(void)state;
	assert_int_equal(mkfifo("store", 0444), 0);
	assert_int_equal(chmod(".", 0755), 0);
	assert_int_equal(seteuid(user ? user : 65534), 0);
	alarm(60);
	instance_numbers_close(numbers_open_line(
		16, REPORT_WARNING,
		"store: not a file of instance numbers of this version, left alone; instance "
		"numbers are not remembered until it is moved away"));
	alarm(0);
	assert_int_equal(seteuid(user), 0);
}

/* A new file whose header cannot be written is not used; the next start makes it. */
static void test_no_room_for_a_header(void **state)
{
	struct instance_numbers *numbers;

	(void)state;
	fake_numbers.write_error = ENOSPC;
	numbers = numbers_open_line(16, REPORT_WARNING, UNWRITABLE("No space left on device"));
	fake_numbers.write_error = 0;
	fake_numbers.writes = 0;
	assert_int_equal(numbers_take(numbers, FIRST), 7);
	assert_int_equal(fake_numbers.writes, 0);
	assert_int_equal(numbers_stats(numbers).dropped, 1);
	instance_numbers_close(numbers);
	numbers = numbers_open(16);
	assert_int_equal(numbers_take(numbers, FIRST), 7);
	instance_numbers_close(numbers);
	assert_int_not_equal(record_find(7), 0);
}

/* Another writer renames a file of another size over ours before we have the lock. */
static void test_a_file_replaced_before_the_lock(void **state)
{
	struct instance_numbers *numbers = two_names();

	(void)state;
	instance_numbers_close(numbers);
	assert_int_equal(rename("store", "larger"), 0);
	instance_numbers_close(numbers_open(32));
	fake_numbers.rename = "larger";
	numbers = numbers_open(32);
	assert_null(fake_numbers.rename);
	assert_int_equal(numbers_take(numbers, SECOND), 0x01000007);
	assert_int_equal(numbers_take(numbers, THIRD), 0x02000007);
	instance_numbers_close(numbers_open_line(32, REPORT_INFO, READER));
	instance_numbers_close(numbers);
	assert_int_not_equal(record_find(0x02000007), 0);
}

/* How many descriptors a program that we start inherits. */
static unsigned inherited(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 64; fd++)
		n += fcntl(fd, F_GETFD) == 0;
	return n;
}

static void test_descriptors(void **state)
{
	int saved = descriptor_0_free();
	unsigned before = inherited();
	struct instance_numbers *numbers = two_names();

	(void)state;
	assert_int_equal(fcntl(0, F_GETFD), FD_CLOEXEC); /* 0 is a descriptor, too */
	assert_int_equal(numbers_take(numbers, THIRD), 0x02000007);
	instance_numbers_close(numbers);
	numbers = numbers_open(64); /* a new file's */
	assert_int_equal(inherited(), before);
	instance_numbers_close(numbers);
	descriptor_0_restore(saved);
	assert_int_not_equal(record_find(0x02000007), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		numbers_test(test_a_second_process_reads),
		numbers_test(test_files_that_may_not_be_written),
		numbers_test(test_a_read_only_file_system),
		numbers_test(test_a_file_without_a_header),
		numbers_test(test_a_pipe_that_may_be_read),
		numbers_test(test_no_room_for_a_header),
		numbers_test(test_a_file_replaced_before_the_lock),
		numbers_test(test_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
