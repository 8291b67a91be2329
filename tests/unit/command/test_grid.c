// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Tables for a screen: order, filters, numbers for people, columns that fit. */
#include "fakes/support.h"

#include <locale.h>
#include <string.h>

#include "command/grid.h"

static const struct grid_column columns[] = {
	{ .heading = "VM", .width = 6, .grows = true },
	{ .heading = "X/s", .width = 5, .format = GRID_RATE },
	{ .heading = "RDY", .width = 3, .format = GRID_PERCENT, .warns = 5, .alarms = 10 },
	{ .heading = "TOP", .width = 4 },
};

static struct grid grid;

static int setup(void **state)
{
	(void)state;
	grid_init(&grid, columns, 4);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	grid_free(&grid);
	return 0;
}

/* A row; negative: not known. */
static void row_add(const char *name, double rate, double ready, const char *top)
{
	struct grid_cell *cells = grid_add(&grid);

	assert_non_null(cells);
	assert_int_equal(grid_text(&cells[0], name), 0);
	grid_number(&cells[1], rate >= 0, rate);
	grid_number(&cells[2], ready >= 0, ready);
	if (top)
		assert_int_equal(grid_text(&cells[3], top), 0);
}

static void three(void)
{
	row_add("web-10", 2, 4.4, "io");
	row_add("db-1", -1, 12, NULL);
	row_add("web-9", 768, 5, "hlt");
}

static void assert_names(const char *wanted)
{
	char names[256] = "";

	for (size_t i = 0; i < grid.nrows; i++)
		strcat(strcat(names, grid.cells[i * 4].text), " ");
	assert_string_equal(names, wanted);
}

/* The largest first, what is not known last; names as people count. */
static void test_sort(void **state)
{
	(void)state;
	three();
	grid_sort(&grid, 1);
	assert_names("web-9 web-10 db-1 ");
	grid_sort(&grid, 2);
	assert_names("db-1 web-9 web-10 ");
	grid_sort(&grid, 0);
	assert_names("db-1 web-9 web-10 ");
	grid_sort(&grid, 3);
	assert_names("web-9 web-10 db-1 ");
}

static void test_filter(void **state)
{
	(void)state;
	three();
	grid_filter(&grid, 1, NULL);
	grid_filter(&grid, 1, "");
	assert_int_equal(grid.nrows, 3);
	grid_filter(&grid, 1, "WEB");
	assert_names("web-10 web-9 ");
	grid_filter(&grid, 1, "*-9");
	assert_names("web-9 ");
	grid_filter(&grid, 1, "hlt"); /* of another column */
	assert_int_equal(grid.nrows, 0);
}

static void assert_row(size_t row, int width, bool exact, const char *wanted)
{
	struct grid_layout layout;
	struct grid_line line;

	grid_lay_out(&grid, width, &layout);
	grid_row(&grid, &layout, row, SIZE_MAX, exact, &line);
	assert_string_equal(line.text, wanted);
}

static void test_lines(void **state)
{
	struct grid_layout layout;
	struct grid_line line;

	(void)state;
	three();
	grid_lay_out(&grid, 21, &layout);
	grid_heading(&grid, &layout, 1, &line);
	assert_string_equal(line.text, "VM       X/s RDY TOP");
	assert_int_equal(line.nmarks, 1);
	assert_int_equal(line.marks[0].how, GRID_SORTED);
	assert_int_equal(line.marks[0].at, 9);
	assert_int_equal(line.marks[0].bytes, 3);
	assert_row(0, 21, false, "web-10   2.0   4 io");
	assert_row(1, 21, false, "db-1       -  12 -");
	/* a name has what is left, if it needs it */
	assert_row(0, 26, false, "web-10   2.0   4 io");
	assert_int_equal(grid_text(&grid.cells[0], "web-10-in-full"), 0);
	assert_row(0, 21, false, "web-1!   2.0   4 io");
	assert_row(0, 26, false, "web-10-in-!   2.0   4 io");
	assert_row(0, 99, false, "web-10-in-full   2.0   4 io");
	assert_row(2, 9, false, "web-9   !");
	assert_row(2, 0, false, "");
}

/* Those that warn and alarm, and the column by which rows are sorted. */
static void test_marks(void **state)
{
	static const struct {
		size_t row;
		enum grid_marked how;
	} wants[] = { { 0, GRID_SORTED }, { 1, GRID_ALARMS }, { 2, GRID_WARNS } };
	struct grid_layout layout;
	struct grid_line line;

	(void)state;
	three();
	grid_lay_out(&grid, 21, &layout);
	for (size_t i = 0; i < 3; i++) {
		grid_row(&grid, &layout, wants[i].row, 2, false, &line);
		assert_int_equal(line.nmarks, 1);
		assert_int_equal(line.marks[0].how, wants[i].how);
	}
}

/* Characters are counted as a terminal shows them, and none is cut in two. */
static void test_wide_names(void **state)
{
	(void)state;
	row_add("größe", 1, -1, NULL);
	row_add("größere", 1, -1, NULL);
	row_add("日本語日本語", 1, -1, NULL);
	row_add("bad\xff", 1, -1, NULL);
	assert_row(0, 21, false, "größe    1.0   - -");
	assert_row(1, 21, false, "größe!   1.0   - -");
	assert_row(2, 21, false, "日本!    1.0   - -");
	assert_row(3, 21, false, "bad\xff     1.0   - -");
}

static void test_numbers(void **state)
{
	static const struct {
		enum grid_format format;
		double number;
		const char *text, *exact;
	} wants[] = {
		{ GRID_RATE, 0, "0.0", "0.0" },		  { GRID_RATE, 9.94, "9.9", "9.9" },
		{ GRID_RATE, 9.96, "10", "10" },	  { GRID_RATE, 999.4, "999", "999" },
		{ GRID_RATE, 999.6, "1.00k", "1000" },	  { GRID_RATE, 56312, "56.3k", "56312" },
		{ GRID_RATE, 563120, "563k", "563120" },  { GRID_RATE, 999600, "1.00M", "999600" },
		{ GRID_RATE, 1.7e6, "1.70M", "1700000" }, { GRID_COUNT, 20720.4, "20720", "20720" },
		{ GRID_COUNT, 123456, "123k", "123456" }, { GRID_PERCENT, 99.6, "100", "100" },
		{ GRID_MICRO, 6.66, "6.7", "6.7" },	  { GRID_MICRO, 10156.7, "10157", "10157" },
		{ GRID_MILLI, 6.584, "6.58", "6.58" },	  { GRID_MILLI, 800.4, "800", "800" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wants) / sizeof(wants[0]); i++) {
		char text[GRID_NUMBER];

		grid_number_text(wants[i].format, wants[i].number, false, text);
		assert_string_equal(text, wants[i].text);
		grid_number_text(wants[i].format, wants[i].number, true, text);
		assert_string_equal(text, wants[i].exact);
	}
}

static void test_find(void **state)
{
	(void)state;
	assert_int_equal(grid_find(columns, 4, "rdy"), 2);
	assert_int_equal(grid_find(columns, 4, "R"), -1);
}

#define grid_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		grid_test(test_sort),	    grid_test(test_filter),  grid_test(test_lines),
		grid_test(test_marks),	    grid_test(test_numbers), grid_test(test_find),
		grid_test(test_wide_names),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
