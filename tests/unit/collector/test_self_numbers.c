// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The row of kvm.agent.map.* for the file of instance numbers, and its tick. */
#include <errno.h>

#include "fakes/fake_families.h"
#include "fakes/fake_numbers.h"

static int setup(void **state)
{
	return numbers_setup(state) || fake_setup(state);
}

static int teardown(void **state)
{
	int err = fake_teardown(state);

	instance_numbers_close(machine.numbers);
	machine.numbers = NULL;
	return work_teardown(state) || err;
}

static const struct snapshot_table *maps(void)
{
	return snapshot_find_table(collector_snapshot(collector), "map");
}

static void assert_row(size_t row)
{
	struct instance_numbers_stats stats = numbers_stats(machine.numbers);

	assert_int_equal(collector_read(collector, UINT64_MAX), 0);
	assert_string_equal(maps()->rows[row].name, "instance_numbers");
	assert_int_equal(maps()->rows[row].number, 8);
	assert_int_equal(cell_at("map", row, "limit")->number, stats.limit);
	assert_int_equal(cell_at("map", row, "used")->number, stats.used);
	assert_int_equal(cell_at("map", row, "bytes")->number,
			 stats.file_bytes + stats.memory_bytes);
	assert_int_equal(cell_at("map", row, "dropped")->number, stats.dropped);
}

static void test_row(void **state)
{
	uint64_t used;

	(void)state;
	machine.numbers = numbers_open(1000);
	open_all();
	assert_int_equal(maps()->nrows, 1);
	assert_row(0);
	assert_int_equal(cell_at("map", 0, "limit")->number, 1024);
	used = cell_at("map", 0, "used")->number;
	numbers_take(machine.numbers, FIRST);
	assert_row(0);
	assert_int_equal(cell_at("map", 0, "used")->number, used + 1);
	assert_int_equal(cell_at("map", 0, "dropped")->number, 0);
	fake_numbers.write_error = ENOSPC;
	numbers_take(machine.numbers, SECOND);
	assert_row(0);
	assert_int_equal(cell_at("map", 0, "dropped")->number, 1);
	fake_numbers.write_error = 0;
}

/* The row comes after those of the families' maps. */
static void test_row_after_others(void **state)
{
	static const struct map_usage map = { "a", 1, 2, 3, 4 };

	(void)state;
	machine.numbers = numbers_open(1000);
	fake_hooks(DELTA);
	fakes[DELTA].maps = &map;
	fakes[DELTA].nmaps = 1;
	open_all();
	assert_int_equal(maps()->nrows, 2);
	assert_row(1);
}

/* A tick remembers a name that could not be remembered when it was taken. */
static void test_tick(void **state)
{
	(void)state;
	machine.numbers = numbers_open(1000);
	open_all();
	fake_numbers.write_error = EIO;
	numbers_take(machine.numbers, FIRST);
	assert_int_equal(record_find(7), 0);
	fake_numbers.write_error = 0;
	collector_tick(collector, &report);
	assert_int_not_equal(record_find(7), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_row, setup, teardown),
		cmocka_unit_test_setup_teardown(test_row_after_others, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tick, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
