/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* The lines of a screen of kvmbpf top, of any size, for a terminal or a pipe. */
#ifndef PMDAKVM_TOP_PAGE_H
#define PMDAKVM_TOP_PAGE_H

#include "command/top_view.h"

/* What a page says besides its model. */
struct top_about {
	const char *host;  /* the kernel, KVM's kind, CPUs */
	const char *clock; /* the time of day */
	double seconds;	   /* that rates are of */
	bool first;	   /* nothing was counted yet */
	const char *note;  /* what else is to be said; NULL: nothing */
};

struct top_page {
	struct grid_line *lines;
	size_t n, room;
	size_t cursor; /* the line of the VM under the cursor; n: none */
	size_t rows;   /* of the VMs that are shown */
};

void top_page_free(struct top_page *page);

/*
 * Make the lines of a screen of so many columns and lines; height 0: as many lines as it takes,
 * and no line about keys. Scrolls the view so that the cursor is seen, and has the model make the
 * rest of the VMs that are. Returns 0 or -ENOMEM.
 */
int top_page_make(struct top_page *page, struct top_view *view, struct top_model *model,
		  const struct top_about *about, int width, int height);

#endif /* PMDAKVM_TOP_PAGE_H */
