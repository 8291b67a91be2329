/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Prints the exits of a snapshot in the style of perf kvm stat: tables by reason, VM and vCPU,
 * with samples, shares and times.
 */
#ifndef PMDAKVM_EXIT_REPORT_H
#define PMDAKVM_EXIT_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "command/sheet.h"
#include "metrics/snapshot.h"

/* Room for the snapshot tables that the views are made from. */
#define EXIT_REPORT_TABLES 35

struct exit_report_options {
	bool awake;   /* leave out exits in which the vCPU sleeps, and their time */
	bool by_vcpu; /* also print exits by vCPU and reason */
	const struct sheet_choice *choice;
};

/* The names of all columns, which may repeat. */
const struct sheet_column *exit_report_columns(size_t *ret_n);

/*
 * Print every view that is not empty, and has a chosen column, each followed by an empty line.
 * ret_shown: the tables whose numbers the views show, NULL-terminated. Returns 0, -ENOMEM or the
 * error of writing.
 */
int exit_report_print(const struct snapshot *snapshot, const struct exit_report_options *options,
		      FILE *file, const struct snapshot_table *ret_shown[EXIT_REPORT_TABLES + 1]);

#endif /* PMDAKVM_EXIT_REPORT_H */
