/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Reads the numbers of a view (see exit_report.h) from a snapshot: an entry for each line.
 * Entries of one VM form a group; shares are relative to the group's sums.
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
	VIEWS_READ, /* numbers before this are columns of a table, the rest are from histograms */
	VIEWS_P50 = VIEWS_READ,
	VIEWS_P99,
	VIEWS_NUMBERS,
};

/* Where the numbers of a view are in the snapshot. */
struct views_source {
	const char *table;
	const char *numbers[VIEWS_READ]; /* names of the table's columns, or NULL */
	const char *delays;		 /* the table with run_delay, or NULL */
	const char *latency;		 /* the table of the histograms, or NULL */
	const char *totals; /* if set: one line for each VM; the table of VMs' totals */
	bool by_vm;	    /* row names are VM or VM::NAME */
};

struct views_value {
	bool present;
	bool more; /* number is a lower bound */
	uint64_t number;
};

struct views_entry {
	const char *vm; /* the part of the row's name before "::"; not NUL-terminated */
	size_t vm_len;
	const char *name; /* the rest; not NUL-terminated */
	size_t name_len;
	struct views_value values[VIEWS_NUMBERS];
	size_t group; /* index in views_lines.groups */
	size_t order; /* index of the row in its table */
};

struct views_lines {
	struct views_entry *entries;
	size_t n;
	struct views_entry *groups; /* sums of COUNT and TIME, sorted by VM */
	size_t ngroups;
	bool some; /* the table has values above 0, even if awake left out all of them */
};

/*
 * Read the lines of a view, sorted by descending time. awake: leave out exits in which the vCPU
 * sleeps, and their time. Returns 0 or -ENOMEM; call views_lines_free() in either case. The
 * lines point into the snapshot.
 */
int views_lines_read(const struct views_source *source, const struct snapshot *snapshot, bool awake,
		     struct views_lines *lines);
void views_lines_free(struct views_lines *lines);

#endif /* PMDAKVM_VIEWS_LINES_H */
