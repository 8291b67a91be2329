// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "pmda/metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

pmDesc kvm_desc(const struct metric *metric, int domain, unsigned item, enum metric_semantics sem,
		enum metric_units unit)
{
	static const int types[] = {
		[METRIC_U32] = PM_TYPE_U32,
		[METRIC_S64] = PM_TYPE_64,
		[METRIC_U64] = PM_TYPE_U64,
		[METRIC_STRING] = PM_TYPE_STRING,
	};
	static const int semantics[] = {
		[METRIC_COUNTER] = PM_SEM_COUNTER,
		[METRIC_INSTANT] = PM_SEM_INSTANT,
		[METRIC_DISCRETE] = PM_SEM_DISCRETE,
		[METRIC_BY_COLUMN] = PM_SEM_INSTANT, /* the column does not say */
	};
	static const pmUnits units[] = {
		[METRIC_NONE] = PMDA_PMUNITS(0, 0, 0, 0, 0, 0),
		[METRIC_COUNT] = PMDA_PMUNITS(0, 0, 1, 0, 0, PM_COUNT_ONE),
		[METRIC_NSEC] = PMDA_PMUNITS(0, 1, 0, 0, PM_TIME_NSEC, 0),
		[METRIC_BYTES] = PMDA_PMUNITS(1, 0, 0, PM_SPACE_BYTE, 0, 0),
	};

	return (pmDesc){
		.pmid = pmID_build((unsigned)domain, metric->cluster, item),
		.type = types[metric->type],
		.indom = metric->indom == METRIC_INDOM_NULL ?
				 PM_INDOM_NULL :
				 pmInDom_build((unsigned)domain,
					       metric_indoms[metric->indom].serial),
		.sem = semantics[sem],
		.units = units[unit],
	};
}

static int ref_compare(const void *left, const void *right)
{
	const struct metric_ref *const *a = left, *const *b = right;

	return ((*a)->key > (*b)->key) - ((*a)->key < (*b)->key);
}

static size_t table_number(const struct snapshot *snapshot, const char *name)
{
	for (size_t i = 0; i < snapshot->ntables; i++) {
		if (strcmp(snapshot->tables[i]->name, name) == 0)
			return i;
	}
	return SIZE_MAX;
}

/* A new set of metrics while it is built. */
struct making {
	struct kvm_agent *agent;
	pmdaMetric *metrics;
	struct metric_ref *refs;
	const struct metric_ref **index;
	size_t n;
	pmdaNameSpace *names;
};

static int metric_add(struct making *making, const struct metric *metric, unsigned item,
		      const char *name, size_t column)
{
	const struct snapshot *snapshot = collector_snapshot(making->agent->collector);
	struct metric_ref *ref = &making->refs[making->n];
	pmdaMetric *made = &making->metrics[making->n];
	const struct snapshot_table *table = NULL;
	char *copy = strdup(name);

	if (!copy)
		return -ENOMEM;
	ref->metric = metric;
	ref->name = copy;
	ref->key = kvm_metric_key(metric->cluster, item);
	ref->table = table_number(snapshot, metric->table);
	ref->instances = metric->indom == METRIC_INDOM_NULL ?
				 SIZE_MAX :
				 table_number(snapshot, metric_indoms[metric->indom].table);
	ref->column = column;
	if (ref->table != SIZE_MAX)
		table = snapshot->tables[ref->table];
	if (table && column == SIZE_MAX) /* this kernel has no such column */
		ref->table = SIZE_MAX, table = NULL;
	made->m_user = ref;
	made->m_desc = kvm_desc(metric, making->agent->domain, item,
				table ? metric_semantics_of(metric, table, column) :
					metric->semantics,
				table ? metric_units_of(metric, table, column) : metric->units);
	making->n++;
	return 0;
}

/* Add one metric for each column that has an item number. */
static int subtree_add(struct making *making, const struct metric *metric,
		       const struct snapshot_table *table)
{
	int err = 0;

	for (size_t i = 0; !err && i < table->ncolumns; i++) {
		int item = items_number(&making->agent->items, metric->group,
					table->columns[i].name);
		char name[256];

		if (item < 0)
			continue; /* no item number is free; kvm.agent.event.status reports it */
		pmsprintf(name, sizeof(name), "%s.%s", metric->name, table->columns[i].name);
		err = metric_add(making, metric, (unsigned)item, name, i);
	}
	return err;
}

static int metrics_add(struct making *making)
{
	const struct snapshot *snapshot = collector_snapshot(making->agent->collector);
	int err = 0;

	for (size_t i = 0; !err && i < metrics_count; i++) {
		const struct metric *metric = &metrics[i];
		const struct snapshot_table *table = snapshot_find_table(snapshot, metric->table);
		int column;

		if (metric_is_subtree(metric)) {
			err = table ? subtree_add(making, metric, table) : 0;
			continue;
		}
		column = table ? snapshot_table_column(table, metric->column) : -1;
		err = metric_add(making, metric, metric->item, metric->name,
				 column < 0 ? SIZE_MAX : (size_t)column);
	}
	return err;
}

