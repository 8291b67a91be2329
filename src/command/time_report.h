/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Prints where vCPUs' time went: one table by VM, one by vCPU. */
#ifndef PMDAKVM_TIME_REPORT_H
#define PMDAKVM_TIME_REPORT_H

#include <stdio.h>

#include "metrics/snapshot.h"

/* The snapshot tables whose numbers the report shows. */
#define TIME_REPORT_TABLES 2
extern const char *const time_report_tables[TIME_REPORT_TABLES];

/*
 * Print what has any time, as shares in percent that add up to 100 exactly, each table followed by
 * an empty line. The interval since the last event is in the state that it is in; where that is not
 * known, "-". Returns 0, -ENOMEM or the error of writing.
 */
int time_report_print(const struct snapshot *snapshot, FILE *file);

#endif /* PMDAKVM_TIME_REPORT_H */
