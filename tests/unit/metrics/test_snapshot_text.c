// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/support.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC "pmdakvm-snapshot\t1\n"

/* Every kind of cell, name and table. */
static const char everything[] = MAGIC "table\tcounts\n"
				       "column\tkvm_exit\n"
				       "column\ta column \xc3\xa9\n"
				       "column\tlast\n"
				       "row\t0\tcpu0\t0\t18446744073709551615\t-\n"
				       "row\t7\tcpu7\t-\t-\t-\n"
				       "row\t4294967295\t\t1\t'\t'-\n"
				       "table\tno rows\n"
				       "column\tonly\n"
				       "table\tno columns\n"
				       "row\t3\ta name\n"
				       "row\t5\t\n"
				       "table\tneither\n"
				       "table\ttexts\n"
				       "column\ttext\n"
				       "row\t0\t'quoted\t'it's 12 \xc3\xa9 ~\n"
				       "row\t1\t-\t'17\n"
				       "table\tmeanings\n"
				       "column\tc\tcounter\tcount\n"
				       "column\td\tdiscrete\t\n"
				       "column\ti\tinstant\tbyte\n"
				       "column\tn\tcounter\tns\n"
				       "column\tnobody has said\n"
				       "row\t1\tone\t1\t2\t-\t-\t-\n"
				       "labels\t{\"vm\":\"one \xc3\xa9\x7f\",\"n\":7}\n"
				       "row\t2\ttwo\t-\t-\t-\t-\t-\n"
				       "row\t3\tthree\t-\t-\t-\t-\t-\n"
				       "labels\t{}\n";

