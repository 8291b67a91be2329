// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Texts that are no snapshot. */
#include "fakes/support.h"

#include <errno.h>
#include <string.h>

#define MAGIC "pmdakvm-snapshot\t2\n"
#define SAVED "pmdakvm-snapshot\t3\n"
#define TABLE MAGIC "table\tt\ncolumn\ta\ncolumn\tb\n"
#define ROW   "row\t0\tr\t\t-\t1\t2\n"

/* Invalid snapshots and the number of the invalid line. */
static const struct {
	const char *text;
	unsigned line;
} malformed[] = {
	{ "\n", 1 },
	{ "pmdakvm-snapshot\t1\n", 1 },
	{ "pmdakvm-snapshot\t20\n", 1 },
	{ "pmdakvm-snapshot 2\n", 1 },
	{ "Pmdakvm-snapshot\t2\n", 1 },
	{ "pmdakvm-snapshot\t2\r\n", 1 },
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
	{ TABLE "row\t0\tr\t\t-\t1\t2\ncolumn\tc\n", 6 },
	{ TABLE "row\n", 5 },
	{ TABLE "row\t0\n", 5 },
	{ TABLE "row\t0\tr\n", 5 },
	{ TABLE "row\t0\tr\t\n", 5 },
	{ TABLE "row\t0\tr\t\t\n", 5 },
	{ TABLE "row\t0\tr\t\t-\n", 5 },
	{ TABLE "row\t0\tr\t\t-\t1\n", 5 },
	{ TABLE "row\t0\tr\t\t-\t1\t2\t3\n", 5 },
	{ TABLE "row\t0\tr\t\t-\t1\t2\t\n", 5 },
	{ TABLE "row\t\tr\t\t-\t1\t2\n", 5 },
	{ TABLE "row\t-1\tr\t\t-\t1\t2\n", 5 },
	{ TABLE "row\tx\tr\t\t-\t1\t2\n", 5 },
	{ TABLE "row\t0x1\tr\t\t-\t1\t2\n", 5 },
	{ TABLE "row\t 0\tr\t\t-\t1\t2\n", 5 },
	{ TABLE "row\t4294967296\tr\t\t-\t1\t2\n", 5 },
	{ TABLE "row\t0\tr\tk\x7f\t-\t1\t2\n", 5 },
	{ TABLE "row\t0\tr\t\t\t1\t2\n", 5 },
	{ TABLE "row\t0\tr\t\t--\t1\t2\n", 5 },
	{ TABLE "row\t0\tr\t\t0\t1\t2\n", 5 },
	{ TABLE "row\t0\tr\t\t0-\t1\t2\n", 5 },
	{ TABLE "row\t0\tr\t\t-0\t1\t2\n", 5 },
	{ TABLE "row\t0\tr\t\t1-0\t1\t2\n", 5 },
	{ TABLE "row\t0\tr\t\t0-1-2\t1\t2\n", 5 },
	{ TABLE "row\t0\tr\t\t0+\t1\t2\n", 5 },
	{ TABLE "row\t0\tr\t\t 0-1\t1\t2\n", 5 },
	{ TABLE "row\t0\tr\t\t0 -1\t1\t2\n", 5 },
	{ TABLE "row\t0\tr\t\t0-1 \t1\t2\n", 5 },
	{ TABLE "row\t0\tr\t\t0-18446744073709551616\t1\t2\n", 5 },
	{ TABLE "row\t0\tr\t\tx-1\t1\t2\n", 5 },
	{ TABLE "row\t0\tr\t\t0-x\t1\t2\n", 5 },
	{ TABLE "row\t0\tr\t\t0x0-1\t1\t2\n", 5 },
	{ TABLE "row\t0\tr\t\t'0-1\t1\t2\n", 5 },
	{ TABLE "row\t0\tr\t\t18446744073709551616-18446744073709551616\t1\t2\n", 5 },
	{ TABLE "row\t0\tr\x7f\t\t-\t1\t2\n", 5 },
	{ TABLE "row\t0\tr\t\t-\t\t2\n", 5 },
	{ TABLE "row\t0\tr\t\t-\t1\t+2\n", 5 },
	{ TABLE "row\t0\tr\t\t-\t1\t-2\n", 5 },
	{ TABLE "row\t0\tr\t\t-\t1\t--\n", 5 },
	{ TABLE "row\t0\tr\t\t-\t1\t2 \n", 5 },
	{ TABLE "row\t0\tr\t\t-\t1\t 2\n", 5 },
	{ TABLE "row\t0\tr\t\t-\t1\t2\r\n", 5 },
	{ TABLE "row\t0\tr\t\t-\t1\t1.5\n", 5 },
	{ TABLE "row\t0\tr\t\t-\t1\t1e3\n", 5 },
	{ TABLE "row\t0\tr\t\t-\t1\t/\n", 5 },
	{ TABLE "row\t0\tr\t\t-\t1\t:\n", 5 },
	{ TABLE "row\t0\tr\t\t-\t1\tfour\n", 5 },
	{ TABLE "row\t0\tr\t\t-\t1\t18446744073709551616\n", 5 },
	{ TABLE "row\t0\tr\t\t-\t'text\tno text\n", 5 },
	{ TABLE "row\t0\tr\t\t-\t1\t2\ntable\tu\nrow\t0\tr\t\t-\t1\n", 7 },
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
	{ TABLE ROW "labels\t{\"a\":\t1}\n", 6 },
	{ TABLE ROW "labels\t{\"a\":-1}\n", 6 },
	{ TABLE ROW "labels\t{\"a\":true}\n", 6 },
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
		assert_int_equal(snapshot_bytes_load(malformed[i].text, strlen(malformed[i].text),
						     &snapshot, &line),
				 -EINVAL);
		assert_untouched(&snapshot, sizeof(snapshot));
		assert_int_equal(line, malformed[i].line);
	}
}

