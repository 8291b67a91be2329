/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* A snapshot as people and programs read it. */
#ifndef PMDAKVM_OUTPUT_H
#define PMDAKVM_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

#include "metrics/snapshot.h"

/* Which values are to be printed. */
struct output_options {
	bool all;	    /* what is 0, and what is about the agent itself, too */
	const char **names; /* of metrics, as patterns for fnmatch(3); none: every metric */
	size_t nnames;
	const struct snapshot_table *const *without; /* tables, NULL at their end; or NULL */
};

/* Is it a metric of such a name? */
bool output_wants(const struct output_options *options, const char *name);

/*
 * Print a table of METRIC, INSTANCE, VALUE, UNITS. Unless all is set values of
 * 0 and what is about the agent itself are left out: *ret_hidden is how many.
 * Returns 0, -ENOMEM or what writing gave.
 */
int output_table(const struct snapshot *snapshot, const struct output_options *options, FILE *file,
		 size_t *ret_hidden);

/*
 * Print {"schema":1,"metrics":[{"name","semantics","units","values":[{"instance",
 * "labels","value"}]}]}: what is 0 and all about the agent, too. Values are integers:
 * metrics that are texts are left out, and so is a value that is absent. Returns as
 * output_table.
 */
int output_json(const struct snapshot *snapshot, const struct output_options *options, FILE *file);

#endif /* PMDAKVM_OUTPUT_H */
