// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Global data that programs alone use is not mapped. */
#define _GNU_SOURCE
#include "fakes/support.h"

#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel/map_memory.h"

#define PAGES 6

static size_t page;
static char *memory;

static int setup(void **state)
{
	(void)state;
	page = (size_t)sysconf(_SC_PAGESIZE);
	memory = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	return memory == MAP_FAILED ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	return munmap(memory, PAGES * page);
}

/* What is there of a page: 'r', '-' if nothing may be done with it, or 0 if nothing is. */
static char access_of(size_t number)
{
	uintptr_t at = (uintptr_t)memory + number * page;
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512], mode = 0, found = 0;
	unsigned long begin, end;

	assert_non_null(maps);
	while (!found && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %c", &begin, &end, &mode) == 3 && at >= begin && at < end)
			found = mode;
	}
	fclose(maps);
	return found;
}

/* The addresses stay taken. */
static void assert_hidden(size_t first, size_t n)
{
	for (size_t i = 0; i < PAGES; i++)
		assert_int_equal(access_of(i), i < first || i >= first + n ? 'r' : '-');
}

/* Other data shares the first and the last page. */
static void test_hide(void **state)
{
	char *end = memory + PAGES * page - 1;

	(void)state;
	*memory = *end = 7;
	map_memory_hide(memory + 8, (PAGES - 1) * page);
	assert_hidden(1, PAGES - 2);
	assert_int_equal(*memory, 7);
	assert_int_equal(*end, 7);
}

static void test_less_than_a_page(void **state)
{
	(void)state;
	map_memory_hide(memory + 8, page);
	map_memory_hide(memory + page - 8, 16);
	map_memory_hide(memory, 0);
	assert_hidden(0, 0);
	map_memory_hide(memory + page, page);
	assert_hidden(1, 1);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		test(test_hide),
		test(test_less_than_a_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
