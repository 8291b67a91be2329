// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* What a snapshot's text says of columns and of rows' labels. */
#include "support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "snapshot.h"

#define MAGIC "pmdakvm-snapshot\t1\n"
#define TABLE MAGIC "table\tt\n"
#define ROW   TABLE "column\ta\ncolumn\tb\nrow\t3\tr\t1\t2\n"

static int load(const char *text, struct snapshot *snapshot, unsigned *line)
{
	FILE *file = fmemopen((void *)text, strlen(text), "r");
	int err;

	assert_non_null(file);
	err = snapshot_load(file, snapshot, line);
	fclose(file);
	return err;
}

/* What is loaded from it and saved again. */
static void assert_saved(const char *text, const char *saved)
{
	struct snapshot snapshot = { 0 };
	unsigned line = 0;
	char *found = NULL;
	size_t size;
	FILE *file;

	assert_int_equal(load(text, &snapshot, &line), 0);
	file = open_memstream(&found, &size);
	assert_non_null(file);
	assert_int_equal(snapshot_save(&snapshot, file), 0);
	fclose(file);
	assert_string_equal(found, saved);
	free(found);
	snapshot_free(&snapshot);
}

static const char everything[] = TABLE "column\tplain\n"
				       "column\tcalls\tcounter\tcount\n"
				       "column\ttime\tcounter\tns\n"
				       "column\tsize\tinstant\tbyte\n"
				       "column\tpid\tdiscrete\t\n"
				       "row\t0\tvm-1\t1\t2\t3\t4\t5\n"
				       "labels\t{\"vm\":\"a b \xc3\xa9\",\"pid\":1}\n"
				       "row\t1\tvm-2\t-\t-\t-\t-\t-\n"
				       "row\t5\tvm-3\t1\t2\t3\t4\t5\n"
				       "labels\t{}\n"
				       "table\tno columns\n"
				       "row\t0\tr\n"
				       "labels\t \n";

static void test_round_trip(void **state)
{
	(void)state;
	assert_saved(everything, everything);
}

static void assert_column(const struct snapshot_table *table, size_t column, const char *name,
			  enum metric_semantics semantics, enum metric_units units)
{
	assert_string_equal(table->columns[column].name, name);
	assert_int_equal(table->columns[column].semantics, semantics);
	assert_int_equal(table->columns[column].units, units);
}

static void test_what_is_loaded(void **state)
{
	const struct snapshot_table *table;
	struct snapshot snapshot;
	unsigned line;

	(void)state;
	assert_int_equal(load(everything, &snapshot, &line), 0);
	table = snapshot.tables[0];
	assert_int_equal(table->ncolumns, 5);
	assert_column(table, 0, "plain", METRIC_BY_COLUMN, METRIC_NONE);
	assert_column(table, 1, "calls", METRIC_COUNTER, METRIC_COUNT);
	assert_column(table, 2, "time", METRIC_COUNTER, METRIC_NSEC);
	assert_column(table, 3, "size", METRIC_INSTANT, METRIC_BYTES);
	assert_column(table, 4, "pid", METRIC_DISCRETE, METRIC_NONE);
	assert_string_equal(table->rows[0].labels->json, "{\"vm\":\"a b \xc3\xa9\",\"pid\":1}");
	assert_int_equal(table->rows[0].labels->refs, 1);
	assert_null(table->rows[1].labels);
	assert_string_equal(table->rows[2].labels->json, "{}");
	assert_string_equal(snapshot.tables[1]->rows[0].labels->json, " ");
	snapshot_free(&snapshot);
}

/* Rows that share labels in memory have each its own line of them. */
static void test_shared_labels_are_saved(void **state)
{
	struct snapshot_labels *labels = snapshot_labels_new("{\"a\":1}");
	struct snapshot snapshot;
	char *text = NULL;
	unsigned line;
	size_t size;
	FILE *file;

	(void)state;
	assert_int_equal(load(TABLE "row\t0\ta\nrow\t1\tb\nrow\t2\tc\n", &snapshot, &line), 0);
	snapshot_row_label(&snapshot.tables[0]->rows[0], labels);
	snapshot_row_label(&snapshot.tables[0]->rows[2], labels);
	snapshot_labels_unref(labels);
	file = open_memstream(&text, &size);
	assert_non_null(file);
	assert_int_equal(snapshot_save(&snapshot, file), 0);
	fclose(file);
	assert_string_equal(text, TABLE "row\t0\ta\nlabels\t{\"a\":1}\nrow\t1\tb\n"
					"row\t2\tc\nlabels\t{\"a\":1}\n");
	free(text);
	snapshot_free(&snapshot);
}

