/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* The PCP agent's state, shared by the files of this folder, and how it talks to the log. */
#ifndef PMDAKVM_PMDA_STATE_H
#define PMDAKVM_PMDA_STATE_H

#include <pcp/pmapi.h>
#include <pcp/pmda.h>

#include "collector/collector.h"
#include "metrics/item_numbers.h"
#include "metrics/metric_table.h"

/* Where a metric's values stand; behind pmdaMetric.m_user. */
struct metric_ref {
	const struct metric *metric;
	const char *name; /* its whole name */
	unsigned key;	  /* of its PMID: cluster and item */
	size_t table;	  /* its table's number; SIZE_MAX: no family here has it */
	size_t instances; /* the number of the table that its instances are of, or SIZE_MAX */
	size_t column;
};

/* Who a client is, as pmcd tells. */
struct kvm_client {
	int context;
	uid_t uid;
};

struct kvm_agent {
	struct config config;
	struct items items;
	struct collector *collector;
	pmdaMetric *metrics;
	struct metric_ref *refs;	 /* [nmetrics], as metrics */
	const struct metric_ref **index; /* [nmetrics], by key */
	size_t nmetrics;
	pmdaIndom indoms[METRIC_INDOMS];
	size_t indom_tables[METRIC_INDOMS];    /* whose rows they are; SIZE_MAX: not there */
	uint64_t indom_changes[METRIC_INDOMS]; /* of the table, when indoms had its rows */
	size_t last_row;		       /* that a value was asked for from */
	pmdaNameSpace *names;		       /* of the subtrees */
	char *text;			       /* the last help text asked for */
	struct kvm_client *clients;
	size_t nclients;
	pmdaExt *pmda; /* pmcd may move a DSO's pmdaInterface, but not this */
	int domain;
	bool dso;
	bool behind;   /* metrics could not be made of what the tables have */
	time_t ticked; /* when it looked around last */
};

/*
 * The one agent of this process: two of libpcp_pmda's callbacks name none. The metrics are
 * made before it is set.
 */
extern struct kvm_agent *kvm_the_agent;

struct kvm_agent *kvm_agent_of(pmdaExt *pmda);

/* The metric with that PMID's cluster and item, or NULL. */
const struct metric_ref *kvm_ref_find(const struct kvm_agent *agent, pmID pmid);

/* The event or statistic that a metric of a subtree is of; NULL for other metrics. */
const char *kvm_ref_item(const struct metric_ref *ref);

/* The instance domain with that serial, or METRIC_INDOM_NULL. */
enum metric_indom kvm_indom_find(pmInDom indom);

/* What metric_ref.key is for a PMID's cluster and item. */
static inline unsigned kvm_metric_key(unsigned cluster, unsigned item)
{
	return cluster << 10 | item;
}

/* Log a report's lines, and clear it. */
void kvm_show_report(struct report *report);

/* Write down new item numbers; what goes wrong goes to the report. */
void kvm_save_items(struct kvm_agent *agent, struct report *report);

#endif /* PMDAKVM_PMDA_STATE_H */
