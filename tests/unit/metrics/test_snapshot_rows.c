// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Adding and removing rows, their labels, and columns' semantics and units. */
#include "fakes/support.h"

#include <errno.h>
#include <string.h>

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

/* A column of numbers, one of texts, and filled rows with these ids. */
static void fill(const uint32_t *ids, size_t n)
{
	char name[16];

	assert_int_equal(snapshot_table_add_column(table, "number"), 0);
	assert_int_equal(snapshot_table_add_column(table, "text"), 0);
	for (size_t i = 0; i < n; i++) {
		int row;

		snprintf(name, sizeof(name), "row%u", ids[i]);
		assert_int_equal(snapshot_table_add_row(table, ids[i], name), 0);
		row = snapshot_table_row(table, ids[i]);
		snapshot_cell_set(snapshot_table_cell(table, (size_t)row, 0), ids[i] * 100ULL);
		assert_int_equal(snapshot_cell_set_text(snapshot_table_cell(table, (size_t)row, 1),
							name),
				 0);
	}
}

/* The rows have these ids and the contents set by fill(). */
static void assert_filled(const uint32_t *ids, size_t n)
{
	char name[16];

	assert_int_equal(table->nrows, n);
	for (size_t i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "row%u", ids[i]);
		assert_int_equal(table->rows[i].id, ids[i]);
		assert_string_equal(table->rows[i].name, name);
		assert_int_equal(snapshot_table_row(table, ids[i]), i);
		assert_int_equal(snapshot_table_cell(table, i, 0)->number, ids[i] * 100ULL);
		assert_string_equal(snapshot_table_cell(table, i, 1)->text, name);
	}
}

/* The ids to keep, and those passed to keep. */
struct keeping {
	const uint32_t *ids;
	size_t n, nasked;
	uint32_t asked[64];
};

static bool keep(uint32_t id, void *data)
{
	struct keeping *keeping = data;

	assert_true(keeping->nasked < ARRAY_SIZE(keeping->asked));
	keeping->asked[keeping->nasked++] = id;
	for (size_t i = 0; i < keeping->n; i++) {
		if (keeping->ids[i] == id)
			return true;
	}
	return false;
}

static void keep_these(const uint32_t *ids, size_t n)
{
	struct keeping keeping = { .ids = ids, .n = n };
	size_t rows = table->nrows;

	snapshot_table_keep_rows(table, keep, &keeping);
	assert_int_equal(keeping.nasked, rows); /* each once, in order */
	for (size_t i = 1; i < rows; i++)
		assert_true(keeping.asked[i - 1] < keeping.asked[i]);
}

/* Rows removed at the ends or in the middle lose their cells. */
static void test_rows_go(void **state)
{
	static const uint32_t ids[] = { 0, 1, 2, 5, 8, 9, UINT32_MAX };
	static const uint32_t inner[] = { 1, 2, 5, 9 };
	static const uint32_t outer[] = { 1, 9 };

	(void)state;
	fill(ids, ARRAY_SIZE(ids));
	keep_these(ids, ARRAY_SIZE(ids));
	assert_filled(ids, ARRAY_SIZE(ids));
	keep_these(inner, ARRAY_SIZE(inner));
	assert_filled(inner, ARRAY_SIZE(inner));
	assert_int_equal(snapshot_table_row(table, 0), -1);
	assert_int_equal(snapshot_table_row(table, 8), -1);
	keep_these(outer, ARRAY_SIZE(outer));
	assert_filled(outer, ARRAY_SIZE(outer));
	keep_these(NULL, 0);
	assert_int_equal(table->nrows, 0);
	assert_int_equal(table->ncolumns, 2);
	assert_int_equal(snapshot_table_row(table, 1), -1);
	keep_these(NULL, 0);
}

/* A row added in place of a removed one inherits nothing. */
static void test_rows_come_again(void **state)
{
	static const uint32_t ids[] = { 3, 4, 6, 7 };
	static const uint32_t kept[] = { 4, 7 };

	(void)state;
	fill(ids, ARRAY_SIZE(ids));
	keep_these(kept, ARRAY_SIZE(kept));
	assert_int_equal(snapshot_table_add_row(table, 6, "again"), 0);
	assert_int_equal(snapshot_table_add_row(table, 3, "again"), 0);
	assert_int_equal(snapshot_table_add_row(table, 4, "again"), -EEXIST);
	assert_int_equal(table->nrows, 4);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(table->rows[i].id, ids[i]);
		assert_string_equal(table->rows[i].name, i == 0 ? "again" :
							 i == 1 ? "row4" :
							 i == 2 ? "again" :
								  "row7");
		for (size_t column = 0; column < 2; column++) {
			struct snapshot_cell *cell = snapshot_table_cell(table, i, column);

			assert_int_equal(cell->present, i % 2);
			if (!cell->present)
				assert_null(cell->text);
		}
		assert_null(table->rows[i].labels);
	}
}

