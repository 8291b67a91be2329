// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/support.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* The version before the one that is saved: without a last line. */
#define MAGIC "pmdakvm-snapshot\t2\n"
#define SAVED "pmdakvm-snapshot\t3\n"

/* Every kind of cell, name and table. */
static const char everything[] = MAGIC "table\tcounts\n"
				       "column\tkvm_exit\n"
				       "column\ta column \xc3\xa9\n"
				       "column\tlast\n"
				       "row\t7\tcpu7\t\t-\t-\t-\t-\n"
				       "row\t0\tcpu0\t\t-\t0\t18446744073709551615\t-\n"
				       "row\t4294967295\t\t\t-\t1\t'\t'-\n"
				       "table\tno rows\n"
				       "column\tonly\n"
				       "table\tno columns\n"
				       "row\t3\t\ta name\t-\n"
				       "row\t5\t\t\t-\n"
				       "table\tneither\n"
				       "table\ttexts\n"
				       "column\ttext\n"
				       "row\t0\t\t'quoted\t-\t'it's 12 \xc3\xa9 ~\n"
				       "row\t1\t-\t-\t-\t'17\n"
				       "table\tranges\n"
				       "row\t1073741825\tvm-1\thlt\t4-7\n"
				       "row\t1073741824\tvm-1::vcpu0\t\t0-0\n"
				       "row\t1073741824\t\thlt\t8-18446744073709551615\n"
				       "row\t9\t\t\t0-18446744073709551615\n"
				       "table\tmeanings\n"
				       "column\tc\tcounter\tcount\n"
				       "column\td\tdiscrete\t\n"
				       "column\ti\tinstant\tbyte\n"
				       "column\tn\tcounter\tns\n"
				       "column\tnobody has said\n"
				       "row\t1\tone\t\t-\t1\t2\t-\t-\t-\n"
				       "labels\t{\"vm\":\"one \xc3\xa9\x7f\",\"n\":7}\n"
				       "row\t2\ttwo\t\t-\t-\t-\t-\t-\t-\n"
				       "row\t3\tthree\t\t-\t-\t-\t-\t-\t-\n"
				       "labels\t{}\n";

static int load(const char *text, struct snapshot *snapshot, unsigned *line)
{
	return snapshot_bytes_load(text, strlen(text), snapshot, line);
}

static void row_add(struct snapshot_table *table, uint32_t number, const struct snapshot_name *name)
{
	struct snapshot_row row;

	assert_int_equal(snapshot_row_init(&row, name), 0);
	row.number = number;
	assert_int_equal(snapshot_table_add_row(table, &row), 0);
}

