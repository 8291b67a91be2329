/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Prints a snapshot's causes of exits: one table of all VMs, one by VM. */
#ifndef PMDAKVM_CAUSE_REPORT_H
#define PMDAKVM_CAUSE_REPORT_H

#include <stdio.h>

#include "command/sheet.h"
#include "metrics/snapshot.h"

/* The snapshot tables whose numbers the report shows. */
#define CAUSE_REPORT_TABLES 2
extern const char *const cause_report_tables[CAUSE_REPORT_TABLES];

/* The columns of both tables. */
const struct sheet_column *cause_report_columns(size_t *ret_n);

/*
 * Print what has any number, those that took most time first, each table that has a chosen column
 * followed by an empty line. Returns 0, -ENOMEM or the error of writing.
 */
int cause_report_print(const struct snapshot *snapshot, const struct sheet_choice *choice,
		       FILE *file);

#endif /* PMDAKVM_CAUSE_REPORT_H */
