/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* The PCP side, shared by pmda.c and pmda_metrics.c. */
#ifndef PMDAKVM_PMDA_H
#define PMDAKVM_PMDA_H

#include <pcp/pmapi.h>
#include <pcp/pmda.h>

#include "collector.h"
#include "items.h"
#include "metrics.h"

#include "domain.h"

/* Where a metric's values stand; behind pmdaMetric.m_user. */
struct metric_ref {
	const struct metric *metric;
	const char *name; /* its whole name */
	size_t table;	  /* its table's number; SIZE_MAX: no family reads it yet */
	size_t column;
};

struct kvm_agent {
	struct config config;
	struct items items;
	struct collector *collector;
	pmdaMetric *metrics;
	struct metric_ref *refs; /* [nmetrics], as metrics */
	size_t nmetrics;
	pmdaIndom indoms[METRIC_INDOMS];
	pmdaNameSpace *names; /* of the subtrees */
	uint64_t fresh;	      /* tables that this fetch has read */
	char *text;	      /* the last help text asked for */
};

/* The one agent of this process: two of libpcp_pmda's callbacks name none. */
extern struct kvm_agent *kvm_the_agent;

/* Make metrics, refs and indoms from THE table and the collector. 0 or -ENOMEM. */
int kvm_make_metrics(struct kvm_agent *agent);

/* Make the names of the subtrees, once the domain is known. 0 or a PCP error. */
int kvm_make_names(struct kvm_agent *agent, int domain);

/* Look which CPUs are online, and make instances of new ones. */
void kvm_look(struct kvm_agent *agent);

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

/* The DSO's way in: pmcd and "-K add" call it by this name. */
__attribute__((visibility("default"))) void kvm_init(pmdaInterface *dispatch);

/* The whole daemon. */
int pmda_main(int argc, char **argv);

#endif /* PMDAKVM_PMDA_H */
