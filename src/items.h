/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Item numbers: the part of a PMID that says which event of kvm.trace it is.
 * items.def fixes one for every name that a kernel is known to have. A name it
 * lacks gets one of 768..1023, remembered on that host in a file of lines
 * "trace NUMBER NAME", so that its number stays its own from start to start.
 */
#ifndef PMDAKVM_ITEMS_H
#define PMDAKVM_ITEMS_H

#include <stdbool.h>
#include <stddef.h>

#include "report.h"

#define ITEMS_FREE_FIRST 768
#define ITEMS_FREE_LAST	 1023

struct item {
	unsigned number;
	const char *name;
	const char *help; /* one line */
};

/* The rows of items.def. */
extern const struct item items_known[];
extern const size_t items_known_count;

/* The row of that name, or NULL. */
const struct item *items_find(const char *name);

struct items {
	char *path;
	char *names[ITEMS_FREE_LAST - ITEMS_FREE_FIRST + 1]; /* by number - first */
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
 * The number of an event: from items.def, or remembered, or the next free one,
 * which is then remembered. Returns it (above 0), -ENOSPC when all are taken, or
 * -ENOMEM.
 */
int items_number(struct items *items, const char *name);

/*
 * Write the file anew if a number was given since, by way of a new file beside
 * it and a rename, with its folder made if it is missing. Returns 0 or the error.
 */
int items_save(struct items *items);

void items_free(struct items *items);

#endif /* PMDAKVM_ITEMS_H */
