// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Adding and replacing rows, their names and labels, and columns' semantics and units. */
#include "fakes/support.h"

#include <errno.h>
#include <stdlib.h>
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

static int row_make(struct snapshot_row *row, uint32_t number, const char *key)
{
	int err = snapshot_row_init(row, &(struct snapshot_name){ .key = key });

	if (!err)
		row->number = number;
	return err;
}

static int row_add(uint32_t number, const char *key)
{
	struct snapshot_row row;
	int err = row_make(&row, number, key);

	if (err)
		return err;
	err = snapshot_table_add_row(table, &row);
	if (err)
		snapshot_row_free(&row);
	return err;
}

/* A column of numbers, one of texts, and filled rows with these numbers. */
static void fill(const uint32_t *numbers, size_t n)
{
	char name[16];

	assert_int_equal(snapshot_table_add_column(table, "number"), 0);
	assert_int_equal(snapshot_table_add_column(table, "text"), 0);
	for (size_t i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "row%u", numbers[i]);
		assert_int_equal(row_add(numbers[i], name), 0);
		snapshot_cell_set(snapshot_table_cell(table, i, 0), numbers[i] * 100ULL);
		assert_int_equal(snapshot_cell_set_text(snapshot_table_cell(table, i, 1), name), 0);
	}
}

/* The rows have these numbers, and contents as fill() sets them or none. */
static void assert_rows(const uint32_t *numbers, size_t n, bool filled)
{
	char name[16];

	assert_int_equal(table->nrows, n);
	for (size_t i = 0; i < n; i++) {
		const struct snapshot_cell *number = snapshot_table_cell(table, i, 0);
		const struct snapshot_cell *text = snapshot_table_cell(table, i, 1);

		snprintf(name, sizeof(name), "row%u", numbers[i]);
		assert_int_equal(table->rows[i].number, numbers[i]);
		assert_string_equal(table->rows[i].name, name);
		assert_int_equal(snapshot_table_row(table, numbers[i]), i);
		assert_int_equal(number->present, filled);
		assert_int_equal(text->present, filled);
		assert_int_equal(number->number, filled ? numbers[i] * 100ULL : 0);
		if (filled)
			assert_string_equal(text->text, name);
		else
			assert_null(text->text);
	}
}

/* Have these rows, those that the table has among them, in this order. */
static void set_rows(const uint32_t *numbers, size_t n)
{
	struct snapshot_row *rows = calloc(n + 1, sizeof(*rows));
	char name[16];

	assert_non_null(rows);
	for (size_t i = 0; i < n; i++) {
		int old = snapshot_table_row(table, numbers[i]);

		snprintf(name, sizeof(name), "row%u", numbers[i]);
		if (old < 0) {
			assert_int_equal(row_make(&rows[i], numbers[i], name), 0);
			continue;
		}
		rows[i] = table->rows[old];
		table->rows[old] = (struct snapshot_row){ .number = numbers[i] };
	}
	for (size_t i = 0; i < table->nrows; i++)
		snapshot_row_free(&table->rows[i]);
	assert_int_equal(snapshot_table_set_rows(table, rows, n), 0);
	assert_ptr_equal(table->rows, rows);
}

/* Rows removed at the ends or in the middle, new ones, none; cells are absent again. */
static void test_set_rows(void **state)
{
	static const uint32_t numbers[] = { 0, 1, 2, 5, 8, 9, UINT32_MAX };
	static const uint32_t inner[] = { 1, 2, 5, 9 };
	static const uint32_t outer[] = { 9, 7, 1, 4 };

	(void)state;
	fill(numbers, ARRAY_SIZE(numbers));
	assert_rows(numbers, ARRAY_SIZE(numbers), true);
	set_rows(numbers, ARRAY_SIZE(numbers));
	assert_rows(numbers, ARRAY_SIZE(numbers), false);
	set_rows(inner, ARRAY_SIZE(inner));
	assert_rows(inner, ARRAY_SIZE(inner), false);
	assert_int_equal(snapshot_table_row(table, 0), -1);
	assert_int_equal(snapshot_table_row(table, 8), -1);
	assert_int_equal(snapshot_cell_set_text(snapshot_table_cell(table, 3, 1), "nine"), 0);
	set_rows(outer, ARRAY_SIZE(outer));
	assert_rows(outer, ARRAY_SIZE(outer), false);
	set_rows(NULL, 0);
	assert_int_equal(table->nrows, 0);
	assert_int_equal(table->ncolumns, 2);
	assert_int_equal(snapshot_table_row(table, 1), -1);
	set_rows(NULL, 0);
	assert_int_equal(snapshot_table_add_column(table, "late"), 0);
	for (uint32_t number = 0; number < 9; number++) {
		assert_int_equal(row_add(number, "row"), 0);
		for (size_t column = 0; column < 3; column++)
			assert_false(snapshot_table_cell(table, number, column)->present);
	}
}

