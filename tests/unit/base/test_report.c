// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/support.h"

#include <stdlib.h>
#include <string.h>

static void test_levels_and_formats(void **state)
{
	struct report report = { 0 };

	(void)state;
	report_add(&report, REPORT_DEBUG, "plain");
	report_add(&report, REPORT_INFO, "%s is %d%%", "share", 7);
	report_add(&report, REPORT_WARNING, "%s", "100%s");
	assert_int_equal(report.n, 3);
	assert_int_equal(report.lines[0].level, REPORT_DEBUG);
	assert_string_equal(report.lines[0].text, "plain");
	assert_int_equal(report.lines[1].level, REPORT_INFO);
	assert_string_equal(report.lines[1].text, "share is 7%");
	assert_int_equal(report.lines[2].level, REPORT_WARNING);
	assert_string_equal(report.lines[2].text, "100%s");
	assert_int_equal(report.dropped, 0);
	report_clear(&report);
}

/* A line stays one line: control characters are replaced. */
static void test_control_characters(void **state)
{
	static const struct {
		const char *text, *line;
	} rows[] = {
		{ "", "" },	     { "\n", "" },
		{ "\n\n\n", "" },    { "a\n", "a" },
		{ "a\n\n", "a" },    { "a\nb\n", "a?b" },
		{ "\na", "?a" },     { "a \n", "a " },
		{ "a\r\n", "a?" },   { "\x01\x1b[0m\t\x1f", "??[0m??" },
		{ "\x7f~ ", "?~ " }, { "caf\xc3\xa9 \x80\xff", "caf\xc3\xa9 \x80\xff" },
	};
	struct report report = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		report_add(&report, REPORT_INFO, "%s", rows[i].text);
		assert_int_equal(report.n, i + 1);
		assert_string_equal(report.lines[i].text, rows[i].line);
	}
	report_clear(&report);
}

static void test_many_lines_keep_their_order(void **state)
{
	struct report report = { 0 };
	char text[16];

	(void)state;
	for (int i = 0; i < 1009; i++)
		report_add(&report, REPORT_INFO, "line %d", i);
	assert_int_equal(report.n, 1009);
	for (int i = 0; i < 1009; i++) {
		snprintf(text, sizeof(text), "line %d", i);
		assert_string_equal(report.lines[i].text, text);
	}
	report_clear(&report);
}

static void test_a_long_line_is_whole(void **state)
{
	struct report report = { 0 };
	char *text = malloc(10007 + 1);

	(void)state;
	memset(text, 'x', 10007);
	text[10007] = '\0';
	report_add(&report, REPORT_INFO, "%s", text);
	assert_string_equal(report.lines[0].text, text);
	free(text);
	report_clear(&report);
}

static void test_no_memory_is_counted(void **state)
{
	struct report report = { 0 };
	unsigned n;

	(void)state;
	report_add(&report, REPORT_INFO, "first");
	for (n = 0;; n++) {
		alloc_fail_at(n);
		report_add(&report, REPORT_INFO, "second");
		if (!alloc_failed())
			break;
		assert_int_equal(report.n, 1);
		assert_int_equal(report.dropped, n + 1);
	}
	assert_true(n >= 2); /* allocations of the text and of the list */
	assert_int_equal(report.n, 2);
	assert_string_equal(report.lines[0].text, "first");
	assert_string_equal(report.lines[1].text, "second");
	assert_int_equal(report.dropped, n);
	report_clear(&report);
}

static void test_clear_makes_it_new(void **state)
{
	struct report report = { 0 };

	(void)state;
	report_clear(&report);
	alloc_fail_at(0);
	report_add(&report, REPORT_INFO, "lost");
	assert_true(alloc_failed());
	report_add(&report, REPORT_INFO, "a");
	report_add(&report, REPORT_INFO, "b");
	report_clear(&report);
	assert_int_equal(report.n, 0);
	assert_int_equal(report.dropped, 0);
	assert_null(report.lines);
	report_add(&report, REPORT_INFO, "c");
	assert_int_equal(report.n, 1);
	assert_string_equal(report.lines[0].text, "c");
	report_clear(&report);
	report_clear(&report);
}

static void test_move(void **state)
{
	struct report report = { 0 }, from = { 0 };

	(void)state;
	report_move(&report, &from);
	assert_int_equal(report.n, 0);
	report_add(&report, REPORT_INFO, "a");
	report_add(&from, REPORT_WARNING, "b");
	report_add(&from, REPORT_DEBUG, "c");
	from.dropped = 3;
	report_move(&report, &from);
	assert_int_equal(from.n, 0);
	assert_null(from.lines);
	assert_int_equal(report.n, 3);
	assert_string_equal(report.lines[1].text, "b");
	assert_int_equal(report.lines[1].level, REPORT_WARNING);
	assert_string_equal(report.lines[2].text, "c");
	assert_int_equal(report.dropped, 3);
	report_add(&from, REPORT_INFO, "d");
	alloc_fail_at(0);
	report_move(&report, &from);
	assert_true(alloc_failed());
	assert_int_equal(report.n, 3);
	assert_int_equal(report.dropped, 4);
	assert_int_equal(from.n, 0);
	report_clear(&report);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels_and_formats),
		cmocka_unit_test(test_control_characters),
		cmocka_unit_test(test_many_lines_keep_their_order),
		cmocka_unit_test(test_a_long_line_is_whole),
		cmocka_unit_test(test_no_memory_is_counted),
		cmocka_unit_test(test_clear_makes_it_new),
		cmocka_unit_test(test_move),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
