// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/support.h"

#include <errno.h>
#include <string.h>

static struct snapshot_table *table_make(struct snapshot *snapshot, const char *name)
{
	struct snapshot_table *table;

	assert_int_equal(snapshot_add_table(snapshot, name, &table), 0);
	return table;
}

static int row_add(struct snapshot_table *table, uint32_t number, const char *key)
{
	struct snapshot_name name = { .key = key };
	struct snapshot_row row;
	int err = snapshot_row_init(&row, &name);

	if (err)
		return err;
	row.number = number;
	err = snapshot_table_add_row(table, &row);
	if (err)
		snapshot_row_free(&row);
	return err;
}

/* A value unique to this row and column. */
static uint64_t value_for(uint32_t number, size_t column)
{
	return number * 1000ULL + column + 1;
}

static void assert_rows(const struct snapshot_table *table, const char *numbers)
{
	char found[256] = "";

	for (size_t i = 0; i < table->nrows; i++)
		snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s%u", i ? " " : "",
			 table->rows[i].number);
	assert_string_equal(found, numbers);
}

static void test_tables(void **state)
{
	struct snapshot snapshot = { 0 };
	struct snapshot_table *tables[101], *other;
	char name[16];

	(void)state;
	assert_null(snapshot_find_table(&snapshot, "t0"));
	for (int i = 0; i < 101; i++) {
		snprintf(name, sizeof(name), "t%d", i);
		tables[i] = table_make(&snapshot, name);
		assert_string_equal(tables[i]->name, name);
		assert_int_equal(tables[i]->nrows, 0);
		assert_int_equal(tables[i]->ncolumns, 0);
	}
	assert_int_equal(snapshot.ntables, 101);
	untouched_fill(&other, sizeof(other));
	assert_int_equal(snapshot_add_table(&snapshot, "t7", &other), -EEXIST);
	assert_int_equal(snapshot_add_table(&snapshot, "t100", &other), -EEXIST);
	assert_untouched(&other, sizeof(other));
	assert_int_equal(snapshot.ntables, 101);
	assert_null(snapshot_find_table(&snapshot, "t"));
	assert_null(snapshot_find_table(&snapshot, "t1000"));
	for (int i = 0; i < 101; i++) { /* pointers to tables stay valid */
		snprintf(name, sizeof(name), "t%d", i);
		assert_ptr_equal(snapshot_find_table(&snapshot, name), tables[i]);
		assert_ptr_equal(snapshot.tables[i], tables[i]);
	}
	snapshot_free(&snapshot);
	assert_int_equal(snapshot.ntables, 0);
	assert_null(snapshot.tables);
	snapshot_free(&snapshot);
}

static void test_columns(void **state)
{
	struct snapshot snapshot = { 0 };
	struct snapshot_table *table = table_make(&snapshot, "t");

	(void)state;
	assert_int_equal(snapshot_table_column(table, "a"), -1);
	assert_int_equal(snapshot_table_add_column(table, "a"), 0);
	assert_int_equal(snapshot_table_add_column(table, "b"), 0);
	assert_int_equal(snapshot_table_add_column(table, "a b \xc3\xa9"), 0);
	assert_int_equal(snapshot_table_add_column(table, "a"), -EEXIST);
	assert_int_equal(snapshot_table_add_column(table, "a b \xc3\xa9"), -EEXIST);
	assert_int_equal(table->ncolumns, 3);
	assert_string_equal(table->columns[1].name, "b");
	assert_int_equal(snapshot_table_column(table, "a"), 0);
	assert_int_equal(snapshot_table_column(table, "b"), 1);
	assert_int_equal(snapshot_table_column(table, "a b \xc3\xa9"), 2);
	assert_int_equal(snapshot_table_column(table, "a b"), -1);
	assert_int_equal(snapshot_table_column(table, ""), -1);
	snapshot_free(&snapshot);
}