/* Without memory nothing has changed. */
static void test_set_rows_without_memory(void **state)
{
	static const uint32_t numbers[] = { 7, 3 };
	struct snapshot_row *rows = calloc(1, sizeof(*rows));
	uint64_t changes;

	(void)state;
	fill(numbers, ARRAY_SIZE(numbers));
	changes = table->changes;
	alloc_fail_at(0);
	assert_int_equal(snapshot_table_set_rows(table, rows, 1), -ENOMEM);
	assert_true(alloc_failed());
	assert_rows(numbers, ARRAY_SIZE(numbers), true);
	assert_int_equal(table->changes, changes);
	free(rows);
}

static void test_rows_without_columns(void **state)
{
	static const uint32_t kept[] = { 11, 2 };

	(void)state;
	for (uint32_t number = 0; number < 12; number++)
		assert_int_equal(row_add(number, "row"), 0);
	set_rows(kept, ARRAY_SIZE(kept));
	assert_int_equal(table->nrows, 2);
	assert_int_equal(table->rows[0].number, 11);
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
	for (uint32_t number = 0; number < 1009; number++) {
		bool full = table->nrows == table->room;

		if (number == 3) /* widen the rows while room is left */
			assert_int_equal(snapshot_table_add_column(table, "second"), 0);
		alloc_fail_at(1);
		assert_int_equal(row_add(number, "row"), full ? -ENOMEM : 0);
		assert_int_equal(alloc_failed(), full);
		if (full)
			assert_int_equal(row_add(number, "row"), 0);
		steps += full;
		assert_true(table->room >= table->nrows);
		snapshot_cell_set(snapshot_table_cell(table, number, 0), number);
	}
	assert_in_range(steps, 2, 10);
	for (uint32_t number = 0; number < 1009; number++) {
		assert_int_equal(snapshot_table_cell(table, number, 0)->number, number);
		assert_false(snapshot_table_cell(table, number, 1)->present);
	}
}

/* changes counts only calls that add or replace rows. */
static void test_changes(void **state)
{
	static const uint32_t numbers[] = { 1, 2, 3 };

	(void)state;
	assert_int_equal(table->changes, 0);
	fill(numbers, ARRAY_SIZE(numbers));
	assert_int_equal(table->changes, 3);
	assert_int_equal(row_add(4, "\n"), -EINVAL);
	alloc_fail_at(0);
	assert_int_equal(row_add(4, "row"), -ENOMEM);
	assert_true(alloc_failed());
	snapshot_table_unset(table);
	assert_int_equal(snapshot_table_row(table, 3), 2);
	assert_int_equal(snapshot_table_add_column(table, "more"), 0);
	assert_int_equal(table->changes, 3);
	set_rows(numbers + 2, 1);
	assert_int_equal(table->changes, 4);
	assert_int_equal(row_add(2, "row"), 0);
	assert_int_equal(table->changes, 5);
}

