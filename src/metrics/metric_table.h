/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Typed access to THE table, metrics.def: what every metric is called, what it
 * is, and in which table and column of a snapshot its values stand.
 */
#ifndef PMDAKVM_METRICS_H
#define PMDAKVM_METRICS_H

#include <stddef.h>

#include "metrics/item_numbers.h"
#include "metrics/snapshot.h"
#include "metrics/units.h"

enum metric_type { METRIC_U32, METRIC_U64, METRIC_STRING };

/* Instance domains, by their rows' order in metrics.def. */
enum metric_indom {
#define INDOM(id, serial, table, how, label, labels, text) METRIC_INDOM_##id,
#define METRIC(name, cluster, item, type, semantics, units, indom, table, column)
#define SUBTREE(name, cluster, group, type, semantics, units, indom, table)
#include "metrics/metrics.def"
#undef INDOM
#undef METRIC
#undef SUBTREE
	METRIC_INDOMS,
	METRIC_INDOM_NULL = METRIC_INDOMS, /* one value, no instance */
};

/* What an instance's label of its domain's name holds. */
enum metric_label_how {
	METRIC_LABEL_NUMBER, /* the instance's number */
	METRIC_LABEL_LAST,   /* the last part of its name, after "::" */
	METRIC_LABEL_NONE,   /* there is none: the row has all labels with it */
};

struct metric_indom_desc {
	unsigned serial;
	const char *table; /* of a snapshot: its rows are the instances */
	enum metric_label_how how;
	const char *label;
	const char *labels; /* the domain's own, as a JSON object */
	const char *text;   /* what its instances are */
};

struct metric {
	const char *name; /* of a subtree: what comes before the ".": kvm.trace */
	unsigned cluster;
	unsigned item; /* of a subtree: 0, its metrics' items come from items.h */
	enum metric_type type;
	enum metric_semantics semantics;
	enum metric_units units;
	enum metric_indom indom;
	const char *table;     /* of a snapshot */
	const char *column;    /* NULL: a subtree, with one metric for each column */
	enum item_group group; /* of a subtree: whose item numbers its metrics have */
};

/* All rows, in the table's order. */
extern const struct metric metrics[];
extern const size_t metrics_count;

/* All instance domains, by enum metric_indom. */
extern const struct metric_indom_desc metric_indoms[METRIC_INDOMS];

/* Is it a row for a whole subtree, whose names depend on kernel and kvm.conf? */
static inline int metric_is_subtree(const struct metric *metric)
{
	return !metric->column;
}

/* Is it about the agent, not about guests? */
static inline int metric_is_own(const struct metric *metric)
{
	return metric->cluster == 2 || metric->cluster == 3 ||
	       (metric->cluster == 1 && !metric_is_subtree(metric));
}

/*
 * The subtree that a name lies in (kvm.trace for kvm.trace.count), or NULL: such
 * a name is answered by the agent at run time and stands in no PMNS.
 */
const struct metric *metrics_subtree_of(const char *name);

/* What metrics_each found: a metric with a place in a snapshot. */
struct metric_place {
	const struct metric *metric;
	char name[256]; /* its whole name */
	const struct snapshot_table *table;
	size_t column;
	enum metric_semantics semantics; /* the column's, where the metric leaves it to that */
	enum metric_units units;
};

/* What a column's metric is: as the metric says, or the column; if neither does, instant. */
enum metric_semantics metric_semantics_of(const struct metric *metric,
					  const struct snapshot_table *table, size_t column);
enum metric_units metric_units_of(const struct metric *metric, const struct snapshot_table *table,
				  size_t column);

/* The last part of an instance's name, after "::". */
const char *metric_label_last(const char *instance);

/*
 * Call visit for every metric whose table and column are in the snapshot, in the
 * table's order, subtrees one by one. Stops when visit returns other than 0, and
 * returns that, else 0. The place lives as long as the call.
 */
int metrics_each(const struct snapshot *snapshot,
		 int (*visit)(const struct metric_place *place, void *data), void *data);

#endif /* PMDAKVM_METRICS_H */