static void test_names_with_control_characters(void **state)
{
	static const char *const bad[] = { "\t", "a\n", "\x01z", "a\x1f", "\x7f", "a\rb" };
	struct snapshot snapshot = { 0 };
	struct snapshot_table *table = table_make(&snapshot, "t");
	struct snapshot_row row;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(snapshot_add_table(&snapshot, bad[i], &table), -EINVAL);
		assert_int_equal(snapshot_table_add_column(table, bad[i]), -EINVAL);
		assert_int_equal(row_add(table, 1, bad[i]), -EINVAL);
		untouched_fill(&row, sizeof(row));
		assert_int_equal(snapshot_row_init(&row,
						   &(struct snapshot_name){ bad[i], "a", NULL }),
				 -EINVAL);
		assert_untouched(&row, sizeof(row));
	}
	assert_int_equal(table->ncolumns, 0);
	assert_int_equal(table->nrows, 0);
	assert_int_equal(row_add(table, 1, " ~\x80\xff"), 0);
	assert_string_equal(table->rows[0].name, " ~\x80\xff");
	snapshot_free(&snapshot);
}

/* Under valgrind: texts are freed with their table, from the first to the last. */
static void test_texts_are_freed(void **state)
{
	struct snapshot snapshot = { 0 };
	struct snapshot_table *table = table_make(&snapshot, "t");

	(void)state;
	assert_int_equal(snapshot_table_add_column(table, "a"), 0);
	assert_int_equal(row_add(table, 0, "one"), 0);
	assert_int_equal(row_add(table, 1, "two"), 0);
	assert_int_equal(snapshot_cell_set_text(snapshot_table_cell(table, 0, 0), "first"), 0);
	assert_int_equal(snapshot_cell_set_text(snapshot_table_cell(table, 1, 0), "last"), 0);
	snapshot_free(&snapshot);
}

/* Rows keep the order in which they come, and are found by number. */
static void test_rows_in_any_order(void **state)
{
	static const uint32_t numbers[] = { 5, 0, 9, 7, 1, UINT32_MAX, 6, 4294967294, 2 };
	struct snapshot snapshot = { 0 };
	struct snapshot_table *table = table_make(&snapshot, "t");
	char name[16];

	(void)state;
	assert_int_equal(snapshot_table_add_column(table, "a"), 0);
	assert_int_equal(snapshot_table_add_column(table, "b"), 0);
	assert_int_equal(snapshot_table_row(table, 0), -1);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		snprintf(name, sizeof(name), "row%u", numbers[i]);
		assert_int_equal(snapshot_table_row(table, numbers[i]), -1);
		assert_int_equal(row_add(table, numbers[i], name), 0);
		assert_int_equal(snapshot_table_row(table, numbers[i]), i);
		for (size_t column = 0; column < 2; column++) {
			struct snapshot_cell *cell = snapshot_table_cell(table, i, column);

			assert_false(cell->present); /* new cells are absent */
			assert_null(cell->text);
			snapshot_cell_set(cell, value_for(numbers[i], column));
		}
	}
	assert_rows(table, "5 0 9 7 1 4294967295 6 4294967294 2");
	for (size_t row = 0; row < table->nrows; row++) {
		snprintf(name, sizeof(name), "row%u", numbers[row]);
		assert_string_equal(table->rows[row].name, name);
		assert_int_equal(snapshot_table_row(table, numbers[row]), row);
		for (size_t column = 0; column < 2; column++)
			assert_int_equal(snapshot_table_cell(table, row, column)->number,
					 value_for(numbers[row], column));
	}
	/* whichever was found before */
	for (size_t row = 0; row < table->nrows; row++) {
		for (size_t next = 0; next < table->nrows; next++) {
			assert_int_equal(snapshot_table_row(table, numbers[row]), row);
			assert_int_equal(snapshot_table_row(table, numbers[next]), next);
		}
	}
	assert_int_equal(snapshot_table_row(table, 3), -1);
	assert_int_equal(snapshot_table_row(table, 8), -1);
	assert_int_equal(snapshot_table_row(table, 4294967293), -1);
	snapshot_free(&snapshot);
}