/* The parts of a name, and where they are in it. */
static void test_names(void **state)
{
	static const struct snapshot_range range = { 4, 7 };
	static const struct {
		struct snapshot_name name;
		const char *text;
	} cases[] = {
		{ { NULL, NULL, NULL }, "" },
		{ { "", "", NULL }, "" },
		{ { "vm-1", NULL, NULL }, "vm-1" },
		{ { NULL, "hlt", NULL }, "hlt" },
		{ { NULL, NULL, &range }, "4-7" },
		{ { "vm-1", "hlt", NULL }, "vm-1::hlt" },
		{ { "vm-1::vcpu0", NULL, &range }, "vm-1::vcpu0::4-7" },
		{ { "", "hlt", &range }, "hlt::4-7" },
		{ { "vm-1", "hlt", &range }, "vm-1::hlt::4-7" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct snapshot_name *name = &cases[i].name;
		struct snapshot_row row;

		untouched_fill(&row, sizeof(row));
		assert_int_equal(snapshot_row_init(&row, name), 0);
		assert_string_equal(row.name, cases[i].text);
		assert_int_equal(row.owner_bytes, name->owner ? strlen(name->owner) : 0);
		assert_int_equal(row.key_bytes, name->key ? strlen(name->key) : 0);
		assert_int_equal(row.has_range, name->range != NULL);
		assert_int_equal(row.range.first, name->range ? 4 : 0);
		assert_int_equal(row.range.last, name->range ? 7 : 0);
		assert_int_equal(row.number, 0);
		assert_int_equal(row.id, 0);
		assert_false(row.by_name);
		assert_null(row.labels);
		assert_null(row.own);
		snapshot_row_free(&row);
	}
}

static void assert_range(uint64_t first, uint64_t last, const char *text)
{
	struct snapshot_range range = { first, last };
	char found[SNAPSHOT_RANGE_SIZE];

	snapshot_range_text(&range, found);
	assert_string_equal(found, text);
}

static void test_range_text(void **state)
{
	(void)state;
	assert_range(0, 0, "0");
	assert_range(7, 7, "7");
	assert_range(4096, 8191, "4096-8191");
	assert_range(0, UINT64_MAX, "0+");
	assert_range(2147483648, UINT64_MAX, "2147483648+");
	assert_range(UINT64_MAX, UINT64_MAX, "18446744073709551615");
	assert_range(UINT64_MAX - 2, UINT64_MAX - 1, "18446744073709551613-18446744073709551614");
}

/* Valgrind checks that labels live as long as a row or their creator holds a reference. */
static void test_rows_share_labels(void **state)
{
	static const uint32_t numbers[] = { 1, 2, 3 };
	struct labels *labels = labels_new(NULL, 0), *own = labels_new(NULL, 0);

	(void)state;
	fill(numbers, ARRAY_SIZE(numbers));
	for (size_t i = 0; i < 3; i++) {
		assert_null(table->rows[i].labels);
		assert_null(table->rows[i].own);
		table->rows[i].labels = labels_ref(labels);
	}
	table->rows[0].own = labels_ref(own);
	table->rows[2].own = labels_ref(own);
	assert_int_equal(labels->refs, 4);
	assert_int_equal(own->refs, 3);
	set_rows(numbers + 1, 2);
	assert_ptr_equal(table->rows[0].labels, labels); /* labels move with their row */
	assert_null(table->rows[0].own);
	assert_ptr_equal(table->rows[1].own, own);
	assert_int_equal(labels->refs, 3);
	assert_int_equal(own->refs, 2);
	labels_unref(labels);
	labels_unref(own);
	set_rows(numbers, 1);
	assert_null(table->rows[0].labels);
}

/* All cells are absent; a text that comes again needs no memory. */
static void test_unset(void **state)
{
	static const uint32_t numbers[] = { 1, 5, 7 };

	(void)state;
	snapshot_table_unset(table); /* a table without cells */
	fill(numbers, ARRAY_SIZE(numbers));
	snapshot_table_unset(table);
	assert_int_equal(table->nrows, 3);
	for (size_t row = 0; row < 3; row++) {
		for (size_t column = 0; column < 2; column++)
			assert_false(snapshot_table_cell(table, row, column)->present);
	}
	alloc_fail_at(0);
	assert_int_equal(snapshot_cell_set_text(snapshot_table_cell(table, 1, 1), "row5"), 0);
	assert_true(snapshot_table_cell(table, 1, 1)->present);
	assert_string_equal(snapshot_table_cell(table, 1, 1)->text, "row5");
	assert_int_equal(snapshot_cell_set_text(snapshot_table_cell(table, 2, 1), "row5"), -ENOMEM);
	assert_true(alloc_failed());
	assert_false(snapshot_table_cell(table, 2, 1)->present);
	assert_null(snapshot_table_cell(table, 2, 1)->text);
	snapshot_cell_set(snapshot_table_cell(table, 0, 1), 0); /* no text any more */
	assert_null(snapshot_table_cell(table, 0, 1)->text);
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
		table_test(test_set_rows),
		table_test(test_set_rows_without_memory),
		table_test(test_rows_without_columns),
		table_test(test_room),
		table_test(test_changes),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_range_text),
		table_test(test_rows_share_labels),
		table_test(test_unset),
		table_test(test_what_columns_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
