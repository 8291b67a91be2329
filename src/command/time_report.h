/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Prints where vCPUs' time went: one table by VM, one by vCPU. */
#ifndef PMDAKVM_TIME_REPORT_H
#define PMDAKVM_TIME_REPORT_H

#include <stdio.h>

#include "command/sheet.h"
#include "metrics/snapshot.h"

/* The snapshot tables whose numbers the report shows. */
#define TIME_REPORT_TABLES 2
extern const char *const time_report_tables[TIME_REPORT_TABLES];

/* The columns of both tables. */
const struct sheet_column *time_report_columns(size_t *ret_n);

/*
 * Print what has any time, columns and order as chosen, as shares in percent that add up to 100
 * exactly, each table followed by an empty line. The interval since the last event is in the state
 * that it is in; where that is not known, "-". Returns 0, -ENOMEM or the error of writing.
 */
int time_report_print(const struct snapshot *snapshot, const struct sheet_choice *choice,
		      FILE *file);

#endif /* PMDAKVM_TIME_REPORT_H */
