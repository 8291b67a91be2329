// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "pmda/help_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metrics/help.h"
#include "pmda/state.h"

/* What is said when a statistic has no value; the table's own reasons precede it. */
#define NO_STATISTIC                                                          \
	"No value: KVM here has no such statistic, or statistics cannot be\n" \
	"read; kvm.agent.family.status says why."

/* Where a name that this version does not know comes from. */
#define FROM_KERNEL                                                                       \
	"The name is the kernel's: this version of the agent does not know it. It is a\n" \
	"member of struct kvm_vm_stat or kvm_vcpu_stat, which KVM's type information\n"   \
	"lists; Linux's Documentation/virt/kvm/api.rst, KVM_GET_STATS_FD, and\n"          \
	"include/linux/kvm_types.h tell more.\n"

/* The part of the help text that all metrics of a subtree share; it follows the item's own. */
static const struct subtree_texts {
	const char *table;
	/* help of an item not in tracepoint_items.def, stat_items.def: the name is between */
	const char *unknown, *unknown_after;
	const char *what;			/* the item's name follows */
	const char *by_kind[STAT_LOG_HIST + 1]; /* follow the name, by the item's kind; NULL: any */
	const char *any;  /* the same, if the kind is not known or has no text */
	const char *from; /* where an unknown name comes from */
	const char *end;
} subtree_texts[] = {
	{ .table = "trace",
	  .unknown = "Tracepoint kvm:",
	  .unknown_after = " of this kernel",
	  .what = "How often the tracepoint kvm:",
	  .any = " fired on each CPU since the agent attached to\nit.",
	  .from = "The name is the kernel's: this version of the agent does not know it. The\n"
		  "kernel's include/trace/events and arch/*/kvm/trace.h define the event.\n",
	  .end = "No value: the event is not attached; kvm.agent.event.status gives the reason.\n"
		 "Runs of the program that the kernel skipped are not included;\n"
		 "kvm.agent.event.missed counts them." },
#define STATISTIC(table_name, what_text, cumulative, instant, peak, any_text, end_text)         \
	.table = table_name, .unknown = "KVM's statistic ", .unknown_after = " of this kernel", \
	.what = what_text,                                                                      \
	.by_kind = { [STAT_CUMULATIVE] = cumulative,                                            \
		     [STAT_INSTANT] = instant,                                                  \
		     [STAT_PEAK] = peak },                                                      \
	.any = any_text, .from = FROM_KERNEL, .end = end_text
#define HOST_STATISTIC(table_name)                                                             \
	STATISTIC(table_name, "KVM's statistic ",                                              \
		  ", summed over all VMs, those that have\nended included.",                   \
		  ", summed over the VMs that run: a\ngauge, which goes up and down.",         \
		  ", the largest of all VMs that run: a\npeak, which is no sum.",              \
		  " of all VMs. A counter is summed over\n"                                    \
		  "all VMs, those that have ended included; a gauge over those that run; of\n" \
		  "peaks it is the largest.",                                                  \
		  NO_STATISTIC)
	{ HOST_STATISTIC("stock") },
	{ HOST_STATISTIC("stat") },
	{ STATISTIC("stat_hist", "KVM's histogram ", NULL, NULL, NULL,
		    ", summed over all VMs, including those that have\n"
		    "ended: how often a value fell into each bucket.",
		    NO_STATISTIC) },
	{ STATISTIC(
		"vm_stat", "KVM's statistic ",
		" of each VM since it was created: the VM's own\nvalue, or the sum over its vCPUs.",
		" of each VM now: the VM's own value, or the sum\nover its vCPUs.",
		" of each VM: the largest since it was created,\nits own or of one of its vCPUs.",
		" of each VM: the VM's own value, or, over its\n"
		"vCPUs, the sum, or of peaks the largest.",
		NO_STATISTIC) },
	{ STATISTIC(
		"vm_stat_hist", "KVM's histogram ", NULL, NULL, NULL,
		" of each VM, summed over its vCPUs: how often a\n"
		"value fell into each bucket. A bucket has no instance until a value falls into it.",
		NO_STATISTIC) },
	{ STATISTIC("vcpu_stat", "KVM's statistic ", " of each vCPU since it was created.",
		    " of each vCPU now.", " of each vCPU: the largest since it was created.",
		    " of each vCPU.", NO_STATISTIC) },
	{ STATISTIC("vcpu_stat_hist", "KVM's histogram ", NULL, NULL, NULL,
		    " of each vCPU: how often a value fell into each\n"
		    "bucket. A bucket has no instance until a value falls into it.",
		    NO_STATISTIC) },
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

static int text_make(const struct subtree_texts *texts, const char *name, const struct item *item,
		     bool oneline, char **ret_text)
{
	const char *kind = item ? texts->by_kind[item->kind] : NULL;
	char *first;
	int ret;

	if (item)
		ret = asprintf(&first, "%s", item->help);
	else
		ret = asprintf(&first, "%s%s%s", texts->unknown, name, texts->unknown_after);
	if (ret < 0)
		return -ENOMEM;
	if (oneline) {
		*ret_text = first;
		return 0;
	}
	ret = asprintf(ret_text, "%s.\n%s%s%s\n%s%s", first, texts->what, name,
		       kind ? kind : texts->any, item ? "" : texts->from, texts->end);
	free(first);
	return ret < 0 ? -ENOMEM : 0;
}

/* The text of a statistic or an event, of a subtree, or one that the stock agent has. */
static int item_text(const struct metric_ref *ref, bool oneline, char **ret_text)
{
	const char *name = metric_is_subtree(ref->metric) ? kvm_ref_item(ref) : ref->metric->column;
	enum item_group group = metric_is_subtree(ref->metric) ? ref->metric->group : ITEMS_STAT;
	const struct subtree_texts *texts = subtree_texts_of(ref->metric->table);

	if (!texts)
		return PM_ERR_TEXT;
	return text_make(texts, name, items_find(group, name), oneline, ret_text);
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
		err = kvm_ref_item(ref) || strcmp(ref->metric->table, "stock") == 0 ?
			      item_text(ref, oneline, &text) :
			      metric_text(ref, oneline, &text);
	}
	if (err)
		return err;
	free(agent->text); /* the caller has finished with the previous text */
	agent->text = *buffer = text;
	return 0;
}
