/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Item numbers: the part of a PMID that says which event of kvm.trace, or which
 * statistic of KVM it is. items.def and stats.def fix one for every name that a
 * kernel is known to have. A name they lack gets one of 768..1023, remembered on
 * that host in a file of lines "trace NUMBER NAME" and "stat NUMBER NAME", so that
 * its number stays its own from start to start. Each group has numbers of its own.
 */
#ifndef PMDAKVM_ITEMS_H
#define PMDAKVM_ITEMS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/report.h"
#include "metrics/units.h"

#define ITEMS_FREE_FIRST 768
#define ITEMS_FREE_LAST	 1023
#define ITEMS_FREE	 (ITEMS_FREE_LAST - ITEMS_FREE_FIRST + 1)

enum item_group {
	ITEMS_TRACE, /* events, by items.def; numbers from 1 */
	ITEMS_STAT,  /* statistics, by stats.def; numbers from 0 */
	ITEMS_GROUPS,
};

struct item {
	unsigned number;
	const char *name;
	const char *help;	 /* one line */
	enum stat_kind kind;	 /* of an event: STAT_CUMULATIVE */
	enum metric_units units; /* of an event: METRIC_COUNT; of a histogram: of what it sorts */
};

/* The rows of items.def and of stats.def, in their order. */
struct item_list {
	const struct item *list;
	size_t n;
};

extern const struct item_list items_known[ITEMS_GROUPS];

/* The row of that name, or NULL. */
const struct item *items_find(enum item_group group, const char *name);

struct items {
	char *path;
	char *names[ITEMS_GROUPS][ITEMS_FREE]; /* by number - first */
	bool changed;
};

/*
 * Read what this host remembers from the file at path (NULL: remember nothing).
 * A file that is not there is an empty one. A line that makes no sense, or a file
 * that cannot be read, adds a warning to the report; the latter is never written,
 * so that what it remembers is not lost. Returns 0 or -ENOMEM.
 */
int items_load(const char *path, struct report *report, struct items *ret_items);

/*
 * The number of a name in its group: from items.def or stats.def, or remembered, or
 * the group's next free one, which is then remembered. Returns it (0 or more, an
 * event's is above 0), -ENOSPC when all are taken, or -ENOMEM.
 */
int items_number(struct items *items, enum item_group group, const char *name);

/*
 * Write the file anew if a number was given since, by way of a new file beside
 * it and a rename, with its folder made if it is missing. Returns 0 or the error.
 */
int items_save(struct items *items);

void items_free(struct items *items);

#endif /* PMDAKVM_ITEMS_H */
