/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* The PCP agent's state, which the files of this folder share, and its logging. */
#ifndef PMDAKVM_PMDA_STATE_H
#define PMDAKVM_PMDA_STATE_H

#include <pcp/pmapi.h>
#include <pcp/pmda.h>

#include "collector/collector.h"
#include "metrics/item_numbers.h"
#include "metrics/metric_table.h"

/* Where the values of a metric are in the snapshot; pmdaMetric.m_user points to it. */
struct metric_ref {
	const struct metric *metric;
	const char *name; /* the full name, with the item's in a subtree */
	unsigned key;	  /* kvm_metric_key() of its PMID */
	size_t table;	  /* index of its table in the snapshot; SIZE_MAX: no value on this host */
	size_t instances; /* index of the table whose rows are its instances, or SIZE_MAX */
	size_t column;
};

/* A client's user, from pmcd's PMDA_ATTR_USERID. */
struct kvm_client {
	int context;
	uid_t uid;
};

struct kvm_agent {
	struct config config;
	struct items items;
	struct instance_numbers *numbers;
	struct collector *collector;
	pmdaMetric *metrics;
	struct metric_ref *refs;	 /* [nmetrics], in the order of metrics */
	const struct metric_ref **index; /* [nmetrics], sorted by key */
	size_t nmetrics;
	pmdaIndom indoms[METRIC_INDOMS];
	size_t indom_tables[METRIC_INDOMS];    /* index of the instances' table, or SIZE_MAX */
	uint64_t indom_changes[METRIC_INDOMS]; /* the table's changes when indoms was filled */
	pmResult *result;		       /* of the last fetch, with its values (result.h) */
	size_t result_room;		       /* in bytes */
	pmdaNameSpace *names;		       /* names of the metrics in subtrees */
	char *text;			       /* the help text returned last */
	struct kvm_client *clients;
	size_t nclients;
	pmdaExt *pmda; /* pmcd may move a DSO's pmdaInterface, but not its pmdaExt */
	int domain;
	bool dso;
	bool outdated; /* rebuilding the metrics failed; the next tick tries again */
	time_t ticked; /* the second of the last tick */
};

/*
 * The only agent of this process, for libpcp_pmda's callbacks that pass no pmdaExt. NULL: there is
 * none.
 */
extern struct kvm_agent *kvm_the_agent;

struct kvm_agent *kvm_agent_of(pmdaExt *pmda);

/* The metric with that PMID's cluster and item, or NULL. */
const struct metric_ref *kvm_ref_find(const struct kvm_agent *agent, pmID pmid);

/* The name of the event or statistic that a metric of a subtree shows; NULL for other metrics. */
const char *kvm_ref_item(const struct metric_ref *ref);

/* The instance domain with that serial, or METRIC_INDOM_NULL. */
enum metric_indom kvm_indom_find(pmInDom indom);

/* metric_ref.key of a PMID's cluster and item (10 bits). */
static inline unsigned kvm_metric_key(unsigned cluster, unsigned item)
{
	return cluster << 10 | item;
}

/* Log a report's lines, and clear the report. */
void kvm_show_report(struct report *report);

/* Save new item numbers to their file; a failure adds a warning to the report. */
void kvm_save_items(struct kvm_agent *agent, struct report *report);

#endif /* PMDAKVM_PMDA_STATE_H */
