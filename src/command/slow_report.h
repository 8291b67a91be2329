/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Prints the slow exits that a snapshot has, the newest first. */
#ifndef PMDAKVM_SLOW_REPORT_H
#define PMDAKVM_SLOW_REPORT_H

#include <stdint.h>
#include <stdio.h>

#include "command/sheet.h"
#include "metrics/snapshot.h"

/* The snapshot tables whose numbers the report shows. */
#define SLOW_REPORT_TABLES 1
extern const char *const slow_report_tables[SLOW_REPORT_TABLES];

/* The device that a cause usually is, or NULL. */
const char *slow_report_device(const char *cause);

/* Its columns. */
const struct sheet_column *slow_report_columns(size_t *ret_n);

enum slow_format { SLOW_TABLE, SLOW_TITLED, SLOW_JSON, SLOW_CSV };

/*
 * Print those that took so many ns or more; without any a table is nothing. One with a title is
 * followed by an empty line. Returns 0, -ENOMEM or the error of writing.
 */
int slow_report_print(const struct snapshot *snapshot, uint64_t least,
		      const struct sheet_choice *choice, enum slow_format format, FILE *file);

#endif /* PMDAKVM_SLOW_REPORT_H */
