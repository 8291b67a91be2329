/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Semantics and units of metrics, kinds of KVM statistics, and their names. */
#ifndef PMDAKVM_UNITS_H
#define PMDAKVM_UNITS_H

enum metric_semantics {
	METRIC_COUNTER,
	METRIC_INSTANT,
	METRIC_DISCRETE,
	METRIC_BY_COLUMN, /* a subtree: each column has its own semantics and units */
};

enum metric_units { METRIC_NONE, METRIC_COUNT, METRIC_NSEC, METRIC_BYTES };

/* External names: "counter", "instant", "discrete"; "count", "ns", "byte", "". */
const char *metric_semantics_name(enum metric_semantics semantics);
const char *metric_units_name(enum metric_units units);

/* Parse such a name. Return 0, or -EINVAL with the output untouched. */
int metric_semantics_parse(const char *name, enum metric_semantics *ret_semantics);
int metric_units_parse(const char *name, enum metric_units *ret_units);

/* Kind of a KVM statistic: the kernel's KVM_STATS_TYPE_*, in its order. */
enum stat_kind {
	STAT_CUMULATIVE,
	STAT_INSTANT,
	STAT_PEAK,
	STAT_LINEAR_HIST,
	STAT_LOG_HIST,
};

#endif /* PMDAKVM_UNITS_H */
