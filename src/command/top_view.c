// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "command/top_view.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "command/arguments.h"

void top_view_init(struct top_view *view)
{
	*view = (struct top_view){
		.section = TOP_REASONS,
		.sorts = { [TOP_VMS] = 2,
			   [TOP_VCPUS] = 0,
			   [TOP_REASONS] = 1,
			   [TOP_CAUSES] = 4,
			   [TOP_SLOW] = 5 },
		.delay = 1,
	};
}

static bool is_host(const struct top_view *view)
{
	return !*view->vm;
}

static enum top_section section_of(const struct top_view *view)
{
	return is_host(view) ? TOP_VMS : view->section;
}

static const char *name_at(const struct grid *grid, size_t row)
{
	return grid->cells[row * grid->ncolumns].text;
}

size_t top_view_row(const struct top_view *view, const struct grid *grid)
{
	for (size_t row = 0; row < grid->nrows; row++) {
		if (strcmp(name_at(grid, row), view->chosen) == 0)
			return row;
	}
	return 0;
}

int top_view_sort(struct top_view *view, const struct top_model *model, enum top_section section,
		  const char *heading)
{
	const struct grid *grid = &model->grids[section];
	int column = grid_find(grid->columns, grid->ncolumns, heading);

	if (column < 0)
		return -EINVAL;
	view->sorts[section] = (size_t)column;
	return 0;
}

/* Make all of what VMs are sorted by; mostly it is there. */
static int rest_make(const struct top_view *view, struct top_model *model)
{
	int err = 0;

	for (size_t row = 0;
	     !err && view->sorts[TOP_VMS] >= TOP_VM_REST && row < model->grids[TOP_VMS].nrows;
	     row++)
		err = top_model_rest(model, row);
	return err;
}

int top_view_apply(const struct top_view *view, struct top_model *model)
{
	int last = is_host(view) ? TOP_VMS : TOP_SECTIONS - 1, err = 0;

	for (int i = is_host(view) ? TOP_VMS : TOP_VCPUS; !err && i <= last; i++) {
		grid_filter(&model->grids[i], top_texts(i), top_texts(i) ? view->filters[i] : "");
		if (i == TOP_VMS)
			err = rest_make(view, model);
		grid_sort(&model->grids[i], view->sorts[i]);
	}
	return err;
}

/* --- moving --- */

/* From a row, as a key says. */
static size_t moved(size_t row, size_t nrows, int key, size_t rows)
{
	size_t last = nrows ? nrows - 1 : 0, page = rows ? rows : 1;

	switch (key) {
	case TOP_KEY_UP:
		return row ? row - 1 : 0;
	case TOP_KEY_DOWN:
		return row < last ? row + 1 : last;
	case TOP_KEY_PAGE_UP:
		return row > page ? row - page : 0;
	case TOP_KEY_PAGE_DOWN:
		return row + page < last ? row + page : last;
	case TOP_KEY_HOME:
		return 0;
	default:
		return last;
	}
}

/* On the host's screen the cursor moves, and in a VM's section its rows do. */
static void move(struct top_view *view, const struct top_model *model, int key, size_t rows)
{
	enum top_section section = section_of(view);
	const struct grid *grid = &model->grids[section];
	size_t row;

	if (!grid->nrows)
		return;
	if (!is_host(view)) {
		view->first[section] = moved(view->first[section], grid->nrows, key, rows);
		return;
	}
	row = moved(top_view_row(view, grid), grid->nrows, key, rows);
	snprintf(view->chosen, sizeof(view->chosen), "%s", name_at(grid, row));
}

static bool enter(struct top_view *view, const struct top_model *model)
{
	const struct grid *grid = &model->grids[TOP_VMS];

	if (!is_host(view) || !grid->nrows)
		return false;
	snprintf(view->vm, sizeof(view->vm), "%s", name_at(grid, top_view_row(view, grid)));
	snprintf(view->chosen, sizeof(view->chosen), "%s", view->vm);
	for (int i = TOP_VCPUS; i < TOP_SECTIONS; i++)
		view->first[i] = 0;
	return true;
}

static bool leave(struct top_view *view)
{
	if (is_host(view))
		return false;
	view->vm[0] = '\0';
	return true;
}

