/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Reads the numbers of a view (see exit_report.h) from a snapshot: an entry for each line.
 * Entries of one VM form a group; shares are relative to the group's sums.
 */
#ifndef PMDAKVM_EXIT_REPORT_LINES_H
#define PMDAKVM_EXIT_REPORT_LINES_H

#include <stdbool.h>

#include "metrics/snapshot.h"

enum exit_number {
	EXIT_NUMBER_COUNT,
	EXIT_NUMBER_TIME,
	EXIT_NUMBER_MAX,
	EXIT_NUMBER_GUEST,
	EXIT_NUMBER_HALT,
	EXIT_NUMBER_DELAY,
	EXIT_NUMBER_READ, /* numbers before this are columns of a table, the rest are from
			     histograms */
	EXIT_NUMBER_P50 = EXIT_NUMBER_READ,
	EXIT_NUMBER_P99,
	EXIT_NUMBERS,
};

/* Where the numbers of a view are in the snapshot. */
struct exit_lines_source {
	const char *table;
	const char *numbers[EXIT_NUMBER_READ]; /* names of the table's columns, or NULL */
	const char *delays;		       /* the table with run_delay, or NULL */
	const char *latency;		       /* the table of the histograms, or NULL */
	const char *totals; /* if set: one line for each VM; the table of VMs' totals */
	bool by_vm;	    /* row names are VM or VM::NAME */
};

struct exit_value {
	bool present;
	bool more; /* number is a lower bound */
	uint64_t number;
};

struct exit_line {
	const char *vm; /* the part of the row's name before "::"; not NUL-terminated */
	size_t vm_len;
	const char *name; /* the rest; not NUL-terminated */
	size_t name_len;
	struct exit_value values[EXIT_NUMBERS];
	size_t group; /* index in exit_lines.groups */
	size_t order; /* index of the row in its table */
};

struct exit_lines {
	struct exit_line *entries;
	size_t n;
	struct exit_line *groups; /* sums of COUNT and TIME, sorted by VM */
	size_t ngroups;
	bool some; /* the table has values above 0, even if awake left out all of them */
};

/*
 * Read the lines of a view, sorted by descending time. awake: leave out exits in which the vCPU
 * sleeps, and their time. Returns 0 or -ENOMEM; call exit_lines_free() in either case. The
 * lines point into the snapshot.
 */
int exit_lines_read(const struct exit_lines_source *source, const struct snapshot *snapshot,
		    bool awake, struct exit_lines *lines);
void exit_lines_free(struct exit_lines *lines);

#endif /* PMDAKVM_EXIT_REPORT_LINES_H */
