// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "pmda/help_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmda/help.h"
#include "pmda/state.h"

/* The part of the help text that all metrics of a subtree share; it follows the item's own. */
static const struct subtree_texts {
	const char *table;
	const char *unknown; /* help of an item not in tracepoint_items.def, stat_items.def */
	const char *before, *after; /* the item's name goes between them */
} subtree_texts[] = {
	{ "trace", "Tracepoint of the kernel's kvm group", "How often the tracepoint kvm:",
	  " fired on each CPU since the agent attached to\n"
	  "it. No value: the event is not attached; kvm.agent.event.status gives the reason.\n"
	  "Runs of the program that the kernel skipped are not included;\n"
	  "kvm.agent.event.missed counts them." },
	{ "stat", "Statistic kept by KVM", "KVM's statistic ",
	  ", summed over all VMs. A counter includes the counts\n"
	  "of VMs that have ended." },
	{ "stat_hist", "Histogram kept by KVM", "KVM's histogram ",
	  ", summed over all VMs, including those that have ended: how\n"
	  "often a value fell into each bucket." },
	{ "vm_stat", "Statistic kept by KVM", "KVM's statistic ",
	  " of each VM: the VM's own value, or the sum over its vCPUs." },
	{ "vm_stat_hist", "Histogram kept by KVM", "KVM's histogram ",
	  " of each VM, summed over its vCPUs: how often a value\n"
	  "fell into each bucket. A bucket has no instance until a value falls into it." },
	{ "vcpu_stat", "Statistic kept by KVM", "KVM's statistic ", " of each vCPU." },
	{ "vcpu_stat_hist", "Histogram kept by KVM", "KVM's histogram ",
	  " of each vCPU: how often a value fell into each bucket.\n"
	  "A bucket has no instance until a value falls into it." },
};

/* The texts of a subtree, by its table; NULL: it has none. */
static const struct subtree_texts *subtree_texts_of(const char *table)
{
	for (size_t i = 0; i < sizeof(subtree_texts) / sizeof(subtree_texts[0]); i++) {
		if (strcmp(subtree_texts[i].table, table) == 0)
			return &subtree_texts[i];
	}
	return NULL;
}

static int item_text(const struct metric_ref *ref, bool oneline, char **ret_text)
{
	const struct item *item = items_find(ref->metric->group, kvm_ref_item(ref));
	const struct subtree_texts *texts = subtree_texts_of(ref->metric->table);
	const char *help;
	int ret;

	if (!texts)
		return PM_ERR_TEXT;
	help = item ? item->help : texts->unknown;
	if (oneline)
		ret = asprintf(ret_text, "%s", help);
	else
		ret = asprintf(ret_text, "%s.\n%s%s%s", help, texts->before, kvm_ref_item(ref),
			       texts->after);
	return ret < 0 ? -ENOMEM : 0;
}

static int metric_text(const struct metric_ref *ref, bool oneline, char **ret_text)
{
	const struct help *help = help_of(ref->name);
	int ret;

	if (!help)
		return PM_ERR_TEXT;
	if (oneline || !*help->text)
		ret = asprintf(ret_text, "%s", help->oneline);
	else
		ret = asprintf(ret_text, "%s.\n%s", help->oneline, help->text);
	return ret < 0 ? -ENOMEM : 0;
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
		text = strdup(metric_indoms[indom].text);
		err = text ? 0 : -ENOMEM;
	} else {
		const struct metric_ref *ref = kvm_ref_find(agent, (pmID)ident);

		if (!ref)
			return PM_ERR_PMID;
		err = kvm_ref_item(ref) ? item_text(ref, oneline, &text) :
					  metric_text(ref, oneline, &text);
	}
	if (err)
		return err;
	free(agent->text); /* the caller has finished with the previous text */
	agent->text = *buffer = text;
	return 0;
}
