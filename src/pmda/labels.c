// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "pmda/labels.h"

#include <errno.h>
#include <stdlib.h>

#include "pmda/fetch.h"
#include "pmda/state.h"

/* Labels of an instance domain. Returns a number of labels, or an error. */
static int indom_labels(pmInDom ident, pmLabelSet **sets)
{
	enum metric_indom indom = kvm_indom_find(ident);

	if (indom == METRIC_INDOM_NULL)
		return PM_ERR_INDOM;
	return pmdaAddLabels(sets, "%s", metric_indoms[indom].labels);
}

/* The label of a metric of a subtree: its event or statistic. */
static int item_labels(pmID ident, pmLabelSet **sets, pmdaExt *pmda)
{
	const struct metric_ref *ref = kvm_ref_find(kvm_agent_of(pmda), ident);
	const char *item = ref ? kvm_ref_item(ref) : NULL;

	if (!item)
		return 0;
	return pmdaAddLabels(sets, "{\"%s\":\"%s\"}",
			     ref->metric->group == ITEMS_TRACE ? "event" : "stat", item);
}

/* pmdaLabel() finishes every set: it adds the flag of the level. */
int kvm_label(int ident, int type, pmLabelSet **sets, pmdaExt *pmda)
{
	int err = 0;

	if (type == PM_LABEL_INDOM)
		err = indom_labels((pmInDom)ident, sets);
	else if (type == PM_LABEL_ITEM)
		err = item_labels((pmID)ident, sets, pmda);
	else if (type == PM_LABEL_INSTANCES)
		err = kvm_instances_update(kvm_agent_of(pmda), (pmInDom)ident);
	return err < 0 ? err : pmdaLabel(ident, type, sets, pmda);
}

int kvm_label_instance(pmInDom indom, unsigned int inst, pmLabelSet **set)
{
	const struct kvm_agent *agent = kvm_the_agent;
	enum metric_indom which = kvm_indom_find(indom);
	const struct labels *labels[2];
	struct snapshot_table *table;
	char *json;
	int row, err;

	if (which == METRIC_INDOM_NULL || agent->indom_tables[which] == SIZE_MAX)
		return 0;
	table = collector_snapshot(agent->collector)->tables[agent->indom_tables[which]];
	row = snapshot_table_row(table, inst);
	if (row < 0)
		return 0;
	labels[0] = table->rows[row].labels;
	labels[1] = table->rows[row].own;
	json = labels_json(labels, 2);
	if (!json)
		return -ENOMEM;
	err = pmdaAddLabels(set, "%s", json);
	free(json);
	return err;
}