/* What is saved, in the form of the earlier version: it has other first and last lines only. */
static char *save(const struct snapshot *snapshot)
{
	char *text = NULL, last[32];
	size_t size, lines = 0, end;
	FILE *file = open_memstream(&text, &size);

	assert_non_null(file);
	assert_int_equal(snapshot_save(snapshot, file), 0);
	fclose(file);
	assert_memory_equal(text, SAVED, strlen(SAVED));
	for (end = size - 1; end && text[end - 1] != '\n'; end--)
		;
	for (size_t i = 0; i < end; i++)
		lines += text[i] == '\n';
	snprintf(last, sizeof(last), "end\t%zu\n", lines);
	assert_string_equal(text + end, last);
	text[end] = '\0';
	memcpy(text, MAGIC, strlen(MAGIC));
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
	assert_int_equal(snapshot.ntables, 7);
	table = snapshot_find_table(&snapshot, "counts");
	assert_ptr_equal(table, snapshot.tables[0]);
	assert_int_equal(table->ncolumns, 3);
	assert_string_equal(table->columns[1].name, "a column \xc3\xa9");
	assert_int_equal(table->nrows, 3);
	assert_int_equal(table->rows[0].number, 7);
	assert_string_equal(table->rows[0].name, "cpu7");
	assert_int_equal(table->rows[2].number, UINT32_MAX);
	assert_string_equal(table->rows[2].name, "");
	assert_number(snapshot_table_cell(table, 1, 0), 0);
	assert_number(snapshot_table_cell(table, 1, 1), UINT64_MAX);
	assert_false(snapshot_table_cell(table, 1, 2)->present);
	assert_false(snapshot_table_cell(table, 0, 0)->present);
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

static void assert_row(const struct snapshot_row *row, const char *name, uint32_t owner_bytes,
		       uint32_t key_bytes)
{
	assert_string_equal(row->name, name);
	assert_int_equal(row->owner_bytes, owner_bytes);
	assert_int_equal(row->key_bytes, key_bytes);
}

static void test_names_and_ranges(void **state)
{
	const struct snapshot_table *table;
	struct snapshot snapshot;
	unsigned line;

	(void)state;
	assert_int_equal(load(everything, &snapshot, &line), 0);
	table = snapshot_find_table(&snapshot, "ranges");
	assert_int_equal(table->nrows, 4);
	assert_row(&table->rows[0], "vm-1::hlt::4-7", 4, 3);
	assert_row(&table->rows[1], "vm-1::vcpu0::0", 11, 0);
	assert_row(&table->rows[2], "hlt::8+", 0, 3);
	assert_row(&table->rows[3], "0+", 0, 0);
	assert_int_equal(table->rows[0].number, 1073741825);
	assert_true(table->rows[0].has_range);
	assert_int_equal(table->rows[0].range.first, 4);
	assert_int_equal(table->rows[0].range.last, 7);
	assert_int_equal(table->rows[2].range.last, UINT64_MAX);
	assert_false(table->rows[0].by_name);
	table = snapshot_find_table(&snapshot, "texts");
	assert_row(&table->rows[0], "'quoted", 0, 7);
	assert_row(&table->rows[1], "-::-", 1, 1);
	assert_false(table->rows[1].has_range);
	snapshot_free(&snapshot);
}

static void assert_column(const struct snapshot_column *column, enum metric_semantics semantics,
			  enum metric_units units)
{
	assert_int_equal(column->semantics, semantics);
	assert_int_equal(column->units, units);
}

static void assert_labels(const struct labels *labels, const char *json)
{
	char *found = labels_json(&labels, 1);

	assert_non_null(labels);
	assert_string_equal(found, json);
	free(found);
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
	assert_labels(table->rows[0].labels, "{\"vm\":\"one \xc3\xa9\x7f\",\"n\":7}");
	assert_int_equal(table->rows[0].labels->refs, 1);
	assert_null(table->rows[0].own);
	assert_null(table->rows[1].labels);
	assert_labels(table->rows[2].labels, "{}");
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
			struct snapshot_range range = { row, row % 5 ? row + i : UINT64_MAX };

			row_add(table, 53 * 53 - row * row,
				&(struct snapshot_name){ row % 2 ? "o" : NULL, row % 3 ? "k" : NULL,
							 row % 4 ? &range : NULL });
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
	static const struct snapshot_range range = { 2, UINT64_MAX };
	struct snapshot snapshot = { 0 };
	struct snapshot_table *table;
	char *text;

	(void)state;
	assert_int_equal(snapshot_add_table(&snapshot, "t", &table), 0);
	assert_int_equal(snapshot_table_add_column(table, "a"), 0);
	assert_int_equal(snapshot_table_add_column(table, "b"), 0);
	row_add(table, UINT32_MAX, &(struct snapshot_name){ "vm-1", "first", &range });
	row_add(table, 2, &(struct snapshot_name){ 0 });
	snapshot_cell_set(snapshot_table_cell(table, 0, 1), UINT64_MAX);
	assert_int_equal(snapshot_cell_set_text(snapshot_table_cell(table, 1, 0), "a\tb\n"), 0);
	text = save(&snapshot);
	assert_string_equal(text, MAGIC "table\tt\ncolumn\ta\ncolumn\tb\n"
					"row\t4294967295\tvm-1\tfirst\t2-18446744073709551615\t-\t"
					"18446744073709551615\n"
					"row\t2\t\t\t-\t'a?b?\t-\n");
	free(text);
	snapshot_free(&snapshot);
}

/* An owner's labels and the row's own are one object, in this order. */
static void test_saved_labels(void **state)
{
	const struct label owner[] = { { "vm", "one\n", 0 }, { "pid", NULL, 7 } };
	const struct label own[] = { { "bucket", "2-3", 0 } };
	struct snapshot snapshot = { 0 };
	struct snapshot_table *table;
	char *text;

	(void)state;
	assert_int_equal(snapshot_add_table(&snapshot, "t", &table), 0);
	for (uint32_t i = 0; i < 4; i++)
		row_add(table, i, &(struct snapshot_name){ .key = "r" });
	table->rows[0].labels = labels_new(owner, 2);
	table->rows[0].own = labels_new(own, 1);
	table->rows[1].labels = labels_ref(table->rows[0].labels);
	table->rows[2].own = labels_ref(table->rows[0].own);
	text = save(&snapshot);
	assert_string_equal(text, MAGIC "table\tt\n"
					"row\t0\t\tr\t-\n"
					"labels\t{\"vm\":\"one\\n\",\"pid\":7,\"bucket\":\"2-3\"}\n"
					"row\t1\t\tr\t-\n"
					"labels\t{\"vm\":\"one\\n\",\"pid\":7}\n"
					"row\t2\t\tr\t-\n"
					"labels\t{\"bucket\":\"2-3\"}\n"
					"row\t3\t\tr\t-\n");
	free(text);
	snapshot_free(&snapshot);
}

/* Rows keep their order, whatever their numbers; the last line can lack its newline. */
static void test_other_ways_to_write_it(void **state)
{
	struct snapshot snapshot;
	unsigned line;
	char *text;

	(void)state;
	assert_int_equal(load(MAGIC "table\tt\ncolumn\tc\nrow\t5\tb\t\t-\t007\n"
				    "row\t00\ta\t\t00-01\t'x",
			      &snapshot, &line),
			 0);
	text = save(&snapshot);
	assert_string_equal(text, MAGIC "table\tt\ncolumn\tc\nrow\t5\tb\t\t-\t7\n"
					"row\t0\ta\t\t0-1\t'x\n");
	free(text);
	snapshot_free(&snapshot);
	assert_int_equal(load(MAGIC "table\tt\nrow\t5\tb\t\t-\nrow\t5\tb\t\t-\nlabels\t{ }",
			      &snapshot, &line),
			 0);
	text = save(&snapshot);
	assert_string_equal(text, MAGIC "table\tt\nrow\t5\tb\t\t-\nrow\t5\tb\t\t-\n"
					"labels\t{}\n");
	free(text);
	snapshot_free(&snapshot);
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
			/* the cut may be within a character */
			assert_int_equal(err,
					 (everything[size] & 0xc0) == 0x80 ? -EILSEQ : -EINVAL);
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
	assert_int_equal(lines, 35);
	assert_true(loaded >= 2 * 34); /* with and without the newline */
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
		cmocka_unit_test(test_names_and_ranges),
		cmocka_unit_test(test_columns_and_labels),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_round_trip_of_many_tables),
		cmocka_unit_test(test_saved_text),
		cmocka_unit_test(test_saved_labels),
		cmocka_unit_test(test_other_ways_to_write_it),
		cmocka_unit_test(test_a_file_cut_anywhere),
		cmocka_unit_test(test_reading_that_fails),
		cmocka_unit_test(test_writing_that_fails),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