/*
 * Labels are those of the row before, wherever that went; the last of two lines counts;
 * nothing after the tab is an empty text, which is kept.
 */
static void test_other_ways_to_write_it(void **state)
{
	(void)state;
	assert_saved(TABLE "row\t0\ta\nlabels\t{}\nlabels\t{\"b\":2}",
		     TABLE "row\t0\ta\nlabels\t{\"b\":2}\n");
	assert_saved(TABLE "row\t5\tb\nrow\t0\ta\nlabels\t{}\nrow\t3\tc\n",
		     TABLE "row\t0\ta\nlabels\t{}\nrow\t3\tc\nrow\t5\tb\n");
	assert_saved(TABLE "row\t0\ta\nlabels\t\n", TABLE "row\t0\ta\nlabels\t\n");
}

/* What is no snapshot, and the number of its bad line. */
static const struct {
	const char *text;
	unsigned line;
} malformed[] = {
	{ TABLE "column\ta\tcounter\n", 3 },
	{ TABLE "column\ta\tcounter\tcounts\n", 3 },
	{ TABLE "column\ta\tcounter\tcount\t\n", 3 },
	{ TABLE "column\ta\tcounter\tcount\tmore\n", 3 },
	{ TABLE "column\ta\tcounter\tcount \n", 3 },
	{ TABLE "column\ta\tCounter\tcount\n", 3 },
	{ TABLE "column\ta\t\tcount\n", 3 },
	{ TABLE "column\ta\t\t\n", 3 },
	{ TABLE "column\ta\t\n", 3 },
	{ TABLE "column\ta\tcount\tcounter\n", 3 },
	{ TABLE "column\ta\tby column\t\n", 3 },
	{ TABLE "column\ta\tby column\tcount\n", 3 },
	{ TABLE "column\ta\tcounter\tcount\r\n", 3 },
	{ TABLE "column\ta\ncolumn\ta\tcounter\tcount\n", 4 },
	{ ROW "column\tc\tcounter\tcount\n", 6 },
	{ MAGIC "column\ta\tcounter\tcount\n", 2 },
	{ MAGIC "labels\t{}\n", 2 },
	{ TABLE "labels\t{}\n", 3 },
	{ TABLE "column\ta\nlabels\t{}\n", 4 },
	{ ROW "labels\n", 6 },
	{ ROW "labels \t{}\n", 6 },
	{ ROW "Labels\t{}\n", 6 },
	{ ROW "label\t{}\n", 6 },
	{ ROW "labels\t{\t}\n", 6 },
	{ ROW "labels\t{}\t\n", 6 },
	{ ROW "labels\t{}\r\n", 6 },
	{ ROW "labels\t{\"\001\":1}\n", 6 },
	{ ROW "labels\t\x7f\n", 6 },
	{ ROW "labels\t{}\nlabels\t{\t}\n", 7 },
	{ ROW "labels\t{}\ntable\tu\nlabels\t{}\n", 8 },
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

/* Whichever allocation fails, labels are not lost in silence. */
static void test_no_memory(void **state)
{
	struct snapshot snapshot;
	unsigned line, n;
	int err;

	(void)state;
	for (n = 0;; n++) {
		untouched_fill(&snapshot, sizeof(snapshot));
		alloc_fail_at(n);
		err = load(everything, &snapshot, &line);
		if (!alloc_failed())
			break;
		assert_int_equal(err, -ENOMEM);
		assert_untouched(&snapshot, sizeof(snapshot));
	}
	assert_int_equal(err, 0);
	assert_true(n > 20);
	snapshot_free(&snapshot);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_what_is_loaded),
		cmocka_unit_test(test_shared_labels_are_saved),
		cmocka_unit_test(test_other_ways_to_write_it),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
