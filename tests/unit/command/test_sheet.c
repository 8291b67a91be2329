// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/fake_smartcols.h"
#include "fakes/support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command/sheet_choice.h"
#include "command/sheet_print.h"

static const struct sheet_column columns[] = {
	{ .name = "Name" },
	{ .name = "Max Time", .right = true },
	{ .name = "Time%", .right = true },
	{ .name = "More", .extra = true },
};

/* number UINT64_MAX: absent. */
static const struct {
	const char *name, *shown;
	uint64_t number, share;
} rows[] = {
	{ "vm2", "7us", 7, 3 },
	{ "vm10", NULL, 9223372036854775808U, 1 },
	{ "a,\"b\"", NULL, UINT64_MAX, 2 },
	{ "vm1", "5us", 5, 2 },
};

static int cell(const struct sheet *sheet, size_t row, size_t column, struct sheet_cell *to)
{
	assert_ptr_equal(sheet->data, rows);
	switch (column) {
	case 0:
		return sheet_cell_text(to, rows[row].name);
	case 1:
		if (rows[row].number == UINT64_MAX)
			return 0;
		if (sheet_cell_text(to, rows[row].shown))
			return -ENOMEM;
		sheet_cell_number(to, rows[row].number);
		return 0;
	case 2:
		sheet_cell_number(to, rows[row].share);
		return 0;
	default:
		return sheet_cell_text(to, row ? "" : "line\nbreak");
	}
}

static const struct sheet sheet = {
	.columns = columns, .ncolumns = 4, .nrows = 4, .cell = cell, .data = rows
};

static int json(const struct sheet *of, const struct sheet_choice *choice, FILE *file)
{
	return sheet_print_json(of, choice, "rows", file);
}

typedef int print_fn(const struct sheet *of, const struct sheet_choice *choice, FILE *file);

static void assert_prints(print_fn *print, const struct sheet_choice *choice, const char *wanted)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	assert_non_null(file);
	assert_int_equal(print(&sheet, choice, file), 0);
	fclose(file);
	assert_string_equal(text, wanted);
	free(text);
}

/* All columns but extra ones, rows as they are. */
static void test_formats(void **state)
{
	static const struct sheet_choice all;
	static const struct sheet_choice more = { .columns = "more,name" };

	(void)state;
	assert_prints(sheet_print_table, &all,
		      "Name             Max Time Time%\n"
		      "vm2                   7us     3\n"
		      "vm10  9223372036854775808     1\n"
		      "a,\"b\"                   -     2\n"
		      "vm1                   5us     2\n");
	assert_prints(sheet_print_csv, &all,
		      "name,max_time,time%\nvm2,7,3\nvm10,9223372036854775808,1\n"
		      "\"a,\"\"b\"\"\",,2\nvm1,5,2\n");
	assert_prints(sheet_print_csv, &more,
		      "more,name\n\"line\nbreak\",vm2\n,vm10\n,\"a,\"\"b\"\"\"\n,vm1\n");
	assert_prints(json, &(struct sheet_choice){ .columns = "name,maxtime" },
		      "{\n \"schema\": 1,\n \"rows\": [\n"
		      "  {\n   \"name\": \"vm2\",\n   \"max_time\": 7\n  },\n"
		      "  {\n   \"name\": \"vm10\",\n   \"max_time\": 9223372036854775808\n  },\n"
		      "  {\n   \"name\": \"a,\\\"b\\\"\"\n  },\n"
		      "  {\n   \"name\": \"vm1\",\n   \"max_time\": 5\n  }\n ]\n}\n");
}

/* Names, the beginnings of names, and orders; what is absent comes last. */
static void test_choices(void **state)
{
	static const struct {
		const char *columns, *sort, *wanted;
	} cases[] = {
		{ "MAX-TIME", NULL, "max_time\n7\n9223372036854775808\n\n5\n" },
		{ "max_time,Max Time", "name:desc",
		  "max_time,max_time\n9223372036854775808,9223372036854775808\n7,7\n5,5\n,\n" },
		{ "name", "name", "name\n\"a,\"\"b\"\"\"\nvm1\nvm2\nvm10\n" },
		{ "name", "max", "name\nvm10\nvm2\nvm1\n\"a,\"\"b\"\"\"\n" },
		{ "name", "max:asc", "name\nvm1\nvm2\nvm10\n\"a,\"\"b\"\"\"\n" },
		{ "name", "time", "name\nvm2\n\"a,\"\"b\"\"\"\nvm1\nvm10\n" },
		{ "name,elsewhere", "elsewhere", "name\nvm2\nvm10\n\"a,\"\"b\"\"\"\nvm1\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct sheet_choice choice = { cases[i].columns, cases[i].sort };

		assert_true(sheet_is_chosen(&sheet, &choice));
		assert_prints(sheet_print_csv, &choice, cases[i].wanted);
	}
	assert_false(sheet_is_chosen(&sheet, &(struct sheet_choice){ .columns = "elsewhere" }));
}

/* A name is known if any of the sets has it. */
static void test_unknown_columns(void **state)
{
	static const struct sheet_column others[] = { { .name = "Elsewhere" } };
	static const struct sheet_columns sets[] = { { columns, 4 }, { others, 1 } };
	static const struct {
		const char *columns, *sort;
		int err;
	} cases[] = {
		{ NULL, NULL, 0 },
		{ "name,elsewhere,more", "elsewhere:asc", 0 },
		{ "name", "time%:desc", 0 },
		{ "nam", NULL, 0 },
		{ "names", NULL, -EINVAL },
		{ "name,", NULL, -EINVAL },
		{ ",name", NULL, -EINVAL },
		{ "", NULL, -EINVAL },
		{ "-", NULL, -EINVAL },
		{ NULL, "", -EINVAL },
		{ NULL, ":asc", -EINVAL },
		{ NULL, "name:", -EINVAL },
		{ NULL, "name:up", -EINVAL },
		{ NULL, "other", -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct sheet_choice choice = { cases[i].columns, cases[i].sort };

		assert_int_equal(sheet_choice_check(&choice, "test", sets, 2), cases[i].err);
	}
}

static void test_failures(void **state)
{
	static print_fn *const prints[] = { sheet_print_table, sheet_print_csv, json };
	static const struct sheet_choice choice = { .sort = "name" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(prints); i++) {
		FILE *file = open_failing_writer(20, ENOSPC);
		int err = 0;

		assert_int_equal(prints[i](&sheet, &choice, file), -ENOSPC);
		fclose(file);
		for (unsigned n = 0;; n++) {
			file = open_failing_writer(SIZE_MAX, EIO);
			alloc_fail_at(n);
			err = prints[i](&sheet, &choice, file);
			fclose(file);
			if (!alloc_failed())
				break;
			assert_int_equal(err, -ENOMEM);
		}
		assert_int_equal(err, 0);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formats),
		cmocka_unit_test(test_choices),
		cmocka_unit_test(test_unknown_columns),
		cmocka_unit_test(test_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
