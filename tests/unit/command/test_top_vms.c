// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* What kvmbpf top makes of VMs that are on the screen, and of those that are not. */
#define _GNU_SOURCE
#include "fakes/support.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/top_page.h"

static struct snapshot before, after;
static struct rates rates;
static struct top_model model;
static struct top_view view;
static struct top_page page;
static const struct top_about about = { .host = "host", .clock = "03:08:41", .seconds = 2 };

static void load(const char *name, struct snapshot *snapshot)
{
	const char *top = getenv("TOP");
	unsigned line = 0;
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/tests/data/%s", top ? top : ".", name);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_int_equal(snapshot_load(file, snapshot, &line), 0);
	fclose(file);
}

static int setup(void **state)
{
	(void)state;
	load("top-1.snapshot", &before);
	load("top-2.snapshot", &after);
	rates = (struct rates){ .now = 3 };
	top_model_init(&model);
	top_view_init(&view);
	return rates_keep(&rates, &before, UINT64_MAX, 1);
}

static int teardown(void **state)
{
	(void)state;
	rates_free(&rates);
	top_model_free(&model);
	top_page_free(&page);
	snapshot_free(&before);
	snapshot_free(&after);
	return 0;
}

static void make(int width, int height)
{
	assert_int_equal(top_model_host(&model, &after, &rates), 0);
	assert_int_equal(top_view_apply(&view, &model), 0);
	assert_int_equal(top_page_make(&page, &view, &model, &about, width, height), 0);
}

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
	make(80, 7);
	assert_string_equal(reason_at(0), "io");
	for (size_t row = 1; row < 4; row++)
		assert_null(reason_at(row));
	key(TOP_KEY_END);
	make(80, 7);
	assert_null(reason_at(0));
	assert_non_null(strstr(page.lines[5].text, "größe-7"));
	key(TOP_KEY_HOME);
	make(80, 8);
	assert_string_equal(reason_at(1), "hlt");
	assert_null(reason_at(2));
	assert_int_equal(top_view_sort(&view, &model, TOP_VMS, "TOP REASON"), 0);
	make(80, 7);
	assert_string_equal(reason_at(0), "hlt");
	assert_string_equal(reason_at(1), "io");
	assert_string_equal(reason_at(2), "npf");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_rest, setup, teardown),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