static int load(const char *text, struct snapshot *snapshot, unsigned *line)
{
	return snapshot_bytes_load(text, strlen(text), snapshot, line);
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

static void assert_number(const struct snapshot_cell *cell, uint64_t number)
{
	assert_true(cell->present);
	assert_null(cell->text);
	assert_int_equal(cell->number, number);
}

static void assert_text(const struct snapshot_cell *cell, const char *text)
{
	assert_true(cell->present);
	assert_non_null(cell->text);
	assert_string_equal(cell->text, text);
}

static void test_what_is_loaded(void **state)
{
	const struct snapshot_table *table;
	struct snapshot snapshot;
	unsigned line;

	(void)state;
	assert_int_equal(load(everything, &snapshot, &line), 0);
	assert_int_equal(snapshot.ntables, 6);
	table = snapshot_find_table(&snapshot, "counts");
	assert_ptr_equal(table, snapshot.tables[0]);
	assert_int_equal(table->ncolumns, 3);
	assert_string_equal(table->columns[1].name, "a column \xc3\xa9");
	assert_int_equal(table->nrows, 3);
	assert_int_equal(table->rows[2].id, UINT32_MAX);
	assert_string_equal(table->rows[2].name, "");
	assert_number(snapshot_table_cell(table, 0, 0), 0);
	assert_number(snapshot_table_cell(table, 0, 1), UINT64_MAX);
	assert_false(snapshot_table_cell(table, 0, 2)->present);
	assert_false(snapshot_table_cell(table, 1, 0)->present);
	assert_number(snapshot_table_cell(table, 2, 0), 1);
	assert_text(snapshot_table_cell(table, 2, 1), "");
	assert_text(snapshot_table_cell(table, 2, 2), "-");
	table = snapshot_find_table(&snapshot, "no columns");
	assert_int_equal(table->nrows, 2);
	assert_string_equal(table->rows[0].name, "a name");
	table = snapshot_find_table(&snapshot, "texts");
	assert_string_equal(table->rows[0].name, "'quoted");
	assert_text(snapshot_table_cell(table, 0, 0), "it's 12 \xc3\xa9 ~");
	assert_text(snapshot_table_cell(table, 1, 0), "17");
	snapshot_free(&snapshot);
}

static void assert_column(const struct snapshot_column *column, enum metric_semantics semantics,
			  enum metric_units units)
{
	assert_int_equal(column->semantics, semantics);
	assert_int_equal(column->units, units);
}

static void test_columns_and_labels(void **state)
{
	const struct snapshot_table *table;
	struct snapshot snapshot;
	unsigned line;

	(void)state;
	assert_int_equal(load(everything, &snapshot, &line), 0);
	table = snapshot_find_table(&snapshot, "meanings");
	assert_int_equal(table->ncolumns, 5);
	assert_string_equal(table->columns[0].name, "c");
	assert_column(&table->columns[0], METRIC_COUNTER, METRIC_COUNT);
	assert_column(&table->columns[1], METRIC_DISCRETE, METRIC_NONE);
	assert_column(&table->columns[2], METRIC_INSTANT, METRIC_BYTES);
	assert_column(&table->columns[3], METRIC_COUNTER, METRIC_NSEC);
	assert_column(&table->columns[4], METRIC_BY_COLUMN, METRIC_NONE);
	assert_string_equal(table->rows[0].labels->json, "{\"vm\":\"one \xc3\xa9\x7f\",\"n\":7}");
	assert_int_equal(table->rows[0].labels->refs, 1);
	assert_null(table->rows[1].labels);
	assert_string_equal(table->rows[2].labels->json, "{}");
	assert_null(snapshot_find_table(&snapshot, "texts")->rows[0].labels);
	snapshot_free(&snapshot);
}

static void assert_round_trip(const char *text)
{
	struct snapshot snapshot;
	unsigned line;
	char *again;

	assert_int_equal(load(text, &snapshot, &line), 0);
	again = save(&snapshot);
	assert_string_equal(again, text);
	free(again);
	snapshot_free(&snapshot);
}

static void test_round_trip(void **state)
{
	(void)state;
	assert_round_trip(MAGIC);
	assert_round_trip(MAGIC "table\tt\n");
	assert_round_trip(everything);
}

/* 53 tables of up to 53 rows and columns, saved, loaded and saved again. */
static void test_round_trip_of_many_tables(void **state)
{
	struct snapshot snapshot = { 0 }, loaded;
	char name[32], *first, *second;
	unsigned line;

	(void)state;
	for (unsigned i = 0; i < 53; i++) {
		struct snapshot_table *table;

		snprintf(name, sizeof(name), "table %u", i);
		assert_int_equal(snapshot_add_table(&snapshot, name, &table), 0);
		for (unsigned column = 0; column < i; column++) {
			snprintf(name, sizeof(name), "c%u", column);
			assert_int_equal(snapshot_table_add_column(table, name), 0);
		}
		for (unsigned row = 0; row < 53 - i; row++) {
			assert_int_equal(snapshot_table_add_row(table, row * row, "r"), 0);
			for (unsigned column = row % 3; column < i; column += 3)
				snapshot_cell_set(snapshot_table_cell(table, row, column),
						  UINT64_MAX - row * column);
		}
	}
	first = save(&snapshot);
	assert_int_equal(load(first, &loaded, &line), 0);
	second = save(&loaded);
	assert_string_equal(first, second);
	assert_int_equal(loaded.ntables, 53);
	free(first);
	free(second);
	snapshot_free(&snapshot);
	snapshot_free(&loaded);
}

static void test_saved_text(void **state)
{
	struct snapshot snapshot = { 0 };
	struct snapshot_table *table;
	char *text;

	(void)state;
	assert_int_equal(snapshot_add_table(&snapshot, "t", &table), 0);
	assert_int_equal(snapshot_table_add_column(table, "a"), 0);
	assert_int_equal(snapshot_table_add_column(table, "b"), 0);
	assert_int_equal(snapshot_table_add_row(table, UINT32_MAX, "last"), 0);
	assert_int_equal(snapshot_table_add_row(table, 2, ""), 0);
	snapshot_cell_set(snapshot_table_cell(table, 0, 1), UINT64_MAX);
	assert_int_equal(snapshot_cell_set_text(snapshot_table_cell(table, 1, 0), "a\tb\n"), 0);
	text = save(&snapshot);
	assert_string_equal(text, MAGIC "table\tt\ncolumn\ta\ncolumn\tb\n"
					"row\t2\t\t-\t18446744073709551615\n"
					"row\t4294967295\tlast\t'a?b?\t-\n");
	free(text);
	snapshot_free(&snapshot);
}

/* Rows can be in any order; the last line can lack its newline. */
static void test_other_ways_to_write_it(void **state)
{
	struct snapshot snapshot;
	unsigned line;
	char *text;

	(void)state;
	assert_int_equal(load(MAGIC "table\tt\ncolumn\tc\nrow\t5\tb\t007\nrow\t00\ta\t'x",
			      &snapshot, &line),
			 0);
	text = save(&snapshot);
	assert_string_equal(text, MAGIC "table\tt\ncolumn\tc\nrow\t0\ta\t'x\nrow\t5\tb\t7\n");
	free(text);
	snapshot_free(&snapshot);
	assert_int_equal(load(MAGIC "table\tt\nrow\t5\tb\nrow\t0\ta\nlabels\t{}", &snapshot, &line),
			 0);
	text = save(&snapshot);
	assert_string_equal(text, MAGIC "table\tt\nrow\t0\ta\nlabels\t{}\nrow\t5\tb\n");
	free(text);
	snapshot_free(&snapshot);
}

#define TABLE MAGIC "table\tt\ncolumn\ta\ncolumn\tb\n"
#define ROW   "row\t0\tr\t1\t2\n"

/* Invalid snapshots and the number of the invalid line. */
static const struct {
	const char *text;
	unsigned line;
} malformed[] = {
	{ "\n", 1 },
	{ "pmdakvm-snapshot\t2\n", 1 },
	{ "pmdakvm-snapshot\t10\n", 1 },
	{ "pmdakvm-snapshot 1\n", 1 },
	{ "Pmdakvm-snapshot\t1\n", 1 },
	{ "pmdakvm-snapshot\t1\r\n", 1 },
	{ " " MAGIC, 1 },
	{ "table\tt\n", 1 },
	{ MAGIC "\n", 2 },
	{ MAGIC "table\n", 2 },
	{ MAGIC "tables\tt\n", 2 },
	{ MAGIC "table\tt\tu\n", 2 },
	{ MAGIC "table\tt\r\n", 2 },
	{ MAGIC "Table\tt\n", 2 },
	{ MAGIC "\ttable\tt\n", 2 },
	{ MAGIC MAGIC, 2 },
	{ MAGIC "column\ta\n", 2 },
	{ MAGIC "row\t0\tr\n", 2 },
	{ MAGIC "table\tt\n# no comments\n", 3 },
	{ MAGIC "table\tt\n\ntable\tu\n", 3 },
	{ MAGIC "table\tt\ntable\tu\ntable\tt\n", 4 },
	{ MAGIC "table\tt\ncolumn\n", 3 },
	{ MAGIC "table\tt\ncolumn\ta\tb\n", 3 },
	{ MAGIC "table\tt\ncolumn\ta\001\n", 3 },
	{ TABLE "column\ta\n", 5 },
	{ TABLE "row\t0\tr\t1\t2\ncolumn\tc\n", 6 },
	{ TABLE "row\n", 5 },
	{ TABLE "row\t0\n", 5 },
	{ TABLE "row\t0\tr\n", 5 },
	{ TABLE "row\t0\tr\t1\n", 5 },
	{ TABLE "row\t0\tr\t1\t2\t3\n", 5 },
	{ TABLE "row\t0\tr\t1\t2\t\n", 5 },
	{ TABLE "row\t\tr\t1\t2\n", 5 },
	{ TABLE "row\t-1\tr\t1\t2\n", 5 },
	{ TABLE "row\tx\tr\t1\t2\n", 5 },
	{ TABLE "row\t0x1\tr\t1\t2\n", 5 },
	{ TABLE "row\t 0\tr\t1\t2\n", 5 },
	{ TABLE "row\t4294967296\tr\t1\t2\n", 5 },
	{ TABLE "row\t0\tr\x7f\t1\t2\n", 5 },
	{ TABLE "row\t0\tr\t1\t2\nrow\t0\ts\t1\t2\n", 6 },
	{ TABLE "row\t0\tr\t\t2\n", 5 },
	{ TABLE "row\t0\tr\t1\t+2\n", 5 },
	{ TABLE "row\t0\tr\t1\t-2\n", 5 },
	{ TABLE "row\t0\tr\t1\t--\n", 5 },
	{ TABLE "row\t0\tr\t1\t2 \n", 5 },
	{ TABLE "row\t0\tr\t1\t 2\n", 5 },
	{ TABLE "row\t0\tr\t1\t2\r\n", 5 },
	{ TABLE "row\t0\tr\t1\t1.5\n", 5 },
	{ TABLE "row\t0\tr\t1\t1e3\n", 5 },
	{ TABLE "row\t0\tr\t1\t/\n", 5 },
	{ TABLE "row\t0\tr\t1\t:\n", 5 },
	{ TABLE "row\t0\tr\t1\tfour\n", 5 },
	{ TABLE "row\t0\tr\t1\t18446744073709551616\n", 5 },
	{ TABLE "row\t0\tr\t'text\tno text\n", 5 },
	{ TABLE "row\t0\tr\t1\t2\ntable\tu\nrow\t0\tr\t1\n", 7 },
	{ TABLE "column\tc\t\n", 5 },
	{ TABLE "column\tc\tcounter\n", 5 },
	{ TABLE "column\tc\tcount\tcount\n", 5 },
	{ TABLE "column\tc\tby column\t\n", 5 },
	{ TABLE "column\tc\t\tcount\n", 5 },
	{ TABLE "column\tc\tcounter\tcounts\n", 5 },
	{ TABLE "column\tc\tcounter\tcount\t\n", 5 },
	{ TABLE "column\tc\tcounter\t\tcount\n", 5 },
	{ TABLE "column\ta\tcounter\tcount\n", 5 },
	{ MAGIC "labels\t{}\n", 2 },
	{ TABLE "labels\t{}\n", 5 },
	{ TABLE ROW "labels\n", 6 },
	{ TABLE ROW "labels\t\n", 6 },
	{ TABLE ROW "labels\t[]\n", 6 },
	{ TABLE ROW "labels\t7\n", 6 },
	{ TABLE ROW "labels\t{\"a\":1\n", 6 },
	{ TABLE ROW "labels\t{} {}\n", 6 },
	{ TABLE ROW "labels\t{\"a\":1,\"a\":2}\n", 6 },
	{ TABLE ROW "labels\t{\"a\":\"\xff\"}\n", 6 },
	{ TABLE ROW "labels\t{\"a\":\t1}\n", 6 },
	{ TABLE ROW "labels\t{\"a\":1}\r\n", 6 },
	{ TABLE ROW "labels\t{\"a\":\"\x1f\"}\n", 6 },
	{ TABLE ROW "labels\t{}\t\n", 6 },
	{ TABLE ROW "labels\t{}\nlabels\t{}\n", 7 },
	{ TABLE ROW "table\tu\nlabels\t{}\n", 7 },
	{ TABLE ROW "table\tu\ncolumn\ta\nlabels\t{}\n", 8 },
};

static void test_malformed(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(malformed); i++) {
		struct snapshot snapshot;
		unsigned line = 0;

		untouched_fill(&snapshot, sizeof(snapshot));
		assert_int_equal(load(malformed[i].text, &snapshot, &line), -EINVAL);
		assert_untouched(&snapshot, sizeof(snapshot));
		assert_int_equal(line, malformed[i].line);
	}
}

