// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Metrics, instances, names, words and labels, as libpcp_pmda asks for them. */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "help.h"
#include "pmda.h"

struct kvm_agent *kvm_the_agent;

/* The tables whose rows are the instances of an instance domain. */
static const char *const indom_tables[METRIC_INDOMS] = {
	[METRIC_INDOM_CPU] = "trace",
	[METRIC_INDOM_FAMILY] = "family",
	[METRIC_INDOM_EVENT] = "event",
};

static pmDesc make_desc(const struct metric *metric, int domain, unsigned item)
{
	static const int types[] = {
		[METRIC_U32] = PM_TYPE_U32,
		[METRIC_U64] = PM_TYPE_U64,
		[METRIC_STRING] = PM_TYPE_STRING,
	};
	static const int semantics[] = {
		[METRIC_COUNTER] = PM_SEM_COUNTER,
		[METRIC_INSTANT] = PM_SEM_INSTANT,
		[METRIC_DISCRETE] = PM_SEM_DISCRETE,
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
		.sem = semantics[metric->semantics],
		.units = units[metric->units],
	};
}

static size_t table_number(const struct snapshot *snapshot, const char *name)
{
	for (size_t i = 0; name && i < snapshot->ntables; i++) {
		if (strcmp(snapshot->tables[i]->name, name) == 0)
			return i;
	}
	return SIZE_MAX;
}

/* The metrics while they are made. */
struct making {
	struct kvm_agent *agent;
	pmdaMetric *metrics;
	struct metric_ref *refs;
	size_t n;
	pmdaNameSpace *names;
};

static int metric_add(struct making *making, const struct metric *metric, unsigned item,
		      const char *name, size_t column)
{
	struct metric_ref *ref = &making->refs[making->n];
	pmdaMetric *made = &making->metrics[making->n];
	char *copy = strdup(name);

	if (!copy)
		return -ENOMEM;
	ref->metric = metric;
	ref->name = copy;
	ref->table = table_number(collector_snapshot(making->agent->collector), metric->table);
	ref->column = column;
	made->m_user = ref;
	made->m_desc = make_desc(metric, making->agent->domain, item);
	making->n++;
	return 0;
}

/* One metric for each column; an event that finds no item number has none. */
static int subtree_add(struct making *making, const struct metric *metric,
		       const struct snapshot_table *table)
{
	int err = 0;

	for (size_t i = 0; !err && i < table->ncolumns; i++) {
		int item = items_number(&making->agent->items, table->columns[i]);
		char name[256];

		if (item < 0)
			continue; /* kvm.agent.event.status says so */
		pmsprintf(name, sizeof(name), "%s.%s", metric->name, table->columns[i]);
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
		const struct snapshot_table *table =
			metric->table ? snapshot_find_table(snapshot, metric->table) : NULL;
		int column;

		if (metric_is_subtree(metric)) {
			err = table ? subtree_add(making, metric, table) : 0;
			continue;
		}
		column = table ? snapshot_table_column(table, metric->column) : 0;
		err = metric_add(making, metric, metric->item, metric->name, (size_t)column);
	}
	return err;
}

static int names_add(struct making *making)
{
	int err = pmdaTreeCreate(&making->names);

	/* from the end, since libpcp_pmda puts a new name before its siblings */
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
	free(making->metrics);
	if (making->names)
		pmdaTreeRelease(making->names);
}

/* Make an instance domain's instances from the rows of its table. */
static int indom_fill(struct kvm_agent *agent, enum metric_indom indom)
{
	const struct snapshot *snapshot = collector_snapshot(agent->collector);
	const struct snapshot_table *table = snapshot_find_table(snapshot, indom_tables[indom]);
	pmdaIndom *to = &agent->indoms[indom];
	pmdaInstid *set;

	if (!table || (size_t)to->it_numinst == table->nrows)
		return 0;
	set = reallocarray(to->it_set, table->nrows, sizeof(*set));
	if (!set)
		return -ENOMEM;
	for (size_t i = 0; i < table->nrows; i++) {
		set[i].i_inst = (int)table->rows[i].id;
		set[i].i_name = table->rows[i].name;
	}
	to->it_set = set;
	to->it_numinst = (int)table->nrows;
	return 0;
}

