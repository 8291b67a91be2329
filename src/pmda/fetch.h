/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* libpcp_pmda's callbacks for values, instances and dynamic names. */
#ifndef PMDAKVM_PMDA_FETCH_H
#define PMDAKVM_PMDA_FETCH_H

#include <pcp/pmapi.h>
#include <pcp/pmda.h>

#include "pmda/state.h"

/* Bring an instance domain's instances, and their labels, up to date. Returns 0 or -ENOMEM. */
int kvm_instances_update(struct kvm_agent *agent, pmInDom indom);

int kvm_fetch(int numpmid, pmID *pmids, pmResult **resp, pmdaExt *pmda);
int kvm_fetch_value(pmdaMetric *metric, unsigned int inst, pmAtomValue *atom);
int kvm_instance(pmInDom indom, int inst, char *name, pmInResult **resp, pmdaExt *pmda);
int kvm_pmid(const char *name, pmID *pmid, pmdaExt *pmda);
int kvm_name(pmID pmid, char ***names, pmdaExt *pmda);
int kvm_children(const char *name, int traverse, char ***kids, int **status, pmdaExt *pmda);

#endif /* PMDAKVM_PMDA_FETCH_H */