static void test_an_empty_file(void **state)
{
	struct snapshot snapshot;
	unsigned line = 7;
	FILE *file;

	(void)state;
	write_text("empty", "");
	file = fopen("empty", "re");
	assert_non_null(file);
	assert_int_equal(snapshot_load(file, &snapshot, &line), -EINVAL);
	assert_int_equal(line, 0);
	fclose(file);
}

static void test_nul_bytes(void **state)
{
	static const char in_magic[] = "pmdakvm-snapshot\t1\0\ntable\tt\n";
	static const char in_name[] = MAGIC "table\tt\ncolumn\ta\0b\n";
	static const char at_end[] = MAGIC "table\tt\n\0";
	struct snapshot snapshot;
	unsigned line;

	(void)state;
	assert_int_equal(snapshot_bytes_load(in_magic, sizeof(in_magic) - 1, &snapshot, &line),
			 -EINVAL);
	assert_int_equal(line, 1);
	assert_int_equal(snapshot_bytes_load(in_name, sizeof(in_name) - 1, &snapshot, &line),
			 -EINVAL);
	assert_int_equal(line, 3);
	assert_int_equal(snapshot_bytes_load(at_end, sizeof(at_end) - 1, &snapshot, &line),
			 -EINVAL);
	assert_int_equal(line, 3);
}

