/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Prints the metrics of a snapshot as a table, CSV or JSON. */
#ifndef PMDAKVM_METRIC_OUTPUT_H
#define PMDAKVM_METRIC_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

#include "command/sheet.h"
#include "metrics/snapshot.h"

struct metric_place;

/* Which values to print. */
struct output_options {
	bool all;	    /* include values of 0, and metrics about the agent itself */
	const char **names; /* fnmatch(3) patterns of metric names; none: every metric */
	size_t nnames;
	const struct snapshot_table *const
		*without;		   /* tables to leave out, NULL-terminated; or NULL */
	const struct sheet_choice *choice; /* of the table or CSV; NULL: none */
};

/* Returns whether names has a pattern that matches, or is empty. */
bool output_wants(const struct output_options *options, const char *name);

/* Returns whether a metric is to be printed: names has it, and without has not. */
bool output_wants_place(const struct output_options *options, const struct metric_place *place);

/* The columns of the table and of CSV: the value, what it is of, and its labels. */
const struct sheet_column *output_columns(size_t *ret_n);

/*
 * Print a table of METRIC, INSTANCE, VALUE, UNITS, or of the chosen columns. Without options->all,
 * values of 0 and metrics about the agent itself are left out; *ret_hidden is the number of these
 * values. Returns 0, -ENOMEM or the error of writing.
 */
int output_table(const struct snapshot *snapshot, const struct output_options *options, FILE *file,
		 size_t *ret_hidden);

/*
 * Print the columns of the table as CSV, below a line of their names. Includes values of 0 and
 * metrics about the agent, whatever options->all says. Returns as output_table() does.
 */
int output_csv(const struct snapshot *snapshot, const struct output_options *options, FILE *file);

/*
 * Print {"schema":1,"metrics":[{"name","semantics","units","values":[{"instance",
 * "labels","value"}]}]}. Includes values of 0 and metrics about the agent, whatever options->all
 * says. Values are integers; string metrics and absent values are left out. Returns as
 * output_table() does.
 */
int output_json(const struct snapshot *snapshot, const struct output_options *options, FILE *file);

#endif /* PMDAKVM_METRIC_OUTPUT_H */