/* A file of the version that is saved, cut off anywhere, is never taken for a whole one. */
static void test_a_file_cut_anywhere(void **state)
{
	static const char whole[] = SAVED "table\tt\xc3\xa9\ncolumn\ta\n"
					  "row\t0\tr\t\t-\t12\nlabels\t{\"a\":1}\n"
					  "table\tu\nend\t6\n";
	struct snapshot snapshot;
	unsigned line;

	(void)state;
	for (size_t size = strlen(SAVED); size < strlen(whole); size++)
		assert_int_equal(snapshot_bytes_load(whole, size, &snapshot, &line), -ENODATA);
	assert_int_equal(snapshot_bytes_load(whole, strlen(whole), &snapshot, &line), 0);
	snapshot_free(&snapshot);
}

/* The last line counts the lines before it, and nothing follows it. */
static void test_last_lines(void **state)
{
	static const struct {
		const char *text;
		int err;
	} cases[] = {
		{ SAVED "end\t1\n", 0 },
		{ SAVED "table\tt\nend\t2\n", 0 },
		{ SAVED, -ENODATA },
		{ SAVED "end\t1", -ENODATA },
		{ SAVED "table\tt\n", -ENODATA },
		{ SAVED "table\tt\nend\t1\n", -EINVAL },
		{ SAVED "table\tt\nend\t3\n", -EINVAL },
		{ SAVED "end\t\n", -EINVAL },
		{ SAVED "end\n", -EINVAL },
		{ SAVED "end\t1\nend\t2\n", -EINVAL },
		{ SAVED "end\t1\ntable\tt\n", -EINVAL },
		{ SAVED "end\t1\nx", -EINVAL },
		{ MAGIC "end\t1\n", -EINVAL },
		{ "pmdakvm-snapshot\t4\nend\t1\n", -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct snapshot snapshot;
		unsigned line;

		assert_int_equal(snapshot_bytes_load(cases[i].text, strlen(cases[i].text),
						     &snapshot, &line),
				 cases[i].err);
		if (!cases[i].err)
			snapshot_free(&snapshot);
	}
}

/* Lines that are not UTF-8, in all places that hold a text. */
static void test_not_utf8(void **state)
{
	static const struct {
		const char *text;
		unsigned line;
	} cases[] = {
		{ "\xff\xfe\n", 1 },
		{ MAGIC "table\tt\xff\n", 2 },
		{ MAGIC "table\tt\ncolumn\t\xc3\n", 3 },
		{ TABLE "row\t0\tr\xc3(\t\t-\t1\t2\n", 5 },
		{ TABLE "row\t0\tr\tk\xed\xa0\x80\t-\t1\t2\n", 5 },
		{ TABLE "row\t0\tr\t\t-\t1\t'\xe4\n", 5 },
		{ TABLE ROW "labels\t{\"a\":\"\xff\"}\n", 6 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct snapshot snapshot;
		unsigned line = 0;

		assert_int_equal(snapshot_bytes_load(cases[i].text, strlen(cases[i].text),
						     &snapshot, &line),
				 -EILSEQ);
		assert_int_equal(line, cases[i].line);
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
	static const char in_magic[] = "pmdakvm-snapshot\t2\0\ntable\tt\n";
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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_malformed),  cmocka_unit_test(test_a_file_cut_anywhere),
		cmocka_unit_test(test_last_lines), cmocka_unit_test(test_not_utf8),
		work_test(test_an_empty_file),	   cmocka_unit_test(test_nul_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