/* A truncated file is loaded, or rejected for its last line. */
static void test_a_file_cut_anywhere(void **state)
{
	unsigned lines = 1, loaded = 0;

	(void)state;
	for (size_t size = 1; size < sizeof(everything); size++) {
		struct snapshot snapshot;
		unsigned line = 0;
		int err;

		untouched_fill(&snapshot, sizeof(snapshot));
		err = snapshot_bytes_load(everything, size, &snapshot, &line);
		if (err) {
			assert_int_equal(err, -EINVAL);
			assert_untouched(&snapshot, sizeof(snapshot));
			assert_int_equal(line, lines);
		} else {
			snapshot_free(&snapshot);
			loaded++;
		}
		if (everything[size - 1] == '\n') {
			assert_int_equal(err, 0); /* complete lines are a valid snapshot */
			lines++;
		}
	}
	assert_int_equal(lines, 30);
	assert_true(loaded >= 2 * 29); /* with and without the newline */
}

static void test_reading_that_fails(void **state)
{
	FILE *file = open_failing_reader(MAGIC "table\tt\n", EIO);
	struct snapshot snapshot;
	unsigned line = 0;

	(void)state;
	untouched_fill(&snapshot, sizeof(snapshot));
	assert_int_equal(snapshot_load(file, &snapshot, &line), -EIO);
	assert_untouched(&snapshot, sizeof(snapshot));
	fclose(file);
}

