// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Rows that come and go, and their labels; what columns say of their numbers. */
#include "support.h"

#include <errno.h>
#include <string.h>

#include "snapshot.h"

static struct snapshot snapshot;
static struct snapshot_table *table;

static int setup(void **state)
{
	(void)state;
	snapshot = (struct snapshot){ 0 };
	return snapshot_add_table(&snapshot, "t", &table);
}

static int teardown(void **state)
{
	(void)state;
	snapshot_free(&snapshot);
	return 0;
}

/* Columns "0", "1" ... */
static void columns_add(size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_int_equal(snapshot_table_add_column(table, (char[2]){ (char)('0' + i) }), 0);
}

/*
 * Rows with those ids, each named by its id. In the first column is a number, in the
 * second a text, in the third nothing.
 */
static void rows_add(uint32_t first, uint32_t n)
{
	for (uint32_t id = first; id < first + n; id++) {
		struct snapshot_cell *cells;
		char name[16];

		snprintf(name, sizeof(name), "row%u", id);
		assert_int_equal(snapshot_table_add_row(table, id, name), 0);
		if (!table->ncolumns)
			continue;
		cells = snapshot_table_cell(table, (size_t)snapshot_table_row(table, id), 0);
		snapshot_cell_set(&cells[0], id * 1000 + 7);
		if (table->ncolumns > 1)
			assert_int_equal(snapshot_cell_set_text(&cells[1], name), 0);
	}
}

static void assert_row(size_t row, uint32_t id)
{
	char name[16];

	snprintf(name, sizeof(name), "row%u", id);
	assert_int_equal(table->rows[row].id, id);
	assert_string_equal(table->rows[row].name, name);
	assert_int_equal(snapshot_table_row(table, id), row);
	if (!table->ncolumns)
		return;
	assert_true(snapshot_table_cell(table, row, 0)->present);
	assert_int_equal(snapshot_table_cell(table, row, 0)->number, id * 1000 + 7);
	assert_string_equal(snapshot_table_cell(table, row, 1)->text, name);
	assert_false(snapshot_table_cell(table, row, 2)->present);
}

/* The rows are these, in this order, each with what rows_add gave it. */
static void assert_rows(const uint32_t *ids, size_t n)
{
	assert_int_equal(table->nrows, n);
	for (size_t i = 0; i < n; i++)
		assert_row(i, ids[i]);
}

#define assert_ids(...)                                \
	assert_rows((const uint32_t[]){ __VA_ARGS__ }, \
		    sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t))

/* Which ids to keep, as bits; it also notes how often it was asked. */
struct kept {
	uint64_t ids;
	unsigned asked;
};

static bool is_kept(uint32_t id, void *data)
{
	struct kept *kept = data;

	kept->asked++;
	return kept->ids & (1ULL << id);
}

static void keep(uint64_t ids)
{
	struct kept kept = { .ids = ids };
	size_t nrows = table->nrows;

	snapshot_table_keep_rows(table, is_kept, &kept);
	assert_int_equal(kept.asked, nrows);
}

static void check_keep(void)
{
	rows_add(0, 10);
	keep(UINT64_MAX);
	assert_ids(0, 1, 2, 3, 4, 5, 6, 7, 8, 9);
	keep(~(1ULL << 4));
	assert_ids(0, 1, 2, 3, 5, 6, 7, 8, 9);
	keep(~1ULL); /* the first */
	assert_ids(1, 2, 3, 5, 6, 7, 8, 9);
	keep(~(1ULL << 9)); /* the last */
	assert_ids(1, 2, 3, 5, 6, 7, 8);
	keep(1ULL << 2 | 1ULL << 7 | 1ULL << 8);
	assert_ids(2, 7, 8);
	rows_add(4, 2); /* over what was there before */
	assert_ids(2, 4, 5, 7, 8);
	keep(0);
	assert_int_equal(table->nrows, 0);
	assert_int_equal(snapshot_table_row(table, 2), -1);
	keep(0);
	rows_add(3, 2);
	assert_ids(3, 4);
}

