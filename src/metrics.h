/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Typed access to THE table, metrics.def: what every metric is called, what it
 * is, and in which table and column of a snapshot its values stand.
 */
#ifndef PMDAKVM_METRICS_H
#define PMDAKVM_METRICS_H

#include <stddef.h>

#include "snapshot.h"
#include "units.h"

enum metric_type { METRIC_U32, METRIC_U64, METRIC_STRING };

/* Instance domains, by their rows' order in metrics.def. */
enum metric_indom {
#define INDOM(id, serial, label, labels, words) METRIC_INDOM_##id,
#define METRIC(name, cluster, item, type, semantics, units, indom, table, column)
#define SUBTREE(name, cluster, type, semantics, units, indom, table)
#include "metrics.def"
#undef INDOM
#undef METRIC
#undef SUBTREE
	METRIC_INDOMS,
	METRIC_INDOM_NULL = METRIC_INDOMS, /* one value, no instance */
};

struct metric_indom_desc {
	unsigned serial;
	const char *label;  /* the name of the label that carries an instance's name or number */
	const char *labels; /* the domain's own, as a JSON object */
	const char *words;  /* what its instances are */
};

struct metric {
	const char *name; /* of a subtree: what comes before the ".": kvm.trace */
	unsigned cluster;
	unsigned item; /* of a subtree: 0, its metrics' items come from items.h */
	enum metric_type type;
	enum metric_semantics semantics;
	enum metric_units units;
	enum metric_indom indom;
	const char *table;  /* of a snapshot; NULL: not read yet */
	const char *column; /* NULL: a subtree, with one metric for each column */
};

/* All rows, in the table's order. */
extern const struct metric metrics[];
extern const size_t metrics_count;

/* All instance domains, by enum metric_indom. */
extern const struct metric_indom_desc metric_indoms[METRIC_INDOMS];

/* The words the outside world uses: "counter", "instant"; "count", "ns", "byte", "". */
const char *metric_semantics_name(enum metric_semantics semantics);
const char *metric_units_name(enum metric_units units);

/* Is it a row for a whole subtree, whose names depend on kernel and kvm.conf? */
static inline int metric_is_subtree(const struct metric *metric)
{
	return metric->table && !metric->column;
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
};

/*
 * Call visit for every metric whose table and column are in the snapshot, in the
 * table's order, subtrees one by one. Stops when visit returns other than 0, and
 * returns that, else 0. The place lives as long as the call.
 */
int metrics_each(const struct snapshot *snapshot,
		 int (*visit)(const struct metric_place *place, void *data), void *data);

#endif /* PMDAKVM_METRICS_H */
