/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Assign PMID item numbers to kvm tracepoints and KVM statistics. tracepoint_items.def and
 * stat_items.def fix the numbers of all names in known kernels. Any other name gets a number in
 * 768..1023, which a file on this host keeps across restarts, with lines "trace NUMBER NAME" and
 * "stat NUMBER NAME". Each group has its own number space.
 */
#ifndef PMDAKVM_ITEM_NUMBERS_H
#define PMDAKVM_ITEM_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/report.h"
#include "metrics/units.h"

#define ITEMS_FREE_FIRST 768
#define ITEMS_FREE_LAST	 1023
#define ITEMS_FREE	 (ITEMS_FREE_LAST - ITEMS_FREE_FIRST + 1)

enum item_group {
	ITEMS_TRACE, /* tracepoints, tracepoint_items.def; numbers start at 1 */
	ITEMS_STAT,  /* statistics, stat_items.def; numbers start at 0 */
	ITEMS_GROUPS,
};

struct item {
	unsigned number;
	const char *name;
	const char *help;	 /* one line */
	enum stat_kind kind;	 /* STAT_CUMULATIVE for a tracepoint */
	enum metric_units units; /* METRIC_COUNT for a tracepoint; a histogram's: of its buckets */
};

/* The rows of tracepoint_items.def or stat_items.def, in file order. */
struct item_list {
	const struct item *list;
	size_t n;
};

extern const struct item_list items_known[ITEMS_GROUPS];

/* Return the row of this name, or NULL. */
const struct item *items_find(enum item_group group, const char *name);

struct items {
	char *path;
	char *names[ITEMS_GROUPS][ITEMS_FREE]; /* [number - ITEMS_FREE_FIRST] */
	bool changed;			       /* numbers were assigned since the last save */
};

/*
 * Read this host's numbers from the file at path (NULL: no file). A missing file counts as empty.
 * An invalid line or an unreadable file adds a warning to the report; an unreadable file is never
 * written, so its numbers are not lost. Returns 0 or -ENOMEM.
 */
int items_load(const char *path, struct report *report, struct items *ret_items);

/*
 * Return the number of a name: fixed by the group's .def file, read from this host's file, or the
 * group's lowest free one, which is then kept. Tracepoint numbers are above 0, statistics' start at
 * 0. Returns -ENOSPC if no number is free, or -ENOMEM.
 */
int items_number(struct items *items, enum item_group group, const char *name);

/*
 * If numbers were assigned since the last save, replace the file atomically (PATH.new, fsync,
 * rename). Creates its directory if missing. Returns 0 or a negative errno.
 */
int items_save(struct items *items);

void items_free(struct items *items);

#endif /* PMDAKVM_ITEM_NUMBERS_H */
