/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * What a view (views.h) shows, as numbers: an entry for each line. Entries that have a VM in
 * front are in a group for each, of which their shares are shares.
 */
#ifndef PMDAKVM_VIEWS_LINES_H
#define PMDAKVM_VIEWS_LINES_H

#include <stdbool.h>

#include "metrics/snapshot.h"

enum views_number {
	VIEWS_COUNT,
	VIEWS_TIME,
	VIEWS_MAX,
	VIEWS_GUEST,
	VIEWS_HALT,
	VIEWS_DELAY,
	VIEWS_READ, /* those before stand in a table, the others come of its histograms */
	VIEWS_P50 = VIEWS_READ,
	VIEWS_P99,
	VIEWS_NUMBERS,
};

/* Where a view's numbers are. */
struct views_source {
	const char *table;
	const char *numbers[VIEWS_READ]; /* its columns; NULL: there is none */
	const char *latency;		 /* the table of its histograms, or NULL */
	const char *totals;		 /* lines are VMs: the table of their totals */
	bool by_vm;			 /* names of rows begin with a VM */
};

struct views_value {
	bool present;
	bool more; /* that much or more */
	uint64_t number;
};

struct views_entry {
	const char *vm; /* what stands before "::" in a row's name */
	size_t vm_len;
	const char *name; /* neither is ended by a NUL */
	size_t name_len;
	struct views_value values[VIEWS_NUMBERS];
	size_t group;
	size_t order; /* as the table has it */
};

struct views_lines {
	struct views_entry *entries;
	size_t n;
	struct views_entry *groups; /* sums of COUNT and TIME; by the names of their VMs */
	size_t ngroups;
	bool some; /* even if all of it was left out */
};

/*
 * Read a view's lines, those with the most time first. awake: without exits for which a
 * vCPU sleeps, and their time. Returns 0 or -ENOMEM; the lines are to be freed either way.
 */
int views_lines_read(const struct views_source *source, const struct snapshot *snapshot, bool awake,
		     struct views_lines *lines);
void views_lines_free(struct views_lines *lines);

#endif /* PMDAKVM_VIEWS_LINES_H */