static void test_rows_without_columns(void **state)
{
	static const uint32_t kept[] = { 2, 11 };

	(void)state;
	for (uint32_t id = 0; id < 12; id++)
		assert_int_equal(snapshot_table_add_row(table, id, "row"), 0);
	keep_these(kept, ARRAY_SIZE(kept));
	assert_int_equal(table->nrows, 2);
	assert_int_equal(table->rows[1].id, 11);
	assert_int_equal(snapshot_table_add_column(table, "late"), 0);
	assert_false(snapshot_table_cell(table, 1, 0)->present);
}

/*
 * Memory grows in steps: with room left a row allocates only its name. Valgrind checks that the
 * memory suffices for all rows of the room.
 */
static void test_room(void **state)
{
	size_t steps = 0;

	(void)state;
	assert_int_equal(table->room, 0);
	assert_int_equal(snapshot_table_add_column(table, "first"), 0);
	for (uint32_t id = 0; id < 1009; id++) {
		bool full = table->nrows == table->room;

		if (id == 3) /* widen the rows while room is left */
			assert_int_equal(snapshot_table_add_column(table, "second"), 0);
		alloc_fail_at(1);
		assert_int_equal(snapshot_table_add_row(table, id, "row"), full ? -ENOMEM : 0);
		assert_int_equal(alloc_failed(), full);
		if (full)
			assert_int_equal(snapshot_table_add_row(table, id, "row"), 0);
		steps += full;
		assert_true(table->room >= table->nrows);
		snapshot_cell_set(snapshot_table_cell(table, id, 0), id);
	}
	assert_in_range(steps, 2, 10);
	for (uint32_t id = 0; id < 1009; id++) {
		assert_int_equal(snapshot_table_cell(table, id, 0)->number, id);
		assert_false(snapshot_table_cell(table, id, 1)->present);
	}
}

static bool keep_none(uint32_t id, void *data)
{
	(void)id;
	(void)data;
	return false;
}

/* New rows reuse the room of removed ones. */
static void test_room_that_is_left(void **state)
{
	size_t room;

	(void)state;
	assert_int_equal(snapshot_table_add_column(table, "a"), 0);
	for (uint32_t id = 0; id < 100; id++)
		assert_int_equal(snapshot_table_add_row(table, id, "row"), 0);
	room = table->room;
	for (uint32_t epoch = 1; epoch < 5; epoch++) {
		snapshot_table_keep_rows(table, keep_none, NULL);
		for (uint32_t id = 0; id < 100; id++)
			assert_int_equal(snapshot_table_add_row(table, epoch * 100 + id, "row"), 0);
	}
	assert_int_equal(table->room, room);
	assert_int_equal(table->nrows, 100);
	snapshot_table_keep_rows(table, keep_none, NULL);
	assert_int_equal(snapshot_table_add_column(table, "b"), 0); /* for the unused room too */
	for (uint32_t id = 0; id < 100; id++) {
		assert_int_equal(snapshot_table_add_row(table, id, "row"), 0);
		snapshot_cell_set(snapshot_table_cell(table, id, 1), id);
	}
	assert_int_equal(table->room, room);
	assert_int_equal(snapshot_table_cell(table, 99, 1)->number, 99);
}

/* changes counts only calls that add or remove rows. */
static void test_changes(void **state)
{
	static const uint32_t ids[] = { 1, 2, 3 };

	(void)state;
	assert_int_equal(table->changes, 0);
	fill(ids, ARRAY_SIZE(ids));
	assert_int_equal(table->changes, 3);
	assert_int_equal(snapshot_table_add_row(table, 2, "row"), -EEXIST);
	assert_int_equal(snapshot_table_add_row(table, 4, "\n"), -EINVAL);
	alloc_fail_at(0);
	assert_int_equal(snapshot_table_add_row(table, 4, "row"), -ENOMEM);
	assert_true(alloc_failed());
	snapshot_table_unset(table);
	keep_these(ids, 3);
	assert_int_equal(table->changes, 3);
	keep_these(ids + 2, 1);
	assert_int_equal(table->changes, 4);
	assert_int_equal(snapshot_table_add_row(table, 2, "row"), 0);
	keep_these(ids + 2, 1);
	assert_int_equal(table->changes, 6); /* the same number of rows, yet changed */
	keep_these(NULL, 0);
	assert_int_equal(table->changes, 7);
}

