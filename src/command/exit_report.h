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

#include "metrics/snapshot.h"

/* Room for the snapshot tables that the views are made from. */
#define EXIT_REPORT_TABLES 30

/*
 * Print every view that is not empty, each followed by an empty line. awake: leave out exits in
 * which the vCPU sleeps, and their time. ret_shown: the tables whose numbers the views show,
 * NULL-terminated. Returns 0, -ENOMEM or the error of writing.
 */
int exit_report_print(const struct snapshot *snapshot, bool awake, FILE *file,
		      const struct snapshot_table *ret_shown[EXIT_REPORT_TABLES + 1]);

#endif /* PMDAKVM_EXIT_REPORT_H */