int kvm_make_metrics(struct kvm_agent *agent)
{
	const struct snapshot *snapshot = collector_snapshot(agent->collector);
	struct making making = { .agent = agent }, old;
	size_t most = metrics_count;
	int err;

	for (size_t i = 0; i < snapshot->ntables; i++)
		most += snapshot->tables[i]->ncolumns;
	making.metrics = calloc(most, sizeof(*making.metrics));
	making.refs = calloc(most, sizeof(*making.refs));
	err = making.metrics && making.refs ? metrics_add(&making) : -ENOMEM;
	if (!err)
		err = names_add(&making);
	for (int i = 0; !err && i < METRIC_INDOMS; i++) {
		/* pmdaInit puts the domain to it, once */
		if (!agent->metrics)
			agent->indoms[i].it_indom = metric_indoms[i].serial;
		err = indom_fill(agent, (enum metric_indom)i);
	}
	if (err) {
		making_free(&making);
		return err;
	}
	old = (struct making){
		.metrics = agent->metrics,
		.refs = agent->refs,
		.n = agent->nmetrics,
		.names = agent->names,
	};
	agent->metrics = making.metrics;
	agent->refs = making.refs;
	agent->nmetrics = making.n;
	agent->names = making.names;
	if (old.metrics)
		pmdaRehash(agent->pmda, agent->metrics, (int)agent->nmetrics);
	making_free(&old);
	kvm_the_agent = agent;
	return 0;
}

void kvm_grown(struct kvm_agent *agent)
{
	struct report report = { 0 };
	size_t before = agent->nmetrics;

	agent->behind = kvm_make_metrics(agent) != 0;
	if (agent->behind)
		return; /* the next look tries again */
	if (agent->nmetrics != before)
		pmdaExtSetFlags(agent->pmda, PMDA_EXT_NAMES_CHANGE);
	kvm_save_items(agent, &report);
	kvm_show_report(&report);
}

void kvm_look(struct kvm_agent *agent)
{
	struct report report = { 0 };
	time_t now = time(NULL);

	if (now == agent->looked)
		return;
	agent->looked = now;
	if (collector_look(agent->collector, &report) || agent->behind)
		kvm_grown(agent);
	kvm_show_report(&report);
}

void kvm_free(struct kvm_agent *agent)
{
	if (!agent)
		return;
	making_free(&(struct making){
		.metrics = agent->metrics,
		.refs = agent->refs,
		.n = agent->nmetrics,
		.names = agent->names,
	});
	for (int i = 0; i < METRIC_INDOMS; i++)
		free(agent->indoms[i].it_set);
	free(agent->text);
	free(agent->clients);
	collector_close(agent->collector);
	items_free(&agent->items);
	config_free(&agent->config);
	free(agent);
}

struct kvm_agent *kvm_agent_of(pmdaExt *pmda)
{
	return pmdaExtGetData(pmda);
}

int kvm_fetch(int numpmid, pmID *pmids, pmResult **resp, pmdaExt *pmda)
{
	struct kvm_agent *agent = kvm_agent_of(pmda);

	agent->fresh = 0;
	if (agent->dso) /* which has no loop of its own */
		kvm_look(agent);
	return pmdaFetch(numpmid, pmids, resp, pmda);
}

/* The first value from a table makes us read that table, once a fetch. */
int kvm_fetch_value(pmdaMetric *metric, unsigned int inst, pmAtomValue *atom)
{
	const struct metric_ref *ref = metric->m_user;
	struct kvm_agent *agent = kvm_the_agent;
	const struct snapshot_table *table;
	const struct snapshot_cell *cell;
	int row;

	if (ref->table == SIZE_MAX)
		return PMDA_FETCH_NOVALUES;
	if (!(agent->fresh & (1ULL << ref->table))) {
		if (collector_read(agent->collector, 1ULL << ref->table))
			return -ENOMEM;
		agent->fresh |= 1ULL << ref->table;
	}
	table = collector_snapshot(agent->collector)->tables[ref->table];
	row = snapshot_table_row(table, ref->metric->indom == METRIC_INDOM_NULL ? 0 : inst);
	if (row < 0)
		return PM_ERR_INST;
	cell = snapshot_table_cell(table, (size_t)row, ref->column);
	if (!cell->present)
		return PMDA_FETCH_NOVALUES;
	switch (ref->metric->type) {
	case METRIC_U32:
		atom->ul = (uint32_t)cell->number;
		break;
	case METRIC_U64:
		atom->ull = cell->number;
		break;
	case METRIC_STRING:
		atom->cp = cell->text;
		break;
	}
	return PMDA_FETCH_STATIC;
}

int kvm_instance(pmInDom indom, int inst, char *name, pmInResult **resp, pmdaExt *pmda)
{
	kvm_look(kvm_agent_of(pmda));
	return pmdaInstance(indom, inst, name, resp, pmda);
}

int kvm_pmid(const char *name, pmID *pmid, pmdaExt *pmda)
{
	return pmdaTreePMID(kvm_agent_of(pmda)->names, name, pmid);
}

int kvm_name(pmID pmid, char ***names, pmdaExt *pmda)
{
	return pmdaTreeName(kvm_agent_of(pmda)->names, pmid, names);
}

int kvm_children(const char *name, int traverse, char ***kids, int **status, pmdaExt *pmda)
{
	return pmdaTreeChildren(kvm_agent_of(pmda)->names, name, traverse, kids, status);
}

