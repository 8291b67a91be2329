/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* What the user of kvmbpf top has chosen, and how keys change that. Knows no screen. */
#ifndef PMDAKVM_TOP_VIEW_H
#define PMDAKVM_TOP_VIEW_H

#include "command/top_model.h"

/* Keys that are no character. */
enum top_key {
	TOP_KEY_NONE = 0,
	TOP_KEY_TAB = '\t',
	TOP_KEY_ENTER = '\n',
	TOP_KEY_ESCAPE = 27,
	TOP_KEY_BACKSPACE = 127,
	TOP_KEY_UP = 1000,
	TOP_KEY_DOWN,
	TOP_KEY_LEFT,
	TOP_KEY_RIGHT,
	TOP_KEY_PAGE_UP,
	TOP_KEY_PAGE_DOWN,
	TOP_KEY_HOME,
	TOP_KEY_END,
};

enum top_mode { TOP_WATCHING, TOP_HELPING, TOP_FILTERING, TOP_DELAYING };

#define TOP_NAME_SIZE 256
#define TOP_WORDS     64

/* The shortest and the longest interval, s. */
#define TOP_DELAY_MIN 0.1
#define TOP_DELAY_MAX 3600

struct top_view {
	char vm[TOP_NAME_SIZE];	    /* whose screen it is; "": the host's */
	char chosen[TOP_NAME_SIZE]; /* the VM under the cursor */
	enum top_section section;   /* of a VM's screen, the one that keys are for */
	size_t sorts[TOP_SECTIONS]; /* columns */
	size_t first[TOP_SECTIONS]; /* the first row that is shown */
	char filters[TOP_SECTIONS][TOP_WORDS];
	double delay; /* s */
	bool paused;
	bool exact; /* numbers with all their digits */
	bool based; /* rates are those since a moment that was chosen */
	enum top_mode mode;
	char typed[TOP_WORDS]; /* of what is asked for */
	const char *message;   /* for the last line; NULL: none */
	bool quit;
	bool rebase; /* the moment is now; the caller clears it */
};

void top_view_init(struct top_view *view);

/*
 * Take a key: a character or an enum top_key. rows: how many rows of VMs the screen shows. Returns
 * whether the other screen is to be shown, which is not read yet.
 */
bool top_view_key(struct top_view *view, const struct top_model *model, int key, size_t rows);

/*
 * Filter and sort a model's sections as the view says, once they are made. Returns 0 or -ENOMEM.
 */
int top_view_apply(const struct top_view *view, struct top_model *model);

/* The row of the VM under the cursor; it is the first one if that is gone. */
size_t top_view_row(const struct top_view *view, const struct grid *grid);

/* Sort by the column of this heading. Returns 0, or -EINVAL if the section has none. */
int top_view_sort(struct top_view *view, const struct top_model *model, enum top_section section,
		  const char *heading);

#endif /* PMDAKVM_TOP_VIEW_H */
