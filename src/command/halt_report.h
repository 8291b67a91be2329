/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * The tables of halts, for people: how halts ended, how long woken vCPUs waited for a CPU, how late
 * timers were, and what another halt_poll_ns would do.
 */
#ifndef PMDAKVM_HALT_REPORT_H
#define PMDAKVM_HALT_REPORT_H

#include <stdio.h>

#include "command/sheet.h"
#include "metrics/snapshot.h"

/* The snapshot tables whose numbers the report shows. */
#define HALT_REPORT_TABLES 3
extern const char *const halt_report_tables[HALT_REPORT_TABLES];

/* How many sheets there are, and the columns of each. */
#define HALT_REPORT_SHEETS 3
const struct sheet_column *halt_report_columns(size_t number, size_t *ret_n);

/*
 * Print what has any halt, columns and order as chosen, each table followed by an empty line.
 * Returns 0, -ENOMEM or the error of writing.
 */
int halt_report_print(const struct snapshot *snapshot, const struct sheet_choice *choice,
		      FILE *file);

#endif /* PMDAKVM_HALT_REPORT_H */