static void section_next(struct top_view *view)
{
	if (!is_host(view))
		view->section = view->section + 1 < TOP_SECTIONS ? view->section + 1 : TOP_VCPUS;
}

static void sort_next(struct top_view *view, const struct top_model *model, bool back)
{
	size_t *sort = &view->sorts[section_of(view)];
	size_t n = model->grids[section_of(view)].ncolumns;

	*sort = (*sort + (back ? n - 1 : 1)) % n;
}

/* --- asking --- */

static void ask(struct top_view *view, enum top_mode mode)
{
	view->mode = mode;
	view->typed[0] = '\0';
}

static void answer(struct top_view *view)
{
	enum top_section section = section_of(view);
	double seconds;

	if (view->mode == TOP_FILTERING) {
		if (top_texts(section))
			strcpy(view->filters[section], view->typed);
		view->first[section] = 0;
	} else if (*view->typed) {
		if (arguments_seconds(view->typed, &seconds) || seconds < TOP_DELAY_MIN ||
		    seconds > TOP_DELAY_MAX)
			view->message = "the delay is to be a number of seconds from 0.1 to 3600";
		else
			view->delay = seconds;
	}
	view->mode = TOP_WATCHING;
}

/* Remove the last character, all bytes of it. */
static void erase(char *text)
{
	size_t n = strlen(text);

	while (n && ((unsigned char)text[n - 1] & 0xc0) == 0x80)
		n--;
	text[n ? n - 1 : 0] = '\0';
}

static void type(struct top_view *view, int key)
{
	size_t n = strlen(view->typed);

	if (key == TOP_KEY_ENTER) {
		answer(view);
	} else if (key == TOP_KEY_ESCAPE) {
		view->mode = TOP_WATCHING;
	} else if (key == TOP_KEY_BACKSPACE) {
		erase(view->typed);
	} else if (key >= ' ' && key < 256 && n + 1 < sizeof(view->typed)) {
		view->typed[n] = (char)key;
		view->typed[n + 1] = '\0';
	}
}

/* --- keys --- */

static void rebase(struct top_view *view)
{
	view->based = !view->based;
	view->rebase = true;
}

static void ask_filter(struct top_view *view)
{
	if (top_texts(section_of(view)))
		ask(view, TOP_FILTERING);
	else
		view->message = "vCPUs are not filtered: Tab goes to reasons and causes";
}

/* o, f, g, p and c are kvm_stat's. */
static bool command(struct top_view *view, const struct top_model *model, int key, size_t rows)
{
	switch (key) {
	case 'q':
	case 3: /* ^C */
		view->quit = true;
		break;
	case 'h':
	case '?':
		view->mode = TOP_HELPING;
		break;
	case 's':
	case 'o':
	case TOP_KEY_RIGHT:
		sort_next(view, model, false);
		break;
	case 'S':
	case TOP_KEY_LEFT:
		sort_next(view, model, true);
		break;
	case '/':
	case 'f':
	case 'g':
	case 'p':
		ask_filter(view);
		break;
	case 'c':
		view->filters[section_of(view)][0] = '\0';
		break;
	case 'd':
		ask(view, TOP_DELAYING);
		break;
	case ' ':
		view->paused = !view->paused;
		break;
	case 'r':
		rebase(view);
		break;
	case 'x':
		view->exact = !view->exact;
		break;
	case TOP_KEY_TAB:
		section_next(view);
		break;
	case TOP_KEY_ENTER:
		return enter(view, model);
	case TOP_KEY_ESCAPE:
	case TOP_KEY_BACKSPACE:
		return leave(view);
	default:
		if (key >= TOP_KEY_UP && key <= TOP_KEY_END)
			move(view, model, key, rows);
	}
	return false;
}

bool top_view_key(struct top_view *view, const struct top_model *model, int key, size_t rows)
{
	view->message = NULL;
	if (view->mode == TOP_HELPING) {
		view->mode = TOP_WATCHING;
		view->quit = key == 3;
		return false;
	}
	if (view->mode != TOP_WATCHING) {
		if (key == 3)
			view->quit = true;
		else
			type(view, key);
		return false;
	}
	return command(view, model, key, rows);
}