/* What is kept takes name and cells along; what goes is freed (valgrind tells). */
static void test_keep_rows(void **state)
{
	(void)state;
	columns_add(3);
	check_keep();
}

static void test_keep_rows_without_columns(void **state)
{
	(void)state;
	check_keep();
	assert_null(table->cells);
}

/* A column that comes when rows have gone finds the cells where they are now. */
static void test_a_column_after_rows_went(void **state)
{
	(void)state;
	columns_add(3);
	rows_add(0, 6);
	keep(1ULL << 3 | 1ULL << 5);
	assert_int_equal(snapshot_table_add_column(table, "late"), 0);
	assert_ids(3, 5);
	assert_false(snapshot_table_cell(table, 0, 3)->present);
	assert_false(snapshot_table_cell(table, 1, 3)->present);
}

/* A new row has no cell of one that was there before. */
static void test_a_row_after_rows_went(void **state)
{
	(void)state;
	columns_add(3);
	rows_add(0, 4);
	keep(1);
	assert_int_equal(snapshot_table_add_row(table, 9, "new"), 0);
	for (size_t i = 0; i < 3; i++) {
		assert_false(snapshot_table_cell(table, 1, i)->present);
		assert_null(snapshot_table_cell(table, 1, i)->text);
	}
	assert_null(table->rows[1].labels);
}

/* Room for rows doubles, and stays when they go. */
static void test_room(void **state)
{
	(void)state;
	columns_add(3);
	assert_int_equal(table->room, 0);
	for (uint32_t n = 0; n < 40; n++) {
		size_t room = 4;

		rows_add(n, 1);
		while (room < n + 1)
			room *= 2;
		assert_int_equal(table->room, room);
	}
	keep(1ULL << 2 | 1ULL << 39);
	assert_int_equal(table->room, 64);
	rows_add(3, 30);
	assert_int_equal(table->room, 64);
	assert_row(0, 2);
	assert_row(31, 39);
}

/* Changes are of rows: not of columns, nor of cells, nor of what did not come about. */
static void test_changes(void **state)
{
	(void)state;
	assert_int_equal(table->changes, 0);
	columns_add(3);
	keep(0);
	assert_int_equal(table->changes, 0);
	rows_add(0, 5);
	assert_int_equal(table->changes, 5);
	assert_int_equal(snapshot_table_add_row(table, 3, "again"), -EEXIST);
	assert_int_equal(snapshot_table_add_row(table, 9, "\n"), -EINVAL);
	alloc_fail_at(0);
	assert_int_equal(snapshot_table_add_row(table, 9, "row"), -ENOMEM);
	assert_true(alloc_failed());
	snapshot_table_unset(table);
	keep(UINT64_MAX);
	assert_int_equal(table->changes, 5);
	keep(1ULL << 1 | 1ULL << 3); /* three go at once */
	assert_int_equal(table->changes, 6);
	keep(0);
	assert_int_equal(table->changes, 7);
}

static void test_labels_are_shared(void **state)
{
	struct snapshot_labels *labels = snapshot_labels_new("{\"vm\":\"a\"}");
	struct snapshot_labels *others = snapshot_labels_new("{}");

	(void)state;
	assert_non_null(labels);
	assert_string_equal(labels->json, "{\"vm\":\"a\"}");
	assert_int_equal(labels->refs, 1);
	rows_add(0, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_null(table->rows[i].labels);
		snapshot_row_label(&table->rows[i], labels);
		assert_ptr_equal(table->rows[i].labels, labels);
		assert_int_equal(labels->refs, i + 2);
	}
	snapshot_row_label(&table->rows[0], labels); /* as it is */
	assert_int_equal(labels->refs, 4);
	snapshot_row_label(&table->rows[0], others);
	assert_int_equal(labels->refs, 3);
	assert_int_equal(others->refs, 2);
	snapshot_row_label(&table->rows[1], NULL);
	assert_null(table->rows[1].labels);
	assert_int_equal(labels->refs, 2);
	snapshot_labels_unref(labels);
	snapshot_labels_unref(others);
	assert_int_equal(labels->refs, 1); /* row 2 has it */
	assert_string_equal(table->rows[2].labels->json, "{\"vm\":\"a\"}");
	snapshot_labels_unref(NULL);
}

