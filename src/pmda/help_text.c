// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Help texts and labels, as libpcp_pmda asks for them. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmda/help.h"
#include "pmda/agent.h"

/* The event or statistic that a metric of a subtree is of, or NULL. */
static const char *ref_item(const struct metric_ref *ref)
{
	return metric_is_subtree(ref->metric) ? ref->name + strlen(ref->metric->name) + 1 : NULL;
}

/* What the metrics of a subtree have in common, after the words of their items. */
static const struct subtree_words {
	const char *table;
	const char *unknown;	    /* help of an item that items.def and stats.def do not know */
	const char *before, *after; /* with the item's name between them */
} subtree_words[] = {
	{ "trace", "Tracepoint of the kernel's kvm group", "How often the tracepoint kvm:",
	  " fired on each CPU since the agent attached to\n"
	  "it. No value: it is not attached; kvm.agent.event.status says why. Runs that\n"
	  "the kernel skipped are not in it, but in kvm.agent.event.missed." },
	{ "stat", "Statistic that KVM keeps", "KVM's statistic ",
	  ", summed up over all VMs. If it is a counter, what VMs\n"
	  "that have ended had counted is still in it." },
	{ "stat_hist", "Histogram that KVM keeps", "KVM's histogram ",
	  ", summed up over all VMs, those that have ended too: how often\n"
	  "a value fell into each bucket." },
	{ "vm_stat", "Statistic that KVM keeps", "KVM's statistic ",
	  " of each VM: its own, or summed up over its vCPUs." },
	{ "vm_stat_hist", "Histogram that KVM keeps", "KVM's histogram ",
	  " of each VM, summed up over its vCPUs: how often a value\n"
	  "fell into each bucket. A bucket that nothing fell into yet is not there." },
	{ "vcpu_stat", "Statistic that KVM keeps", "KVM's statistic ", " of each vCPU." },
	{ "vcpu_stat_hist", "Histogram that KVM keeps", "KVM's histogram ",
	  " of each vCPU: how often a value fell into each bucket.\n"
	  "A bucket that nothing fell into yet is not there." },
};

static int item_text(const struct metric_ref *ref, bool oneline, char **ret_text)
{
	const struct item *item = items_find(ref->metric->group, ref_item(ref));
	const struct subtree_words *words = subtree_words;
	const char *help;
	int ret;

	while (strcmp(words->table, ref->metric->table) != 0)
		words++;
	help = item ? item->help : words->unknown;
	if (oneline)
		ret = asprintf(ret_text, "%s", help);
	else
		ret = asprintf(ret_text, "%s.\n%s%s%s", help, words->before, ref_item(ref),
			       words->after);
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
		enum metric_indom indom = kvm_indom_find((pmInDom)ident);

		if (indom == METRIC_INDOM_NULL)
			return PM_ERR_INDOM;
		text = strdup(metric_indoms[indom].words);
		err = text ? 0 : -ENOMEM;
	} else {
		const struct metric_ref *ref = kvm_ref_find(agent, (pmID)ident);

		if (!ref)
			return PM_ERR_PMID;
		err = ref_item(ref) ? item_text(ref, oneline, &text) :
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
		enum metric_indom indom = kvm_indom_find((pmInDom)ident);
		int err;

		if (indom == METRIC_INDOM_NULL)
			return PM_ERR_INDOM;
		err = pmdaAddLabels(sets, "%s", metric_indoms[indom].labels);
		return err < 0 ? err : 1;
	}
	if (type == PM_LABEL_ITEM) {
		const struct metric_ref *ref = kvm_ref_find(kvm_agent_of(pmda), (pmID)ident);
		const char *item = ref ? ref_item(ref) : NULL;
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