/* The most metrics that metrics_add() can add. */
static size_t metrics_most(const struct snapshot *snapshot)
{
	size_t most = 0;

	for (size_t i = 0; i < metrics_count; i++) {
		const struct snapshot_table *table = snapshot_find_table(snapshot,
									 metrics[i].table);

		if (!metric_is_subtree(&metrics[i]))
			most++;
		else if (table)
			most += table->ncolumns;
	}
	return most;
}

static int names_add(struct making *making)
{
	int err = pmdaTreeCreate(&making->names);

	/* backwards, since libpcp_pmda inserts a new name before its siblings */
	for (size_t i = making->n; err >= 0 && i-- > 0;) {
		const struct metric_ref *ref = &making->refs[i];

		if (metrics_subtree_of(ref->name))
			err = pmdaTreeInsert(making->names, making->metrics[i].m_desc.pmid,
					     ref->name);
	}
	if (err >= 0)
		pmdaTreeRebuildHash(making->names, (int)making->n);
	return err < 0 ? err : 0;
}

static void making_free(struct making *making)
{
	for (size_t i = 0; i < making->n; i++)
		free((char *)making->refs[i].name);
	free(making->refs);
	free(making->index);
	free(making->metrics);
	if (making->names)
		pmdaTreeRelease(making->names);
}

/* Set an instance domain's instances from the rows of its table, if those have changed. */
static int indom_fill(struct kvm_agent *agent, enum metric_indom indom)
{
	const struct snapshot *snapshot = collector_snapshot(agent->collector);
	const struct snapshot_table *table;
	pmdaIndom *to = &agent->indoms[indom];
	pmdaInstid *set;

	if (agent->indom_tables[indom] == SIZE_MAX)
		return 0;
	table = snapshot->tables[agent->indom_tables[indom]];
	if (agent->indom_changes[indom] == table->changes)
		return 0;
	to->it_numinst =
		0; /* if the allocation fails: old instances point to names of freed rows */
	set = reallocarray(to->it_set, table->nrows + 1, sizeof(*set));
	if (!set)
		return -ENOMEM;
	for (size_t i = 0; i < table->nrows; i++) {
		set[i].i_inst = (int)table->rows[i].number;
		set[i].i_name = table->rows[i].name;
	}
	to->it_set = set;
	to->it_numinst = (int)table->nrows;
	agent->indom_changes[indom] = table->changes;
	return 0;
}

int kvm_indoms_fill(struct kvm_agent *agent)
{
	int err = 0;

	for (int i = 0; !err && i < METRIC_INDOMS; i++)
		err = indom_fill(agent, (enum metric_indom)i);
	return err;
}

int kvm_make_metrics(struct kvm_agent *agent)
{
	const struct snapshot *snapshot = collector_snapshot(agent->collector);
	struct making making = { .agent = agent }, old;
	size_t most = metrics_most(snapshot);
	int err;

	making.metrics = calloc(most, sizeof(*making.metrics));
	making.refs = calloc(most, sizeof(*making.refs));
	making.index = calloc(most, sizeof(*making.index));
	err = making.metrics && making.refs && making.index ? metrics_add(&making) : -ENOMEM;
	if (!err)
		err = names_add(&making);
	/* the first time only: pmdaInit() then adds the domain to it_indom */
	for (int i = 0; !agent->metrics && i < METRIC_INDOMS; i++)
		agent->indoms[i].it_indom = metric_indoms[i].serial;
	for (int i = 0; i < METRIC_INDOMS; i++)
		agent->indom_tables[i] = table_number(snapshot, metric_indoms[i].table);
	if (!err)
		err = kvm_indoms_fill(agent);
	if (err) {
		making_free(&making);
		return err;
	}
	for (size_t i = 0; i < making.n; i++)
		making.index[i] = &making.refs[i];
	qsort(making.index, making.n, sizeof(*making.index), ref_compare);
	old = (struct making){
		.metrics = agent->metrics,
		.refs = agent->refs,
		.index = agent->index,
		.n = agent->nmetrics,
		.names = agent->names,
	};
	agent->metrics = making.metrics;
	agent->refs = making.refs;
	agent->index = making.index;
	agent->nmetrics = making.n;
	agent->names = making.names;
	if (old.metrics)
		pmdaRehash(agent->pmda, agent->metrics, (int)agent->nmetrics);
	making_free(&old);
	return 0;
}

void kvm_metrics_free(struct kvm_agent *agent)
{
	making_free(&(struct making){
		.metrics = agent->metrics,
		.refs = agent->refs,
		.index = agent->index,
		.n = agent->nmetrics,
		.names = agent->names,
	});
	for (int i = 0; i < METRIC_INDOMS; i++)
		free(agent->indoms[i].it_set);
}