/* Labels that only a row has move along with it, and go with it. */
static void test_labels_of_rows_that_go(void **state)
{
	struct snapshot_labels *labels = snapshot_labels_new("{}");

	(void)state;
	rows_add(0, 5);
	for (size_t i = 0; i < 5; i++) {
		struct snapshot_labels *own = snapshot_labels_new(table->rows[i].name);

		snapshot_row_label(&table->rows[i], i == 2 ? labels : own);
		snapshot_labels_unref(own);
	}
	assert_int_equal(labels->refs, 2);
	keep(~(1ULL << 0 | 1ULL << 2));
	assert_int_equal(labels->refs, 1);
	assert_ids(1, 3, 4);
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(table->rows[i].labels->json, table->rows[i].name);
	snapshot_row_label(&table->rows[1], labels);
	snapshot_free(&snapshot);
	assert_int_equal(labels->refs, 1);
	snapshot_labels_unref(labels);
}

static void test_no_labels(void **state)
{
	static const char *const bad[] = { "\n",     "{}\n",	     "{\t}",
					   "\001{}", "{\"\x7f\":1}", "{\"a\":\"\x1f\"}" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_null(snapshot_labels_new(bad[i]));
	alloc_fail_at(0);
	assert_null(snapshot_labels_new("{}"));
	assert_true(alloc_failed());
}

static void test_labels_of_any_other_text(void **state)
{
	static const char *const good[] = { "", " ~", "{\"\xc3\xa9\":\"\x80\xff\"}" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct snapshot_labels *labels = snapshot_labels_new(good[i]);

		assert_non_null(labels);
		assert_string_equal(labels->json, good[i]);
		snapshot_labels_unref(labels);
	}
}

static void assert_column(size_t column, enum metric_semantics semantics, enum metric_units units)
{
	assert_int_equal(table->columns[column].semantics, semantics);
	assert_int_equal(table->columns[column].units, units);
	assert_int_equal(table->columns[column].name[0], '0' + column);
}

static void test_describe(void **state)
{
	(void)state;
	columns_add(3);
	for (size_t i = 0; i < 3; i++)
		assert_column(i, METRIC_BY_COLUMN, METRIC_NONE);
	snapshot_table_describe(table, 1, METRIC_INSTANT, METRIC_BYTES);
	snapshot_table_describe(table, 2, METRIC_COUNTER, METRIC_NSEC);
	assert_column(0, METRIC_BY_COLUMN, METRIC_NONE);
	assert_column(1, METRIC_INSTANT, METRIC_BYTES);
	assert_column(2, METRIC_COUNTER, METRIC_NSEC);
	assert_int_equal(snapshot_table_add_column(table, "3"), 0);
	snapshot_table_describe(table, 2, METRIC_DISCRETE, METRIC_COUNT);
	assert_column(1, METRIC_INSTANT, METRIC_BYTES);
	assert_column(2, METRIC_DISCRETE, METRIC_COUNT);
	assert_column(3, METRIC_BY_COLUMN, METRIC_NONE);
}

static void test_unset(void **state)
{
	(void)state;
	snapshot_table_unset(table); /* of nothing */
	columns_add(3);
	snapshot_table_unset(table);
	rows_add(0, 5);
	keep(~(1ULL << 1));
	snapshot_table_unset(table);
	assert_int_equal(table->nrows, 4);
	for (size_t i = 0; i < 4 * 3; i++) {
		assert_false(table->cells[i].present);
		assert_null(table->cells[i].text);
	}
	assert_string_equal(table->rows[1].name, "row2");
}

#define rows_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		rows_test(test_keep_rows),
		rows_test(test_keep_rows_without_columns),
		rows_test(test_a_column_after_rows_went),
		rows_test(test_a_row_after_rows_went),
		rows_test(test_room),
		rows_test(test_changes),
		rows_test(test_labels_are_shared),
		rows_test(test_labels_of_rows_that_go),
		rows_test(test_no_labels),
		rows_test(test_labels_of_any_other_text),
		rows_test(test_describe),
		rows_test(test_unset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