const struct metric_ref *kvm_ref_find(const struct kvm_agent *agent, pmID pmid)
{
	for (size_t i = 0; i < agent->nmetrics; i++) {
		pmID own = agent->metrics[i].m_desc.pmid;

		if (pmID_cluster(own) == pmID_cluster(pmid) && pmID_item(own) == pmID_item(pmid))
			return &agent->refs[i];
	}
	return NULL;
}

/* The instance domain with that serial, or METRIC_INDOM_NULL. */
static enum metric_indom indom_find(pmInDom indom)
{
	for (int i = 0; i < METRIC_INDOMS; i++) {
		if (metric_indoms[i].serial == pmInDom_serial(indom))
			return (enum metric_indom)i;
	}
	return METRIC_INDOM_NULL;
}

/* The event of a metric that is one of a subtree's, or NULL. */
static const char *ref_event(const struct metric_ref *ref)
{
	return metric_is_subtree(ref->metric) ? ref->name + strlen(ref->metric->name) + 1 : NULL;
}

static int event_text(const char *event, bool oneline, char **ret_text)
{
	const struct item *item = items_find(event);
	const char *help = item ? item->help : "Tracepoint of the kernel's kvm group";
	int ret;

	if (oneline)
		ret = asprintf(ret_text, "%s", help);
	else
		ret = asprintf(
			ret_text,
			"%s.\nHow often the tracepoint kvm:%s fired on each CPU since the agent attached to\n"
			"it. No value: it is not attached; kvm.agent.event.status says why. Runs that\n"
			"the kernel skipped are not in it, but in kvm.agent.event.missed.",
			help, event);
	return ret < 0 ? -ENOMEM : 0;
}

static int metric_text(const struct metric_ref *ref, bool oneline, char **ret_text)
{
	for (size_t i = 0; i < helps_count; i++) {
		const struct help *help = &helps[i];
		int ret;

		if (strcmp(help->name, ref->name) != 0)
			continue;
		if (oneline || !*help->text)
			ret = asprintf(ret_text, "%s", help->oneline);
		else
			ret = asprintf(ret_text, "%s.\n%s", help->oneline, help->text);
		return ret < 0 ? -ENOMEM : 0;
	}
	return PM_ERR_TEXT;
}

int kvm_text(int ident, int type, char **buffer, pmdaExt *pmda)
{
	bool oneline = type & PM_TEXT_ONELINE;
	struct kvm_agent *agent = kvm_agent_of(pmda);
	char *text = NULL;
	int err;

	if (type & PM_TEXT_INDOM) {
		enum metric_indom indom = indom_find((pmInDom)ident);

		if (indom == METRIC_INDOM_NULL)
			return PM_ERR_INDOM;
		text = strdup(metric_indoms[indom].words);
		err = text ? 0 : -ENOMEM;
	} else {
		const struct metric_ref *ref = kvm_ref_find(agent, (pmID)ident);

		if (!ref)
			return PM_ERR_PMID;
		err = ref_event(ref) ? event_text(ref_event(ref), oneline, &text) :
				       metric_text(ref, oneline, &text);
	}
	if (err)
		return err;
	free(agent->text); /* pmcd has copied the last one */
	agent->text = *buffer = text;
	return 0;
}

int kvm_label(int ident, int type, pmLabelSet **sets, pmdaExt *pmda)
{
	if (type == PM_LABEL_INDOM) {
		enum metric_indom indom = indom_find((pmInDom)ident);
		int err;

		if (indom == METRIC_INDOM_NULL)
			return PM_ERR_INDOM;
		err = pmdaAddLabels(sets, "%s", metric_indoms[indom].labels);
		return err < 0 ? err : 1;
	}
	if (type == PM_LABEL_ITEM) {
		const struct metric_ref *ref = kvm_ref_find(kvm_agent_of(pmda), (pmID)ident);
		const char *event = ref ? ref_event(ref) : NULL;
		int err;

		if (!event)
			return 0;
		err = pmdaAddLabels(sets, "{\"event\":\"%s\"}", event);
		return err < 0 ? err : 1;
	}
	return pmdaLabel(ident, type, sets, pmda);
}

int kvm_label_instance(pmInDom indom, unsigned int inst, pmLabelSet **set)
{
	enum metric_indom which = indom_find(indom);
	const pmdaIndom *instances;

	if (which == METRIC_INDOM_NULL)
		return 0;
	instances = &kvm_the_agent->indoms[which];
	for (int i = 0; i < instances->it_numinst; i++) {
		if (instances->it_set[i].i_inst != (int)inst)
			continue;
		if (which == METRIC_INDOM_CPU)
			return pmdaAddLabels(set, "{\"%s\":%u}", metric_indoms[which].label, inst);
		return pmdaAddLabels(set, "{\"%s\":\"%s\"}", metric_indoms[which].label,
				     instances->it_set[i].i_name);
	}
	return 0;
}
