// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "pmda/result.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NEWS  (PMDA_EXT_LABEL_CHANGE | PMDA_EXT_NAMES_CHANGE)
#define ALIGN 8

static pmdaResultCallBack free_values; /* libpcp_pmda's own */

bool kvm_result_can(const struct kvm_agent *agent)
{
	const pmProfile *profile = agent->pmda->e_prof;

	return !agent->dso && !(agent->pmda->e_flags & NEWS) && profile &&
	       profile->state == PM_PROFILE_INCLUDE && !profile->profile_len;
}

/* The table of a metric's instances; NULL: it has one value, or none. */
static struct snapshot_table *instances_of(struct kvm_agent *agent, const struct metric_ref *ref)
{
	return ref->instances == SIZE_MAX ?
		       NULL :
		       collector_snapshot(agent->collector)->tables[ref->instances];
}

static size_t aligned(size_t bytes)
{
	return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

static size_t text_bytes(const struct snapshot_cell *cell)
{
	return PM_VAL_HDR_SIZE + (cell->text ? strlen(cell->text) : 0) + 1;
}

/* The most bytes that a metric's set and values can take. */
static size_t set_bytes(struct kvm_agent *agent, const struct metric_ref *ref)
{
	const struct snapshot_table *instances, *table;
	size_t bytes = sizeof(pmValueSet), rows;

	if (!ref || ref->table == SIZE_MAX)
		return aligned(bytes);
	table = collector_snapshot(agent->collector)->tables[ref->table];
	instances = instances_of(agent, ref);
	rows = instances ? instances->nrows : 1;
	bytes += rows * (sizeof(pmValue) + PM_VAL_HDR_SIZE + sizeof(uint64_t));
	for (size_t i = 0; ref->metric->type == METRIC_STRING && i < table->nrows; i++)
		bytes += aligned(text_bytes(snapshot_table_cell(table, i, ref->column)));
	return aligned(bytes);
}

/* Make room for the result and its values. What the last one had is lost. */
static int room_make(struct kvm_agent *agent, int numpmid, const pmID *pmids)
{
	size_t need = aligned(sizeof(pmResult) + (size_t)numpmid * sizeof(pmValueSet *));

	for (int i = 0; i < numpmid; i++)
		need += set_bytes(agent, kvm_ref_find(agent, pmids[i]));
	if (need <= agent->result_room)
		return 0;
	free(agent->result);
	agent->result = malloc(need);
	agent->result_room = agent->result ? need : 0;
	return agent->result ? 0 : -ENOMEM;
}

static char *number_put(int type, const struct snapshot_cell *cell, char *at)
{
	pmValueBlock *block = (pmValueBlock *)at;

	block->vlen = PM_VAL_HDR_SIZE + sizeof(cell->number);
	block->vtype = (unsigned)type;
	memcpy(block->vbuf, &cell->number, sizeof(cell->number));
	return at + PM_VAL_HDR_SIZE + sizeof(cell->number);
}

static char *text_put(const struct snapshot_cell *cell, char *at)
{
	pmValueBlock *block = (pmValueBlock *)at;
	size_t bytes = text_bytes(cell);

	block->vlen = (unsigned)bytes;
	block->vtype = PM_TYPE_STRING;
	memcpy(block->vbuf, cell->text ? cell->text : "", bytes - PM_VAL_HDR_SIZE);
	return at + aligned(bytes);
}

/* Set a value from a cell. Returns the end of its bytes, which begin at at. */
static char *value_put(enum metric_type type, const struct snapshot_cell *cell, char *at,
		       pmValue *value)
{
	value->value.pval = (pmValueBlock *)at;
	switch (type) {
	case METRIC_U32:
		value->value.lval = (int)(uint32_t)cell->number;
		break;
	case METRIC_U64:
		return number_put(PM_TYPE_U64, cell, at);
	case METRIC_S64:
		return number_put(PM_TYPE_64, cell, at);
	case METRIC_STRING:
		return text_put(cell, at);
	}
	return at;
}

/* Fill in a metric's values. Returns the end of their bytes. */
static char *set_fill(struct kvm_agent *agent, const struct metric_ref *ref, pmValueSet *set)
{
	struct snapshot_table *table, *instances = instances_of(agent, ref);
	size_t rows = instances ? instances->nrows : 1;
	char *at = (char *)&set->vlist[rows];

	table = collector_snapshot(agent->collector)->tables[ref->table];
	set->valfmt = ref->metric->type == METRIC_U32 ? PM_VAL_INSITU : PM_VAL_DPTR;
	for (size_t i = 0; i < rows; i++) {
		uint32_t number = instances ? instances->rows[i].number : 0;
		int row = instances == table ? (int)i : snapshot_table_row(table, number);
		const struct snapshot_cell *cell;
		pmValue *value = &set->vlist[set->numval];

		if (row < 0)
			continue;
		cell = snapshot_table_cell(table, (size_t)row, ref->column);
		if (!cell->present)
			continue;
		value->inst = instances ? (int)number : (int)PM_IN_NULL;
		at = value_put(ref->metric->type, cell, at, value);
		set->numval++;
	}
	return at;
}

int kvm_result_make(struct kvm_agent *agent, int numpmid, const pmID *pmids, pmResult **ret_result)
{
	pmResult *result;
	char *at;

	if (room_make(agent, numpmid, pmids))
		return -ENOMEM;
	result = agent->result;
	/* what a status would be in */
	memset(&result->timestamp, 0, sizeof(result->timestamp));
	result->numpmid = numpmid;
	at = (char *)result + aligned(sizeof(pmResult) + (size_t)numpmid * sizeof(pmValueSet *));
	for (int i = 0; i < numpmid; i++) {
		const struct metric_ref *ref = kvm_ref_find(agent, pmids[i]);
		pmValueSet *set = (pmValueSet *)at;

		result->vset[i] = set;
		set->pmid = pmids[i];
		set->numval = ref ? 0 : PM_ERR_PMID;
		set->valfmt = PM_VAL_INSITU;
		at += sizeof(*set);
		if (ref && ref->table != SIZE_MAX)
			at = set_fill(agent, ref, set);
		at = (char *)result + aligned((size_t)(at - (char *)result));
	}
	*ret_result = result;
	return 0;
}

/* Those of pmdaFetch() are freed by libpcp_pmda. */
static void kvm_result_done(pmResult *result)
{
	struct kvm_agent *agent = kvm_the_agent;

	if (!agent || result != agent->result)
		free_values(result);
}

void kvm_result_begin(pmdaInterface *dispatch)
{
	free_values = dispatch->version.any.ext->e_resultCallBack;
	pmdaSetResultCallBack(dispatch, kvm_result_done);
}

void kvm_result_free(struct kvm_agent *agent)
{
	free(agent->result);
}
