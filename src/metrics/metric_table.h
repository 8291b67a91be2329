/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Typed access to THE table, src/metrics/metrics.def: each metric's name, PMID, type, semantics and
 * units, and the snapshot table and column that hold its values.
 */
#ifndef PMDAKVM_METRIC_TABLE_H
#define PMDAKVM_METRIC_TABLE_H

#include <stddef.h>

#include "metrics/item_numbers.h"
#include "metrics/snapshot.h"
#include "metrics/units.h"

/* METRIC_S64 is for what is never below 0 but whose rate can be: clients subtract in the type. */
enum metric_type { METRIC_U32, METRIC_U64, METRIC_STRING, METRIC_S64 };

/* Instance domains, in the order of their rows in metrics.def. */
enum metric_indom {
#define INDOM(id, serial, table, labels, text) METRIC_INDOM_##id,
#define INSTANCE(indom, name, number)
#define METRIC(name, cluster, item, type, semantics, units, indom, table, column)
#define SUBTREE(name, cluster, group, type, semantics, units, indom, table)
#include "metrics/metrics.def"
#undef INDOM
#undef INSTANCE
#undef METRIC
#undef SUBTREE
	METRIC_INDOMS,
	METRIC_INDOM_NULL = METRIC_INDOMS, /* one value, no instance */
};

struct metric_indom_desc {
	unsigned serial;
	const char *table;  /* snapshot table whose rows are the instances */
	const char *labels; /* labels of the domain itself, a JSON object */
	const char *text;   /* help text: describes the instances */
};

struct metric {
	const char *name; /* a subtree's: the prefix without the last ".", e.g. kvm.trace */
	unsigned cluster;
	unsigned item; /* a subtree's: 0; item_numbers.h assigns its metrics' items */
	enum metric_type type;
	enum metric_semantics semantics;
	enum metric_units units;
	enum metric_indom indom;
	const char *table;     /* snapshot table */
	const char *column;    /* NULL: a subtree with one metric per column */
	enum item_group group; /* a subtree's: group of its metrics' item numbers */
};

/* All metrics and subtrees, in the order of metrics.def. */
extern const struct metric metrics[];
extern const size_t metrics_count;

/* All instance domains, by enum metric_indom. */
extern const struct metric_indom_desc metric_indoms[METRIC_INDOMS];

/* Is the row a subtree, whose metric names depend on the kernel and kvm.conf? */
static inline int metric_is_subtree(const struct metric *metric)
{
	return !metric->column;
}

/* Does the metric describe the agent itself, not guests? */
static inline int metric_is_own(const struct metric *metric)
{
	return metric->cluster == 2 || metric->cluster == 3 ||
	       (metric->cluster == 1 && !metric_is_subtree(metric));
}

/*
 * Return the subtree that contains a name (kvm.trace for kvm.trace.count), or NULL. The agent
 * resolves names in subtrees at run time; the PMNS file does not list them.
 */
const struct metric *metrics_subtree_of(const char *name);

/* A metric with its table and column in a snapshot, passed by metrics_each(). */
struct metric_place {
	const struct metric *metric;
	char name[256]; /* full metric name, truncated if longer */
	const struct snapshot_table *table;
	size_t column;
	enum metric_semantics semantics; /* of the metric or, for METRIC_BY_COLUMN, of the column */
	enum metric_units units;
};

/*
 * Semantics and units of a column's metric: the metric's own, or for METRIC_BY_COLUMN the column's.
 * Semantics default to METRIC_INSTANT if neither is set.
 */
enum metric_semantics metric_semantics_of(const struct metric *metric,
					  const struct snapshot_table *table, size_t column);
enum metric_units metric_units_of(const struct metric *metric, const struct snapshot_table *table,
				  size_t column);

/* The fixed number of an instance, or -1 if the table has none for this name. */
int metric_instance(enum metric_indom indom, const char *name);

/*
 * Call visit for every metric whose table and column are in the snapshot, in the order of
 * metrics.def; a subtree yields one call per column. Stops at the first non-zero return value of
 * visit and returns it, else 0. The place is valid during the call only.
 */
int metrics_each(const struct snapshot *snapshot,
		 int (*visit)(const struct metric_place *place, void *data), void *data);

#endif /* PMDAKVM_METRIC_TABLE_H */
