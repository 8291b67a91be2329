/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Prints metrics for Prometheus: as OpenMetrics, or in the text format of node_exporter's textfile
 * collector.
 *
 * A name's dots become underscores. Nanoseconds become seconds, and the name ends in _seconds;
 * that of bytes in _bytes. Counters end in _total. A gauge whose name ends as those of other types
 * do gets _value. Of two metrics that would have one name, the one with reasons gets _by_reason.
 * A part that promtool takes for an abbreviated unit joins the part before it.
 * Buckets are cumulative, and all histograms of a metric have the same ones.
 */
#ifndef PMDAKVM_EXPOSITION_H
#define PMDAKVM_EXPOSITION_H

#include <stdbool.h>
#include <stdio.h>

#include "command/metric_output.h"
#include "metrics/snapshot.h"

/*
 * Print the metrics that options->names has, zeros included; strings and absent values are left
 * out. open: as OpenMetrics 1.0, which ends with "# EOF". Returns 0, -ENOMEM or the error of
 * writing.
 */
int exposition_print(const struct snapshot *snapshot, const struct output_options *options,
		     bool open, FILE *file);

#endif /* PMDAKVM_EXPOSITION_H */
