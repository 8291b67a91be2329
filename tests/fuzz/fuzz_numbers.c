// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * The file of kept instance numbers, damaged in any way: no two names share a number, and what a
 * damaged file gives is kept by the next process.
 */
#include "fuzz/fuzz.h"

#include <string.h>
#include <unistd.h>

#include "base/report.h"
#include "metrics/instance_numbers.h"

#define NAMES 40

static const char *const first = "web-";

static void numbers_take(const char *path, uint32_t numbers[NAMES])
{
	struct instance_numbers *all;
	struct report report = { 0 };
	char name[32];
	uint32_t value;

	promise(instance_numbers_open(path, 16, &report, &all) == 0);
	for (int i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "%s%d", first, i);
		promise(instance_numbers_take(all, name, &numbers[i]) == 0);
		promise(numbers[i] > 0 && numbers[i] < 1U << 30);
		for (int j = 0; j < i; j++)
			promise(numbers[i] != numbers[j]);
	}
	instance_numbers_keep(all, "key", 7);
	if (instance_numbers_kept(all, "key", &value) == 0)
		promise(value == 7);
	instance_numbers_tick(all);
	instance_numbers_close(all);
	report_clear(&report);
}

/* Overwrite what the input says: three bytes are a place and a byte. */
static void damage(const char *path, const uint8_t *data, size_t size)
{
	FILE *file = fopen(path, "r+e");

	promise(file);
	for (; size >= 3; data += 3, size -= 3) {
		promise(fseek(file, data[0] | (long)(data[1] & 0x1f) << 8, SEEK_SET) == 0);
		fputc(data[2], file);
	}
	promise(fclose(file) == 0);
	if (size)
		promise(truncate(path, (long)data[0] * 32) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t before[NAMES], damaged[NAMES], after[NAMES];
	char *path = strdup(fuzz_path("instances"));

	promise(path);
	unlink(path);
	if (size && data[0] & 1) {
		fuzz_file("instances", data + 1, size - 1);
	} else {
		numbers_take(path, before);
		if (size)
			damage(path, data + 1, size - 1);
	}
	numbers_take(path, damaged);
	numbers_take(path, after);
	promise(memcmp(damaged, after, sizeof(after)) == 0);
	free(path);
	return 0;
}
