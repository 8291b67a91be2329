// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "metrics.h"

#include <stdio.h>
#include <string.h>

const struct metric metrics[] = {
#define INDOM(id, serial, label, labels, words)
#define METRIC(name, cluster, item, type, semantics, units, indom, table, column) \
	{ name,                                                                   \
	  cluster,                                                                \
	  item,                                                                   \
	  METRIC_##type,                                                          \
	  METRIC_##semantics,                                                     \
	  METRIC_##units,                                                         \
	  METRIC_INDOM_##indom,                                                   \
	  table,                                                                  \
	  column },
#define SUBTREE(name, cluster, type, semantics, units, indom, table) \
	METRIC(name, cluster, 0, type, semantics, units, indom, table, NULL)
#include "metrics.def"
#undef INDOM
#undef METRIC
#undef SUBTREE
};

const size_t metrics_count = sizeof(metrics) / sizeof(metrics[0]);

const struct metric_indom_desc metric_indoms[METRIC_INDOMS] = {
#define INDOM(id, serial, label, labels, words) { serial, label, labels, words },
#define METRIC(name, cluster, item, type, semantics, units, indom, table, column)
#define SUBTREE(name, cluster, type, semantics, units, indom, table)
#include "metrics.def"
#undef INDOM
#undef METRIC
#undef SUBTREE
};

const char *metric_semantics_name(enum metric_semantics semantics)
{
	static const char *const names[] = {
		[METRIC_COUNTER] = "counter",
		[METRIC_INSTANT] = "instant",
		[METRIC_DISCRETE] = "discrete",
	};

	return names[semantics];
}

const char *metric_units_name(enum metric_units units)
{
	static const char *const names[] = {
		[METRIC_NONE] = "",
		[METRIC_COUNT] = "count",
		[METRIC_NSEC] = "ns",
		[METRIC_BYTES] = "byte",
	};

	return names[units];
}

const struct metric *metrics_subtree_of(const char *name)
{
	for (size_t i = 0; i < metrics_count; i++) {
		size_t len = strlen(metrics[i].name);

		if (metric_is_subtree(&metrics[i]) && strncmp(name, metrics[i].name, len) == 0 &&
		    name[len] == '.')
			return &metrics[i];
	}
	return NULL;
}

static int subtree_each(struct metric_place *place,
			int (*visit)(const struct metric_place *place, void *data), void *data)
{
	for (size_t i = 0; i < place->table->ncolumns; i++) {
		int ret;

		place->column = i;
		snprintf(place->name, sizeof(place->name), "%s.%s", place->metric->name,
			 place->table->columns[i]);
		ret = visit(place, data);
		if (ret)
			return ret;
	}
	return 0;
}

static int one_each(struct metric_place *place,
		    int (*visit)(const struct metric_place *place, void *data), void *data)
{
	int column = snapshot_table_column(place->table, place->metric->column);

	if (column < 0)
		return 0;
	place->column = (size_t)column;
	snprintf(place->name, sizeof(place->name), "%s", place->metric->name);
	return visit(place, data);
}

int metrics_each(const struct snapshot *snapshot,
		 int (*visit)(const struct metric_place *place, void *data), void *data)
{
	for (size_t i = 0; i < metrics_count; i++) {
		struct metric_place place = { .metric = &metrics[i] };
		int ret;

		if (!metrics[i].table)
			continue;
		place.table = snapshot_find_table(snapshot, metrics[i].table);
		if (!place.table)
			continue;
		ret = metric_is_subtree(&metrics[i]) ? subtree_each(&place, visit, data) :
						       one_each(&place, visit, data);
		if (ret)
			return ret;
	}
	return 0;
}
