/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* What a number means: how it moves, and what it counts. */
#ifndef PMDAKVM_UNITS_H
#define PMDAKVM_UNITS_H

enum metric_semantics {
	METRIC_COUNTER,
	METRIC_INSTANT,
	METRIC_DISCRETE,
	METRIC_BY_COLUMN, /* a subtree's metrics differ: each column says what it is */
};

enum metric_units { METRIC_NONE, METRIC_COUNT, METRIC_NSEC, METRIC_BYTES };

/* The words the outside world uses: "counter", "instant"; "count", "ns", "byte", "". */
const char *metric_semantics_name(enum metric_semantics semantics);
const char *metric_units_name(enum metric_units units);

/* The other way: what has that name. 0, or -EINVAL and the output is untouched. */
int metric_semantics_parse(const char *name, enum metric_semantics *ret_semantics);
int metric_units_parse(const char *name, enum metric_units *ret_units);

/* How a statistic of KVM moves: as the kernel's KVM_STATS_TYPE_*, in its order. */
enum stat_kind {
	STAT_CUMULATIVE,
	STAT_INSTANT,
	STAT_PEAK,
	STAT_LINEAR_HIST,
	STAT_LOG_HIST,
};

#endif /* PMDAKVM_UNITS_H */