static void test_labels(void **state)
{
	char text[] = "{\"a\":\"b\"}";
	struct snapshot_labels *labels = snapshot_labels_new(text);

	(void)state;
	assert_non_null(labels);
	assert_int_equal(labels->refs, 1);
	text[0] = 'x'; /* it is a copy */
	assert_string_equal(labels->json, "{\"a\":\"b\"}");
	snapshot_labels_unref(labels);
	snapshot_labels_unref(NULL);
	assert_null(snapshot_labels_new("{\"a\":\n1}"));
	assert_null(snapshot_labels_new("{\"a\":1}\x1f"));
	assert_null(snapshot_labels_new("\t{}"));
	labels = snapshot_labels_new("{\"a\":\"\x7f\xc3\xa9\"}"); /* valid in JSON */
	assert_string_equal(labels->json, "{\"a\":\"\x7f\xc3\xa9\"}");
	snapshot_labels_unref(labels);
	alloc_fail_at(0);
	assert_null(snapshot_labels_new("{}"));
	assert_true(alloc_failed());
}

/* Valgrind checks that labels live as long as a row or their creator holds a reference. */
static void test_rows_share_labels(void **state)
{
	static const uint32_t ids[] = { 1, 2, 3 };
	struct snapshot_labels *labels = snapshot_labels_new("{}"), *others;

	(void)state;
	fill(ids, ARRAY_SIZE(ids));
	for (size_t i = 0; i < 3; i++) {
		assert_null(table->rows[i].labels);
		snapshot_row_label(&table->rows[i], labels);
		assert_ptr_equal(table->rows[i].labels, labels);
	}
	assert_int_equal(labels->refs, 4);
	snapshot_row_label(&table->rows[0], labels); /* its present labels */
	assert_int_equal(labels->refs, 4);
	snapshot_row_label(&table->rows[0], NULL);
	assert_null(table->rows[0].labels);
	assert_int_equal(labels->refs, 3);
	others = snapshot_labels_new("{\"x\":1}");
	snapshot_row_label(&table->rows[1], others);
	snapshot_labels_unref(others);
	assert_int_equal(labels->refs, 2);
	assert_int_equal(others->refs, 1);
	snapshot_labels_unref(labels);
	keep_these(ids + 1, 2);
	assert_string_equal(table->rows[0].labels->json,
			    "{\"x\":1}"); /* labels move with their row */
	assert_string_equal(table->rows[1].labels->json, "{}");
	assert_int_equal(labels->refs, 1);
	snapshot_row_label(&table->rows[1], labels); /* the only holder */
	assert_int_equal(labels->refs, 1);
	others->refs++;
	keep_these(ids + 2, 1);
	assert_int_equal(others->refs, 1);
	snapshot_labels_unref(others);
}

static void test_unset(void **state)
{
	static const uint32_t ids[] = { 1, 5, 7 };

	(void)state;
	snapshot_table_unset(table); /* a table without cells */
	fill(ids, ARRAY_SIZE(ids));
	snapshot_table_unset(table);
	assert_int_equal(table->nrows, 3);
	for (size_t row = 0; row < 3; row++) {
		for (size_t column = 0; column < 2; column++) {
			struct snapshot_cell *cell = snapshot_table_cell(table, row, column);

			assert_false(cell->present);
			assert_null(cell->text);
			assert_int_equal(cell->number, 0);
		}
	}
}

static void test_what_columns_say(void **state)
{
	(void)state;
	assert_int_equal(snapshot_table_add_column(table, "a"), 0);
	assert_int_equal(snapshot_table_add_column(table, "b"), 0);
	assert_int_equal(table->columns[0].semantics, METRIC_BY_COLUMN); /* not set */
	assert_int_equal(table->columns[0].units, METRIC_NONE);
	snapshot_table_describe(table, 1, METRIC_DISCRETE, METRIC_BYTES);
	snapshot_table_describe(table, 0, METRIC_COUNTER, METRIC_NSEC);
	for (int i = 0; i < 20; i++) {
		char name[16];

		snprintf(name, sizeof(name), "c%d", i);
		assert_int_equal(snapshot_table_add_column(table, name), 0);
	}
	assert_int_equal(table->columns[0].semantics, METRIC_COUNTER);
	assert_int_equal(table->columns[0].units, METRIC_NSEC);
	assert_int_equal(table->columns[1].semantics, METRIC_DISCRETE);
	assert_int_equal(table->columns[1].units, METRIC_BYTES);
	assert_int_equal(table->columns[21].semantics, METRIC_BY_COLUMN);
}

#define table_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		table_test(test_rows_go),
		table_test(test_rows_come_again),
		table_test(test_rows_without_columns),
		table_test(test_room),
		table_test(test_room_that_is_left),
		table_test(test_changes),
		cmocka_unit_test(test_labels),
		table_test(test_rows_share_labels),
		table_test(test_unset),
		table_test(test_what_columns_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