/* Without memory to look it up a row is not found; a later attempt finds it. */
static void test_no_memory_to_find_rows(void **state)
{
	struct snapshot snapshot = { 0 };
	struct snapshot_table *table = table_make(&snapshot, "t");

	(void)state;
	assert_int_equal(row_add(table, 0, "zero"), 0);
	assert_int_equal(row_add(table, 9, "nine"), 0);
	assert_int_equal(row_add(table, 4, "four"), 0);
	alloc_fail_at(0);
	assert_int_equal(snapshot_table_row(table, 0), 0); /* where its number says */
	assert_int_equal(snapshot_table_row(table, 4), -1);
	assert_true(alloc_failed());
	assert_int_equal(snapshot_table_row(table, 4), 2);
	alloc_fail_at(0);
	assert_int_equal(snapshot_table_row(table, 9), 1);
	assert_false(alloc_failed()); /* rows have not changed */
	snapshot_free(&snapshot);
}

static void test_names_may_repeat(void **state)
{
	struct snapshot snapshot = { 0 };
	struct snapshot_table *table = table_make(&snapshot, "t");

	(void)state;
	assert_int_equal(row_add(table, 0, "zero"), 0);
	assert_int_equal(row_add(table, 3, "three"), 0);
	assert_int_equal(row_add(table, 1, "three"), 0);
	assert_rows(table, "0 3 1");
	assert_string_equal(table->rows[0].name, "zero");
	assert_string_equal(table->rows[2].name, "three");
	snapshot_free(&snapshot);
}

/* Columns added after rows: their cells are absent, other cells stay. */
static void test_columns_after_rows(void **state)
{
	struct snapshot snapshot = { 0 };
	struct snapshot_table *table = table_make(&snapshot, "t");

	(void)state;
	for (uint32_t number = 0; number < 5; number++)
		assert_int_equal(row_add(table, number, "row"), 0);
	for (size_t column = 0; column < 7; column++) {
		char name[16];

		snprintf(name, sizeof(name), "c%zu", column);
		assert_int_equal(snapshot_table_add_column(table, name), 0);
		for (size_t row = 0; row < 5; row++) {
			struct snapshot_cell *cell = snapshot_table_cell(table, row, column);

			assert_false(cell->present);
			assert_null(cell->text);
			if (column % 2)
				assert_int_equal(snapshot_cell_set_text(cell, name), 0);
			else
				snapshot_cell_set(cell, value_for((uint32_t)row, column));
		}
	}
	for (size_t row = 0; row < 5; row++) {
		for (size_t column = 0; column < 7; column++) {
			struct snapshot_cell *cell = snapshot_table_cell(table, row, column);

			assert_true(cell->present);
			if (column % 2)
				assert_string_equal(cell->text, table->columns[column].name);
			else
				assert_int_equal(cell->number, value_for((uint32_t)row, column));
		}
	}
	snapshot_free(&snapshot);
}

static void test_cells(void **state)
{
	struct snapshot_cell cell = { 0 };

	(void)state;
	snapshot_cell_set(&cell, 7);
	assert_true(cell.present);
	assert_int_equal(cell.number, 7);
	assert_null(cell.text);
	assert_int_equal(snapshot_cell_set_text(&cell, "seven"), 0);
	assert_true(cell.present);
	assert_string_equal(cell.text, "seven");
	assert_int_equal(snapshot_cell_set_text(&cell, "seven"), 0);
	assert_string_equal(cell.text, "seven");
	assert_int_equal(snapshot_cell_set_text(&cell, "eight"), 0);
	assert_string_equal(cell.text, "eight");
	snapshot_cell_set(&cell, UINT64_MAX);
	assert_true(cell.present);
	assert_null(cell.text);
	assert_int_equal(cell.number, UINT64_MAX);
	snapshot_cell_set(&cell, 0);
	assert_true(cell.present); /* 0 is a value */
	snapshot_cell_unset(&cell);
	assert_false(cell.present);
	assert_int_equal(cell.number, 0);
	assert_int_equal(snapshot_cell_set_text(&cell, ""), 0);
	assert_true(cell.present);
	assert_string_equal(cell.text, "");
	snapshot_cell_unset(&cell);
	assert_false(cell.present);
	assert_null(cell.text);
	snapshot_cell_unset(&cell);
}

