// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* What kvmbpf top makes of VMs that are on the screen, and of those that are not. */
#define _GNU_SOURCE
#include "fakes/support.h"
#include "fakes/top_scene.h"

#include <locale.h>
#include <string.h>

static void key(int pressed)
{
	top_view_key(&view, &model, pressed, page.rows);
}

/* The first reason of the VM in a row of the section, if it was made. */
static const char *reason_at(size_t row)
{
	const struct grid *grid = &model.grids[TOP_VMS];
	int column = grid_find(grid->columns, grid->ncolumns, "TOP REASON");

	return grid->cells[row * grid->ncolumns + (size_t)column].text;
}

/* Shares, reasons and causes are made of VMs that are seen, or sorted by them. */
static void test_rest(void **state)
{
	(void)state;
	top_scene_make(80, 7);
	assert_string_equal(reason_at(0), "io");
	for (size_t row = 1; row < 4; row++)
		assert_null(reason_at(row));
	key(TOP_KEY_END);
	top_scene_make(80, 7);
	assert_null(reason_at(0));
	assert_non_null(strstr(page.lines[5].text, "größe-7"));
	key(TOP_KEY_HOME);
	top_scene_make(80, 8);
	assert_string_equal(reason_at(1), "hlt");
	assert_null(reason_at(2));
	assert_int_equal(top_view_sort(&view, &model, TOP_VMS, "TOP REASON"), 0);
	top_scene_make(80, 7);
	assert_string_equal(reason_at(0), "hlt");
	assert_string_equal(reason_at(1), "io");
	assert_string_equal(reason_at(2), "npf");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_rest, top_scene_setup, top_scene_teardown),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
