// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Rates of values between two readings of a table whose rows come and go. */
#include "fakes/support.h"

#include "command/rates.h"

static struct snapshot snapshot;
static struct snapshot_table *table;
static struct rates rates;

static int setup(void **state)
{
	(void)state;
	snapshot = (struct snapshot){ 0 };
	rates = (struct rates){ 0 };
	if (snapshot_add_table(&snapshot, "other", &table) ||
	    snapshot_add_table(&snapshot, "vm_exit", &table))
		return -1;
	return snapshot_table_add_column(table, "count") ||
	       snapshot_table_add_column(table, "time");
}

static int teardown(void **state)
{
	(void)state;
	rates_free(&rates);
	snapshot_free(&snapshot);
	return 0;
}

/* A row that is counted so often; negative: absent. */
static void row_add(const char *name, int64_t count)
{
	struct snapshot_name parts = { .owner = name };
	struct snapshot_row row;

	assert_int_equal(snapshot_row_init(&row, &parts), 0);
	assert_int_equal(snapshot_table_add_row(table, &row), 0);
	if (count >= 0)
		snapshot_cell_set(snapshot_table_cell(table, table->nrows - 1, 0), (uint64_t)count);
}

static void rows_forget(void)
{
	for (size_t i = 0; i < table->nrows; i++)
		snapshot_row_free(&table->rows[i]);
	assert_int_equal(snapshot_table_set_rows(table, NULL, 0), 0);
}

static void assert_rate(size_t row, double wanted)
{
	double rate;

	assert_true(rates_get(&rates, table, row, 0, &rate));
	assert_true(rate > wanted - 1e-9 && rate < wanted + 1e-9);
}

static void assert_none(size_t row, int column)
{
	double rate;

	assert_false(rates_get(&rates, table, row, column, &rate));
}

static void test_rate(void **state)
{
	(void)state;
	row_add("web-1", 100);
	row_add("db-2", 7);
	assert_none(0, 0);
	assert_int_equal(rates_keep(&rates, &snapshot, 2, 10), 0);
	snapshot_cell_set(snapshot_table_cell(table, 0, 0), 113);
	rates.now = 12;
	assert_rate(0, 6.5);
	assert_rate(1, 0);
	assert_none(0, 1);  /* absent */
	assert_none(0, -1); /* no such column */
	assert_none(0, 2);
}

static void test_tables_that_were_not_read(void **state)
{
	(void)state;
	row_add("web-1", 100);
	assert_int_equal(rates_keep(&rates, &snapshot, 1, 10), 0);
	rates.now = 12;
	assert_none(0, 0);
	assert_true(rates_seconds(&rates, table) == 0);
}

/* Rows are told by their names, wherever they are now; new ones were not kept. */
static void test_rows_that_move(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++) {
		char name[16];

		snprintf(name, sizeof(name), "vm-%d", i);
		row_add(name, i);
	}
	assert_int_equal(rates_keep(&rates, &snapshot, 2, 1), 0);
	rows_forget();
	row_add("new-1", 1000);
	row_add("vm-99", 100);
	row_add("vm-0", 3);
	rates.now = 2;
	assert_none(0, 0);
	assert_rate(1, 1);
	assert_rate(2, 3);
	assert_int_equal(rates_keep(&rates, &snapshot, 2, 2), 0);
	rates.now = 3;
	assert_rate(0, 0);
}

/* As many rows as before, others in their places. */
static void test_rows_that_others_follow(void **state)
{
	(void)state;
	row_add("web-1", 100);
	row_add("db-2", 10);
	assert_int_equal(rates_keep(&rates, &snapshot, 2, 1), 0);
	rows_forget();
	row_add("db-2", 11);
	row_add("new-3", 200);
	assert_int_equal(rates_keep(&rates, &snapshot, 2, 2), 0);
	snapshot_cell_set(snapshot_table_cell(table, 0, 0), 14);
	snapshot_cell_set(snapshot_table_cell(table, 1, 0), 205);
	rates.now = 3;
	assert_rate(0, 3);
	assert_rate(1, 5);
	assert_int_equal(rates_keep(&rates, &snapshot, 2, 3), 0);
	rates.now = 4;
	assert_rate(0, 0);
	assert_rate(1, 0);
}

/* Where counting began with the first reading, what was not there then had counted nothing. */
static void test_began(void **state)
{
	(void)state;
	row_add("web-1", 100);
	row_add("db-2", 7);
	rates.began = true;
	assert_none(0, 0); /* of a table that was not read, nothing is known */
	assert_int_equal(rates_keep(&rates, &snapshot, 2, 10), 0);
	row_add("new-3", 12);
	row_add("none-4", -1);
	snapshot_cell_set(snapshot_table_cell(table, 1, 0), 6);
	rates.now = 12;
	assert_rate(0, 0);
	assert_none(1, 0); /* it has fallen */
	assert_rate(2, 6);
	assert_none(3, 0);
	rates.began = false;
	assert_none(2, 0);
}

/* What has fallen is another's, and what was absent has no rate. */
static void test_fallen_and_absent(void **state)
{
	(void)state;
	row_add("web-1", 100);
	row_add("db-2", -1);
	row_add("ng-3", 5);
	assert_int_equal(rates_keep(&rates, &snapshot, 2, 1), 0);
	snapshot_cell_set(snapshot_table_cell(table, 0, 0), 99);
	snapshot_cell_set(snapshot_table_cell(table, 1, 0), 99);
	snapshot_cell_unset(snapshot_table_cell(table, 2, 0));
	rates.now = 2;
	for (size_t row = 0; row < 3; row++)
		assert_none(row, 0);
}

static void test_no_time(void **state)
{
	(void)state;
	row_add("web-1", 100);
	assert_int_equal(rates_keep(&rates, &snapshot, 2, 2), 0);
	rates.now = 2;
	assert_none(0, 0);
}

#define rates_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		rates_test(test_rate),		 rates_test(test_tables_that_were_not_read),
		rates_test(test_rows_that_move), rates_test(test_rows_that_others_follow),
		rates_test(test_began),		 rates_test(test_fallen_and_absent),
		rates_test(test_no_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
