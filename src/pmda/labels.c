// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "pmda/labels.h"

#include "pmda/state.h"

int kvm_label(int ident, int type, pmLabelSet **sets, pmdaExt *pmda)
{
	if (type == PM_LABEL_INDOM) {
		enum metric_indom indom = kvm_indom_find((pmInDom)ident);
		int err;

		if (indom == METRIC_INDOM_NULL)
			return PM_ERR_INDOM;
		err = pmdaAddLabels(sets, "%s", metric_indoms[indom].labels);
		return err < 0 ? err : 1;
	}
	if (type == PM_LABEL_ITEM) {
		const struct metric_ref *ref = kvm_ref_find(kvm_agent_of(pmda), (pmID)ident);
		const char *item = ref ? kvm_ref_item(ref) : NULL;
		int err;

		if (!item)
			return 0;
		err = pmdaAddLabels(sets, "{\"%s\":\"%s\"}",
				    ref->metric->group == ITEMS_TRACE ? "event" : "stat", item);
		return err < 0 ? err : 1;
	}
	return pmdaLabel(ident, type, sets, pmda);
}

int kvm_label_instance(pmInDom indom, unsigned int inst, pmLabelSet **set)
{
	const struct kvm_agent *agent = kvm_the_agent;
	enum metric_indom which = kvm_indom_find(indom);
	const struct metric_indom_desc *desc;
	const struct snapshot_table *table;
	const struct snapshot_row *found;
	int row, err = 0;

	if (which == METRIC_INDOM_NULL || agent->indom_tables[which] == SIZE_MAX)
		return 0;
	desc = &metric_indoms[which];
	table = collector_snapshot(agent->collector)->tables[agent->indom_tables[which]];
	row = snapshot_table_row(table, inst);
	if (row < 0)
		return 0;
	found = &table->rows[row];
	if (found->labels)
		err = pmdaAddLabels(set, "%s", found->labels->json);
	if (err >= 0 && desc->how == METRIC_LABEL_NUMBER)
		err = pmdaAddLabels(set, "{\"%s\":%u}", desc->label, inst);
	else if (err >= 0 && desc->how == METRIC_LABEL_LAST)
		err = pmdaAddLabels(set, "{\"%s\":\"%s\"}", desc->label,
				    metric_label_last(found->name));
	return err;
}
