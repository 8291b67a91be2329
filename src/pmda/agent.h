/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* The PCP side, shared by main.c and pmda*.c. */
#ifndef PMDAKVM_PMDA_H
#define PMDAKVM_PMDA_H

#include <pcp/pmapi.h>
#include <pcp/pmda.h>

#include "collector/collector.h"
#include "metrics/item_numbers.h"
#include "metrics/metric_table.h"

#include "domain.h"

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
	time_t looked; /* when it looked around last */
};

/* The one agent of this process: two of libpcp_pmda's callbacks name none. */
extern struct kvm_agent *kvm_the_agent;

/*
 * Make metrics, refs, indoms and the subtrees' names, from THE table and the
 * collector, in place of those that are there. 0, -ENOMEM or a PCP error; then
 * those that are there stay.
 */
int kvm_make_metrics(struct kvm_agent *agent);

/* After the collector's tables may have grown: have metrics and instances follow. */
void kvm_grown(struct kvm_agent *agent);

/* Look around, once a second at most: new CPUs, KVM come or gone. */
void kvm_look(struct kvm_agent *agent);

/* Log a report's lines, and clear it. */
void kvm_show_report(struct report *report);

/* Write down new item numbers; what goes wrong goes to the report. */
void kvm_save_items(struct kvm_agent *agent, struct report *report);

struct kvm_agent *kvm_agent_of(pmdaExt *pmda);

/* The metric with that PMID's cluster and item, or NULL. */
const struct metric_ref *kvm_ref_find(const struct kvm_agent *agent, pmID pmid);

/* The instance domain with that serial, or METRIC_INDOM_NULL. */
enum metric_indom kvm_indom_find(pmInDom indom);

/* Detach all and free; takes NULL. */
void kvm_free(struct kvm_agent *agent);

/* What libpcp_pmda calls. */
int kvm_fetch(int numpmid, pmID *pmids, pmResult **resp, pmdaExt *pmda);
int kvm_fetch_value(pmdaMetric *metric, unsigned int inst, pmAtomValue *atom);
int kvm_instance(pmInDom indom, int inst, char *name, pmInResult **resp, pmdaExt *pmda);
int kvm_text(int ident, int type, char **buffer, pmdaExt *pmda);
int kvm_pmid(const char *name, pmID *pmid, pmdaExt *pmda);
int kvm_name(pmID pmid, char ***names, pmdaExt *pmda);
int kvm_children(const char *name, int traverse, char ***kids, int **status, pmdaExt *pmda);
int kvm_label(int ident, int type, pmLabelSet **sets, pmdaExt *pmda);
int kvm_label_instance(pmInDom indom, unsigned int inst, pmLabelSet **set);
int kvm_store(pmResult *result, pmdaExt *pmda);
int kvm_attribute(int context, int attribute, const char *value, int length, pmdaExt *pmda);
void kvm_end_context(int context);

/* The DSO's way in: pmcd and "-K add" call it by this name. */
__attribute__((visibility("default"))) void kvm_init(pmdaInterface *dispatch);

/*
 * Start the agent and fill in the dispatch; its status says whether that went well.
 * config_path NULL: the default.
 */
void kvm_setup(pmdaInterface *dispatch, const char *config_path, bool dso);

#endif /* PMDAKVM_PMDA_H */
