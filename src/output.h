/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* A snapshot as people and programs read it. */
#ifndef PMDAKVM_OUTPUT_H
#define PMDAKVM_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

#include "snapshot.h"

/*
 * Print a table of METRIC, INSTANCE, VALUE, UNITS. Unless all is set values of
 * 0 and what is about the agent itself are left out: *ret_hidden is how many.
 * Returns 0, -ENOMEM or what writing gave.
 */
int output_table(const struct snapshot *snapshot, bool all, FILE *file, size_t *ret_hidden);

/*
 * Print {"schema":1,"metrics":[{"name","semantics","units","values":[{"instance",
 * "labels","value"}]}]}. Values are integers: metrics that are texts are left
 * out, and so is a value that is absent. Returns as output_table.
 */
int output_json(const struct snapshot *snapshot, FILE *file);

#endif /* PMDAKVM_OUTPUT_H */
