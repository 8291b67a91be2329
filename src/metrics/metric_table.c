// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "metrics/metric_table.h"

#include <stdio.h>
#include <string.h>

/* METRIC and SUBTREE are separate: one macro calling the other would expand the indom NULL. */
const struct metric metrics[] = {
#define INDOM(id, serial, table, labels, text)
#define INSTANCE(indom, name, number)
#define METRIC(name, cluster, item, type, semantics, units, indom, table, column) \
	{ name,                                                                   \
	  cluster,                                                                \
	  item,                                                                   \
	  METRIC_##type,                                                          \
	  METRIC_##semantics,                                                     \
	  METRIC_##units,                                                         \
	  METRIC_INDOM_##indom,                                                   \
	  table,                                                                  \
	  column,                                                                 \
	  ITEMS_GROUPS },
#define SUBTREE(name, cluster, group, type, semantics, units, indom, table) \
	{ name,                                                             \
	  cluster,                                                          \
	  0,                                                                \
	  METRIC_##type,                                                    \
	  METRIC_##semantics,                                               \
	  METRIC_##units,                                                   \
	  METRIC_INDOM_##indom,                                             \
	  table,                                                            \
	  NULL,                                                             \
	  ITEMS_##group },
#include "metrics/metrics.def"
#undef INDOM
#undef INSTANCE
#undef METRIC
#undef SUBTREE
};

const size_t metrics_count = sizeof(metrics) / sizeof(metrics[0]);

const struct metric_indom_desc metric_indoms[METRIC_INDOMS] = {
#define INDOM(id, serial, table, labels, text) { serial, table, labels, text },
#define INSTANCE(indom, name, number)
#define METRIC(name, cluster, item, type, semantics, units, indom, table, column)
#define SUBTREE(name, cluster, group, type, semantics, units, indom, table)
#include "metrics/metrics.def"
#undef INDOM
#undef INSTANCE
#undef METRIC
#undef SUBTREE
};

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

enum metric_semantics metric_semantics_of(const struct metric *metric,
					  const struct snapshot_table *table, size_t column)
{
	enum metric_semantics semantics = metric->semantics;

	if (semantics == METRIC_BY_COLUMN)
		semantics = table->columns[column].semantics;
	return semantics == METRIC_BY_COLUMN ? METRIC_INSTANT : semantics;
}

enum metric_units metric_units_of(const struct metric *metric, const struct snapshot_table *table,
				  size_t column)
{
	return metric->semantics == METRIC_BY_COLUMN ? table->columns[column].units : metric->units;
}

static const struct {
	enum metric_indom indom;
	const char *name;
	int number;
} instances[] = {
#define INDOM(id, serial, table, labels, text)
#define INSTANCE(indom, name, number) { METRIC_INDOM_##indom, name, number },
#define METRIC(name, cluster, item, type, semantics, units, indom, table, column)
#define SUBTREE(name, cluster, group, type, semantics, units, indom, table)
#include "metrics/metrics.def"
#undef INDOM
#undef INSTANCE
#undef METRIC
#undef SUBTREE
};

int metric_instance(enum metric_indom indom, const char *name)
{
	for (size_t i = 0; i < sizeof(instances) / sizeof(instances[0]); i++) {
		if (instances[i].indom == indom && strcmp(instances[i].name, name) == 0)
			return instances[i].number;
	}
	return -1;
}

static void place_column(struct metric_place *place, size_t column)
{
	place->column = column;
	place->semantics = metric_semantics_of(place->metric, place->table, column);
	place->units = metric_units_of(place->metric, place->table, column);
}

static int subtree_each(struct metric_place *place,
			int (*visit)(const struct metric_place *place, void *data), void *data)
{
	for (size_t i = 0; i < place->table->ncolumns; i++) {
		int ret;

		place_column(place, i);
		snprintf(place->name, sizeof(place->name), "%s.%s", place->metric->name,
			 place->table->columns[i].name);
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
	place_column(place, (size_t)column);
	snprintf(place->name, sizeof(place->name), "%s", place->metric->name);
	return visit(place, data);
}

int metrics_each(const struct snapshot *snapshot,
		 int (*visit)(const struct metric_place *place, void *data), void *data)
{
	for (size_t i = 0; i < metrics_count; i++) {
		struct metric_place place = { .metric = &metrics[i] };
		int ret;

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
