// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "fakes/fake_numbers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

struct fake_numbers fake_numbers;

uint64_t __real_instance_hash(const char *text);
uint64_t __wrap_instance_hash(const char *text);
int __real_clock_gettime(clockid_t clock, struct timespec *ret_time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_time);
ssize_t __real_pread(int fd, void *bytes, size_t size, off_t where);
ssize_t __wrap_pread(int fd, void *bytes, size_t size, off_t where);
ssize_t __real_pwrite(int fd, const void *bytes, size_t size, off_t where);
ssize_t __wrap_pwrite(int fd, const void *bytes, size_t size, off_t where);
int __real_flock(int fd, int how);
int __wrap_flock(int fd, int how);

uint64_t __wrap_instance_hash(const char *text)
{
	char digits[17] = "";

	if (*text != '=')
		return __real_instance_hash(text);
	memcpy(digits, text + 1, strnlen(text + 1, 16));
	return strtoull(digits, NULL, 16);
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_time)
{
	if (clock != CLOCK_REALTIME || !fake_numbers.day)
		return __real_clock_gettime(clock, ret_time);
	*ret_time = (struct timespec){ .tv_sec = (time_t)fake_numbers.day * 86400 + 86399 };
	return 0;
}

ssize_t __wrap_pread(int fd, void *bytes, size_t size, off_t where)
{
	if (!fake_numbers.read_error)
		return __real_pread(fd, bytes, size, where);
	errno = fake_numbers.read_error;
	return -1;
}

ssize_t __wrap_pwrite(int fd, const void *bytes, size_t size, off_t where)
{
	fake_numbers.writes++;
	if (fake_numbers.write_error) {
		errno = fake_numbers.write_error;
		return -1;
	}
	if (fake_numbers.write_short && fake_numbers.write_short < size)
		size = fake_numbers.write_short;
	fake_numbers.written += size;
	return __real_pwrite(fd, bytes, size, where);
}

int __wrap_flock(int fd, int how)
{
	if (fake_numbers.rename) {
		assert_int_equal(rename(fake_numbers.rename, "store"), 0);
		fake_numbers.rename = NULL;
	}
	return __real_flock(fd, how);
}

int numbers_setup(void **state)
{
	fake_numbers = (struct fake_numbers){ 0 };
	return work_setup(state);
}

struct instance_numbers *numbers_open_line(size_t names, enum report_level level, const char *text)
{
	struct instance_numbers *numbers;
	struct report report = { 0 };

	assert_int_equal(instance_numbers_open("store", names, &report, &numbers), 0);
	if (text) {
		assert_true(report.n > 0);
		assert_string_equal(report.lines[0].text, text);
		assert_int_equal(report.lines[0].level, level);
	}
	assert_int_equal(report.n, text != NULL);
	assert_int_equal(report.dropped, 0);
	report_clear(&report);
	return numbers;
}

struct instance_numbers *numbers_open(size_t names)
{
	return numbers_open_line(names, REPORT_DEBUG, NULL);
}

uint32_t numbers_take(struct instance_numbers *numbers, const char *name)
{
	uint32_t number;

	assert_int_equal(instance_numbers_take(numbers, name, &number), 0);
	assert_in_range(number, 1, INSTANCE_NUMBER_MASK);
	return number;
}

uint32_t numbers_meet(struct instance_numbers *numbers, const char *name)
{
	uint32_t number = numbers_take(numbers, name);

	instance_numbers_release(numbers, name);
	return number;
}

struct instance_numbers_stats numbers_stats(const struct instance_numbers *numbers)
{
	struct instance_numbers_stats stats;

	untouched_fill(&stats, sizeof(stats));
	instance_numbers_stats(numbers, &stats);
	return stats;
}

unsigned char *file_bytes(const char *path, size_t *ret_size)
{
	FILE *file = fopen(path, "re");
	struct stat status;
	unsigned char *bytes;

	assert_non_null(file);
	assert_int_equal(fstat(fileno(file), &status), 0);
	bytes = malloc((size_t)status.st_size + 1);
	assert_non_null(bytes);
	assert_int_equal(fread(bytes, 1, (size_t)status.st_size, file), status.st_size);
	fclose(file);
	*ret_size = (size_t)status.st_size;
	return bytes;
}

size_t record_find(uint32_t number)
{
	size_t size, where, found = 0;
	unsigned char *bytes = file_bytes("store", &size);

	for (where = NUMBERS_HEADER; where + 16 <= size; where += 16) {
		uint32_t record[4];

		memcpy(record, bytes + where, 16);
		if (record[0] == number && record[3] == crc32(0, bytes + where, 12)) {
			assert_int_equal(found, 0);
			found = where;
		}
	}
	free(bytes);
	return found;
}

size_t records_invalid(uint32_t sets)
{
	static const unsigned char none[16];
	size_t size, where, invalid = 0;
	unsigned char *bytes = file_bytes("store", &size);

	assert_true(size < NUMBERS_HEADER || size % 16 == 0);
	for (where = NUMBERS_HEADER; where + 16 <= size; where += 16) {
		uint32_t record[4], set = (uint32_t)(where - NUMBERS_HEADER) / 256;

		memcpy(record, bytes + where, 16);
		invalid += memcmp(record, none, 16) &&
			   (record[3] != crc32(0, bytes + where, 12) || set >= sets ||
			    (record[0] & (sets - 1)) != set);
	}
	free(bytes);
	return invalid;
}
