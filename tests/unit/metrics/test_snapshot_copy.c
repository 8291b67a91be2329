// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/support.h"

#include <stdlib.h>
#include <string.h>

#include "metrics/snapshot_copy.h"

#define MAGIC "pmdakvm-snapshot\t2\n"

static const char everything[] = MAGIC
	"table\tvm\ncolumn\tvcpus\ncolumn\tname\n"
	"row\t7\tone-1\t\t-\t2\t'one\nlabels\t{\"vm\":\"one\",\"pid\":1}\n"
	"row\t8\ttwo-2\t\t-\t-\t'two\n"
	"row\t9\tthree-3\t\t-\t3\t'three\nlabels\t{\"vm\":\"three\"}\n"
	"table\tvm_stat\ncolumn\texits\tcounter\tcount\ncolumn\tpages\tinstant\tcount\n"
	"row\t1\tone-1\t\t-\t100\t50\n"
	"row\t2\ttwo-2\t\t-\t18446744073709551615\t60\n"
	"table\texit_latency\ncolumn\tlatency\n"
	"row\t0\t\thlt\t4-7\t3\n"
	"row\t0\t\thlt\t8-18446744073709551615\t4\n"
	"table\tno columns\nrow\t0\t\tx\t-\nrow\t0\t\ty\t-\n"
	"table\tof no metric\ncolumn\tc\tcounter\tcount\nrow\t0\t\tx\t-\t9\n";

static void load(const char *text, struct snapshot *snapshot)
{
	unsigned line;

	assert_int_equal(snapshot_bytes_load(text, strlen(text), snapshot, &line), 0);
}

static char *save(const struct snapshot *snapshot)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	assert_non_null(file);
	assert_int_equal(snapshot_save(snapshot, file), 0);
	fclose(file);
	return text;
}

static void test_a_copy_is_equal(void **state)
{
	struct snapshot snapshot, copy;
	char *first, *second;
	unsigned n;

	(void)state;
	load(everything, &snapshot);
	first = save(&snapshot);
	for (n = 0;; n++) {
		int err;

		untouched_fill(&copy, sizeof(copy));
		alloc_fail_at(n);
		err = snapshot_copy(&snapshot, &copy);
		if (!alloc_failed()) {
			assert_int_equal(err, 0);
			break;
		}
		assert_int_equal(err, -ENOMEM);
		assert_untouched(&copy, sizeof(copy));
	}
	assert_true(n > 40);
	snapshot_free(&snapshot);
	second = save(&copy); /* it needs nothing of the other */
	assert_string_equal(second, first);
	free(first);
	free(second);
	snapshot_free(&copy);
}

/* data: a text with a digit for each row, 1 for those to keep. */
static bool is_in(const struct snapshot_table *table, size_t row, void *data)
{
	const char *digits = data;

	assert_true(row < table->nrows);
	return digits[row] == '1';
}

static void test_rows_are_kept(void **state)
{
	static const struct {
		const char *digits, *names[4];
	} cases[] = {
		{ "111", { "one-1", "two-2", "three-3" } },
		{ "011", { "two-2", "three-3" } },
		{ "101", { "one-1", "three-3" } },
		{ "001", { "three-3" } },
		{ "110", { "one-1", "two-2" } },
		{ "000", { NULL } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct snapshot copy;
		struct snapshot_table *table;
		size_t n = 0;

		load(everything, &copy);
		table = snapshot_find_table(&copy, "vm");
		snapshot_table_keep(table, is_in, (void *)cases[i].digits);
		for (; cases[i].names[n]; n++) {
			const struct snapshot_cell *name = snapshot_table_cell(table, n, 1);

			assert_string_equal(table->rows[n].name, cases[i].names[n]);
			assert_memory_equal(name->text, cases[i].names[n], strlen(name->text));
		}
		assert_int_equal(table->nrows, n);
		snapshot_table_keep(snapshot_find_table(&copy, "no columns"), is_in, (void *)"01");
		assert_string_equal(snapshot_find_table(&copy, "no columns")->rows[0].name, "y");
		snapshot_free(&copy);
	}
}

/* A new row began at 0; a counter that fell is absent; gauges, and what no metric has, stay. */
static void test_subtract(void **state)
{
	static const char earlier[] = MAGIC
		"table\texit_latency\ncolumn\tlatency\n"
		"row\t0\t\thlt\t8-18446744073709551615\t1\n"
		"table\tvm_stat\ncolumn\tpages\tinstant\tcount\ncolumn\texits\tcounter\tcount\n"
		"row\t2\ttwo-2\t\t-\t1\t18446744073709551614\n"
		"row\t1\tone-1\t\t-\t60\t101\n"
		"table\tof no metric\ncolumn\tc\tcounter\tcount\nrow\t0\t\tx\t-\t9\n";
	static const struct {
		const char *table;
		size_t row, column;
		bool present;
		uint64_t number;
	} cases[] = {
		{ "vm_stat", 0, 0, false, 0 },	   { "vm_stat", 0, 1, true, 50 },
		{ "vm_stat", 1, 0, true, 1 },	   { "vm_stat", 1, 1, true, 60 },
		{ "exit_latency", 0, 0, true, 3 }, { "exit_latency", 1, 0, true, 3 },
		{ "of no metric", 0, 0, true, 9 }, { "vm", 0, 0, true, 2 },
	};
	struct snapshot copy, before;

	(void)state;
	load(earlier, &before);
	for (unsigned n = 0;; n++) {
		int err;

		load(everything, &copy);
		alloc_fail_at(n);
		err = snapshot_subtract(&copy, &before);
		if (!alloc_failed())
			break;
		assert_int_equal(err, -ENOMEM);
		snapshot_free(&copy);
	}
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct snapshot_table *table = snapshot_find_table(&copy, cases[i].table);
		const struct snapshot_cell *cell = snapshot_table_cell(table, cases[i].row,
								       cases[i].column);

		assert_int_equal(cell->present, cases[i].present);
		assert_int_equal(cell->number, cases[i].number);
	}
	snapshot_free(&copy);
	snapshot_free(&before);
}

/* Rows are found wherever the search begins, by all of their name. */
static void test_find_row(void **state)
{
	struct snapshot snapshot;
	const struct snapshot_table *table;
	size_t at;

	(void)state;
	load(everything, &snapshot);
	table = snapshot_find_table(&snapshot, "vm");
	for (size_t from = 0; from < 5; from++) {
		at = from;
		assert_int_equal(snapshot_table_find_row(table, "two-2x", 5, &at), 1);
		assert_int_equal(at, 2);
		assert_int_equal(snapshot_table_find_row(table, "two-", 4, &at), -1);
		assert_int_equal(snapshot_table_find_row(table, "two-22", 6, &at), -1);
		assert_int_equal(at, 2);
	}
	snapshot_free(&snapshot);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_copy_is_equal),
		cmocka_unit_test(test_rows_are_kept),
		cmocka_unit_test(test_subtract),
		cmocka_unit_test(test_find_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