/* Saving reports a full disk at any position. */
static void test_writing_that_fails(void **state)
{
	struct snapshot snapshot;
	unsigned line;

	(void)state;
	assert_int_equal(load(everything, &snapshot, &line), 0);
	for (size_t room = 0; room < strlen(everything); room++) {
		FILE *file = open_failing_writer(room, ENOSPC);

		assert_int_equal(snapshot_save(&snapshot, file), -ENOSPC);
		fclose(file);
		file = open_failing_writer(room, ENOSPC);
		setvbuf(file, NULL, _IONBF, 0);
		assert_int_equal(snapshot_save(&snapshot, file), -EIO);
		fclose(file);
	}
	snapshot_free(&snapshot);
}

static void *json_malloc(size_t size)
{
	return malloc(size); /* can fail, by the fake */
}

static void test_no_memory(void **state)
{
	struct snapshot snapshot;
	unsigned n, line;
	char *text;

	(void)state;
	json_set_alloc_funcs(json_malloc, free);
	for (n = 0;; n++) {
		int err;

		untouched_fill(&snapshot, sizeof(snapshot));
		alloc_fail_at(n);
		err = load(everything, &snapshot, &line);
		if (!alloc_failed())
			break;
		assert_int_equal(err, -ENOMEM);
		assert_untouched(&snapshot, sizeof(snapshot));
	}
	json_set_alloc_funcs(malloc, free);
	assert_true(n > 40 + 10); /* includes jansson's allocations */
	text = save(&snapshot);
	assert_string_equal(text, everything);
	free(text);
	snapshot_free(&snapshot);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_loaded),
		cmocka_unit_test(test_columns_and_labels),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_round_trip_of_many_tables),
		cmocka_unit_test(test_saved_text),
		cmocka_unit_test(test_other_ways_to_write_it),
		cmocka_unit_test(test_malformed),
		work_test(test_an_empty_file),
		cmocka_unit_test(test_nul_bytes),
		cmocka_unit_test(test_a_file_cut_anywhere),
		cmocka_unit_test(test_reading_that_fails),
		cmocka_unit_test(test_writing_that_fails),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
