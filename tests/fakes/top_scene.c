// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/top_scene.h"

#include <stdlib.h>

#include "fakes/support.h"

#define DATA "tests/data/top-"

struct snapshot before, after;
struct rates rates;
struct top_model model;
struct top_view view;
struct top_page page;
struct top_about about = { .host = "Linux 6.1 AMD  2 CPUs", .clock = "03:08:41", .seconds = 2 };

static void load(const char *path, struct snapshot *snapshot)
{
	FILE *file = fopen(path, "r");
	unsigned line = 0;

	assert_non_null(file);
	assert_int_equal(snapshot_load(file, snapshot, &line), 0);
	fclose(file);
}

static char *data_at(const char *top, const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s%s", top, DATA, name);
	return path;
}

int top_scene_setup(void **state)
{
	const char *top = getenv("TOP");

	(void)state;
	load(data_at(top ? top : ".", "1.snapshot"), &before);
	load(data_at(top ? top : ".", "2.snapshot"), &after);
	rates = (struct rates){ .now = 3 };
	about.first = false;
	about.note = NULL;
	top_model_init(&model);
	top_view_init(&view);
	return rates_keep(&rates, &before, UINT64_MAX, 1);
}

int top_scene_teardown(void **state)
{
	(void)state;
	rates_free(&rates);
	top_model_free(&model);
	top_page_free(&page);
	snapshot_free(&before);
	snapshot_free(&after);
	return 0;
}

void top_scene_make(int width, int height)
{
	int err = *view.vm ? top_model_vm(&model, &after, &rates, view.vm) :
			     top_model_host(&model, &after, &rates);

	assert_int_equal(err, 0);
	assert_int_equal(top_view_apply(&view, &model), 0);
	assert_int_equal(top_page_make(&page, &view, &model, &about, width, height), 0);
}
