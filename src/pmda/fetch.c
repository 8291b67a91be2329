// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* libpcp_pmda's callbacks for values, instances and dynamic names. */
#define _GNU_SOURCE
#include "pmda/fetch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "metrics/metric_table.h"
#include "metrics/past_names.h"
#include "pmda/metrics.h"
#include "pmda/result.h"
#include "pmda/tick.h"

/* Read these tables, and update the instances from the rows of the tables in both masks. */
static int kvm_read(struct kvm_agent *agent, uint64_t tables, uint64_t rows)
{
	int err = collector_read_with_rows(agent->collector, tables, rows);
	int fill_err = kvm_indoms_fill(agent);

	return err ? err : fill_err;
}

/* Read every table that this fetch needs once, before the result is made. */
int kvm_fetch(int numpmid, pmID *pmids, pmResult **resp, pmdaExt *pmda)
{
	struct kvm_agent *agent = kvm_agent_of(pmda);
	uint64_t tables = 0, rows = 0;
	int err;

	if (agent->dso) /* a DSO has no loop that ticks */
		kvm_tick(agent);
	for (int i = 0; i < numpmid; i++) {
		const struct metric_ref *ref = kvm_ref_find(agent, pmids[i]);

		if (ref && ref->table != SIZE_MAX)
			tables |= 1ULL << ref->table;
		if (ref && ref->instances != SIZE_MAX)
			rows |= 1ULL << ref->instances;
	}
	err = kvm_read(agent, tables, rows);
	if (err)
		return err;
	return kvm_result_can(agent) ? kvm_result_make(agent, numpmid, pmids, resp) :
				       pmdaFetch(numpmid, pmids, resp, pmda);
}

int kvm_fetch_value(pmdaMetric *metric, unsigned int inst, pmAtomValue *atom)
{
	const struct metric_ref *ref = metric->m_user;
	struct kvm_agent *agent = kvm_the_agent;
	struct snapshot_table *table;
	const struct snapshot_cell *cell;
	int row;

	if (ref->table == SIZE_MAX)
		return PMDA_FETCH_NOVALUES;
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
	case METRIC_S64:
		atom->ll = (int64_t)cell->number;
		break;
	case METRIC_STRING:
		atom->cp = cell->text;
		break;
	}
	return PMDA_FETCH_STATIC;
}

/* For how long, in ns, an instance that is gone is listed: a logger asks for the list of all. */
#define LISTED_NS  UINT64_C(10000000000)
#define LISTED_MAX 2048

/* A list of instances that is made longer. */
struct listing {
	pmInResult *result;
	struct snapshot_table *table;
	bool failed;
};

static void past_list(void *data, uint32_t number, const char *name)
{
	struct listing *listing = data;
	pmInResult *result = listing->result;
	size_t n = (size_t)result->numinst + 1;
	int *numbers;
	char **names;

	if (listing->failed || n > listing->table->nrows + LISTED_MAX ||
	    snapshot_table_row(listing->table, number) >= 0)
		return;
	for (size_t i = listing->table->nrows; i + 1 < n; i++) {
		if (result->instlist[i] == (int)number)
			return; /* it went twice */
	}
	numbers = reallocarray(result->instlist, n, sizeof(*numbers));
	if (numbers)
		result->instlist = numbers;
	names = numbers ? reallocarray(result->namelist, n, sizeof(*names)) : NULL;
	if (names)
		result->namelist = names;
	listing->failed = !names || !(names[n - 1] = strdup(name));
	if (listing->failed)
		return; /* those listed so far are right */
	numbers[n - 1] = (int)number;
	result->numinst = (int)n;
}

/* The result of a request for the name of an instance that is gone, or PM_ERR_INST. */
static int past_name(const struct snapshot_table *table, pmInDom indom, int inst, pmInResult **resp)
{
	const char *name = past_names_find(table->past, table, (uint32_t)inst);
	pmInResult *result;

	if (!name)
		return PM_ERR_INST;
	result = calloc(1, sizeof(*result));
	if (!result)
		return -ENOMEM;
	result->namelist = calloc(1, sizeof(*result->namelist));
	if (result->namelist)
		result->namelist[0] = strdup(name);
	if (!result->namelist || !result->namelist[0]) {
		free(result->namelist);
		free(result);
		return -ENOMEM;
	}
	result->indom = indom;
	result->numinst = 1;
	*resp = result;
	return 0;
}

/*
 * VMs that ended a while ago are found by number, and the last few are listed, so that who got
 * their values gets their names.
 */
int kvm_instance(pmInDom indom, int inst, char *name, pmInResult **resp, pmdaExt *pmda)
{
	struct kvm_agent *agent = kvm_agent_of(pmda);
	enum metric_indom which = kvm_indom_find(indom);
	struct snapshot_table *table = NULL;
	int err;

	kvm_tick(agent);
	if (which == METRIC_INDOM_NULL)
		return PM_ERR_INDOM;
	if (agent->indom_tables[which] != SIZE_MAX)
		table = collector_snapshot(agent->collector)->tables[agent->indom_tables[which]];
	err = table ? kvm_read(agent, 0, 1ULL << agent->indom_tables[which]) : 0;
	if (!err)
		err = pmdaInstance(indom, inst, name, resp, pmda);
	if (!table || !table->past || name)
		return err;
	if (err == PM_ERR_INST && inst != (int)PM_IN_NULL)
		return past_name(table, indom, inst, resp);
	if (err >= 0 && inst == (int)PM_IN_NULL)
		past_names_each(table->past, table, LISTED_NS, past_list,
				&(struct listing){ .result = *resp, .table = table });
	return err;
}

int kvm_instances_update(struct kvm_agent *agent, pmInDom indom)
{
	enum metric_indom which = kvm_indom_find(indom);
	size_t table = which == METRIC_INDOM_NULL ? SIZE_MAX : agent->indom_tables[which];

	kvm_tick(agent);
	return table == SIZE_MAX ? 0 : kvm_read(agent, 0, 1ULL << table);
}

int kvm_pmid(const char *name, pmID *pmid, pmdaExt *pmda)
{
	return pmdaTreePMID(kvm_agent_of(pmda)->names, name, pmid);
}

int kvm_name(pmID pmid, char ***names, pmdaExt *pmda)
{
	return pmdaTreeName(kvm_agent_of(pmda)->names, pmid, names);
}

static bool is_subtree(const char *name)
{
	for (size_t i = 0; i < metrics_count; i++) {
		if (metric_is_subtree(&metrics[i]) && strcmp(metrics[i].name, name) == 0)
			return true;
	}
	return false;
}

/*
 * A subtree that has no metric here (no statistics before KVM is loaded) exists all the same. For
 * pmcd of PCP 6.2 and later an error would also hide all other metrics from whoever lists kvm.
 */
int kvm_children(const char *name, int traverse, char ***kids, int **status, pmdaExt *pmda)
{
	int n = pmdaTreeChildren(kvm_agent_of(pmda)->names, name, traverse, kids, status);

	if (n != PM_ERR_NAME || !is_subtree(name))
		return n;
	*kids = NULL;
	*status = NULL;
	return 0;
}
