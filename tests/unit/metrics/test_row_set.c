// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "metrics/row_set.h"

static struct snapshot snapshot;
static struct snapshot_table *table;

static int setup(void **state)
{
	(void)state;
	snapshot = (struct snapshot){ 0 };
	if (snapshot_add_table(&snapshot, "things", &table))
		return -1;
	return snapshot_table_add_column(table, "n");
}

static int teardown(void **state)
{
	(void)state;
	snapshot_free(&snapshot);
	return 0;
}

static void want(struct rows *rows, uint32_t id, const char *name, const char *last,
		 struct snapshot_labels *labels)
{
	struct row_want one = { id, name, last, labels };

	assert_int_equal(rows_want(rows, &one), 0);
}

/* The rows as "ID:NAME=NUMBER", "-" for an absent cell. */
static void assert_rows(const char *text)
{
	char found[1024] = "", number[32];

	for (size_t i = 0; i < table->nrows; i++) {
		const struct snapshot_cell *cell = snapshot_table_cell(table, i, 0);

		snprintf(number, sizeof(number), "%llu", (unsigned long long)cell->number);
		snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s%u:%s=%s",
			 i ? " " : "", table->rows[i].id, table->rows[i].name,
			 cell->present ? number : "-");
	}
	assert_string_equal(found, text);
}

static void test_nothing(void **state)
{
	struct rows none = { 0 }, rows = { 0 };

	(void)state;
	assert_int_equal(rows_follow(&none, table, 0), 0);
	assert_rows("");
	assert_int_equal(table->changes, 0);
	want(&rows, 1, "one", NULL, NULL);
	assert_int_equal(rows_follow(&rows, table, 0), 0);
	assert_rows("1:one=-");
	none = (struct rows){ 0 };
	assert_int_equal(rows_follow(&none, table, 0), 0);
	assert_rows("");
}

/* Rows are wanted in any order; existing rows stay unchanged. */
static void test_come_and_go(void **state)
{
	struct rows rows = { 0 };
	uint64_t changes;

	(void)state;
	want(&rows, 5, "five", NULL, NULL);
	want(&rows, 2, "two", "b", NULL);
	want(&rows, 0xffffffff, "last", NULL, NULL);
	assert_int_equal(rows_follow(&rows, table, 0), 0);
	assert_rows("2:two::b=- 5:five=- 4294967295:last=-");
	snapshot_cell_set(snapshot_table_cell(table, 1, 0), 55);
	changes = table->changes;
	rows = (struct rows){ 0 };
	want(&rows, 0xffffffff, "last", NULL, NULL);
	want(&rows, 5, "renamed", NULL, NULL);
	want(&rows, 3, "three", NULL, NULL);
	assert_int_equal(rows_follow(&rows, table, 0), 0);
	assert_rows("3:three=- 5:five=55 4294967295:last=-");
	assert_true(table->changes > changes);
	changes = table->changes;
	rows = (struct rows){ 0 };
	want(&rows, 3, "three", NULL, NULL);
	want(&rows, 5, "five", NULL, NULL);
	want(&rows, 0xffffffff, "last", NULL, NULL);
	assert_int_equal(rows_follow(&rows, table, 0), 0);
	assert_int_equal(table->changes, changes);
}

static void test_many(void **state)
{
	struct rows rows = { 0 };

	(void)state;
	for (uint32_t i = 0; i < 1000; i++)
		want(&rows, i * 389 % 1000, "row", NULL, NULL);
	assert_int_equal(rows_follow(&rows, table, 0), 0);
	assert_int_equal(table->nrows, 1000);
	rows = (struct rows){ 0 };
	for (uint32_t i = 0; i < 1000; i += 2)
		want(&rows, i, "row", NULL, NULL);
	assert_int_equal(rows_follow(&rows, table, 0), 0);
	assert_int_equal(table->nrows, 500);
	for (uint32_t i = 0; i < 500; i++)
		assert_int_equal(table->rows[i].id, 2 * i);
}

/* Rows share labels and hold a reference while they exist. */
static void test_labels(void **state)
{
	struct snapshot_labels *labels = snapshot_labels_new("{\"vm\":\"a\"}");
	struct rows rows = { 0 };

	(void)state;
	want(&rows, 1, "a", "0", labels);
	want(&rows, 2, "a", "1", labels);
	want(&rows, 3, "b", NULL, NULL);
	assert_int_equal(rows_follow(&rows, table, 0), 0);
	assert_int_equal(labels->refs, 3);
	assert_ptr_equal(table->rows[1].labels, labels);
	assert_null(table->rows[2].labels);
	rows = (struct rows){ 0 };
	want(&rows, 1, "a", "0", labels);
	assert_int_equal(rows_follow(&rows, table, 0), 0);
	assert_int_equal(labels->refs, 2);
	snapshot_labels_unref(labels);
	assert_string_equal(table->rows[0].labels->json, "{\"vm\":\"a\"}");
}

/* With an error the table stays unchanged. */
static void test_failed(void **state)
{
	struct rows rows = { 0 };

	(void)state;
	want(&rows, 1, "one", NULL, NULL);
	assert_int_equal(rows_follow(&rows, table, 0), 0);
	rows = (struct rows){ 0 };
	want(&rows, 2, "two", NULL, NULL);
	assert_int_equal(rows_follow(&rows, table, -ENOMEM), -ENOMEM);
	assert_rows("1:one=-");
}

static void test_no_memory(void **state)
{
	unsigned n;

	(void)state;
	for (n = 0;; n++) {
		struct row_want one = { n + 1, "name", "last", NULL };
		struct rows rows = { 0 };
		int err;

		alloc_fail_at(n);
		err = rows_want(&rows, &one);
		err = rows_follow(&rows, table, err);
		if (!alloc_failed()) {
			assert_int_equal(err, 0);
			break;
		}
		assert_int_equal(err, -ENOMEM);
		assert_rows("");
	}
	assert_true(n >= 3);
	assert_int_equal(table->nrows, 1);
	assert_string_equal(table->rows[0].name, "name::last");
}

#define rows_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		rows_test(test_nothing), rows_test(test_come_and_go), rows_test(test_many),
		rows_test(test_labels),	 rows_test(test_failed),      rows_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