static void test_texts_with_characters_that_are_none(void **state)
{
	struct snapshot_cell cell = { 0 };

	(void)state;
	assert_int_equal(snapshot_cell_set_text(&cell, "\ta\nb\x7f\x1f~ \xc3\xa9\x01"), 0);
	assert_string_equal(cell.text, "?a?b??~ \xc3\xa9?");
	assert_int_equal(snapshot_cell_set_text(&cell, "/a\xff/\xe2\x82"), 0);
	assert_string_equal(cell.text, "/a?/??");
	snapshot_cell_unset(&cell);
}

static void test_no_memory_for_tables_and_texts(void **state)
{
	struct snapshot snapshot = { 0 };
	struct snapshot_cell cell = { 0 };
	struct snapshot_table *table;
	unsigned n;

	(void)state;
	for (n = 0;; n++) {
		int err;

		untouched_fill(&table, sizeof(struct snapshot_table *));
		alloc_fail_at(n);
		err = snapshot_add_table(&snapshot, "t", &table);
		if (!alloc_failed())
			break;
		assert_int_equal(err, -ENOMEM);
		assert_untouched(&table, sizeof(struct snapshot_table *));
		assert_int_equal(snapshot.ntables, 0);
	}
	assert_true(n >= 3);
	assert_int_equal(snapshot.ntables, 1);
	snapshot_free(&snapshot);
	assert_int_equal(snapshot_cell_set_text(&cell, "old"), 0);
	alloc_fail_at(0);
	assert_int_equal(snapshot_cell_set_text(&cell, "new"), -ENOMEM);
	assert_true(alloc_failed());
	assert_false(cell.present);
	assert_null(cell.text);
}

/* Four rows, the allocated number, with a value each. */
static struct snapshot_table *full_table(struct snapshot *snapshot)
{
	struct snapshot_table *table = table_make(snapshot, "t");

	assert_int_equal(snapshot_table_add_column(table, "a"), 0);
	for (uint32_t number = 4; number < 8; number++) {
		assert_int_equal(row_add(table, number, "row"), 0);
		snapshot_cell_set(snapshot_table_cell(table, number - 4, 0), value_for(number, 0));
	}
	assert_int_equal(table->room, table->nrows);
	return table;
}

/* Without memory the table stays unchanged; a later attempt succeeds. */
static void test_no_memory_for_rows_and_columns(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 3; n++) {
		struct snapshot snapshot = { 0 };
		struct snapshot_table *table = full_table(&snapshot);
		uint64_t changes = table->changes;

		alloc_fail_at(n);
		assert_int_equal(row_add(table, 1, "one"), -ENOMEM);
		assert_true(alloc_failed());
		alloc_fail_at(n);
		assert_int_equal(snapshot_table_add_column(table, "b"), -ENOMEM);
		assert_true(alloc_failed());
		assert_rows(table, "4 5 6 7");
		assert_int_equal(table->changes, changes);
		assert_int_equal(table->ncolumns, 1);
		for (size_t row = 0; row < 4; row++)
			assert_int_equal(snapshot_table_cell(table, row, 0)->number,
					 value_for((uint32_t)row + 4, 0));
		assert_int_equal(row_add(table, 1, "one"), 0);
		assert_int_equal(snapshot_table_add_column(table, "b"), 0);
		assert_rows(table, "4 5 6 7 1");
		assert_int_equal(snapshot_table_cell(table, 3, 0)->number, value_for(7, 0));
		assert_false(snapshot_table_cell(table, 3, 1)->present);
		assert_false(snapshot_table_cell(table, 4, 0)->present);
		assert_false(snapshot_table_cell(table, 4, 1)->present);
		snapshot_free(&snapshot);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_columns),
		cmocka_unit_test(test_names_with_control_characters),
		cmocka_unit_test(test_texts_are_freed),
		cmocka_unit_test(test_rows_in_any_order),
		cmocka_unit_test(test_no_memory_to_find_rows),
		cmocka_unit_test(test_names_may_repeat),
		cmocka_unit_test(test_columns_after_rows),
		cmocka_unit_test(test_cells),
		cmocka_unit_test(test_texts_with_characters_that_are_none),
		cmocka_unit_test(test_no_memory_for_tables_and_texts),
		cmocka_unit_test(test_no_memory_for_rows_and_columns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
