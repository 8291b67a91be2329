/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * The values of a fetch in one block of memory, which is kept for the next fetch. pmdaFetch()
 * allocates each value, and calls back for it.
 */
#ifndef PMDAKVM_PMDA_RESULT_H
#define PMDAKVM_PMDA_RESULT_H

#include "pmda/state.h"

/*
 * Can kvm_result_make() answer? The daemon can, if its client wants all instances, and nothing but
 * values is to be said to pmcd.
 */
bool kvm_result_can(const struct kvm_agent *agent);

/*
 * Make the result of a fetch from the snapshot, whose tables have been read, as pmdaFetch() would.
 * It is valid until the next one is made. Returns 0 or -ENOMEM.
 */
int kvm_result_make(struct kvm_agent *agent, int numpmid, const pmID *pmids, pmResult **ret_result);

/* Have libpcp_pmda not free such results. */
void kvm_result_begin(pmdaInterface *dispatch);

void kvm_result_free(struct kvm_agent *agent);

#endif /* PMDAKVM_PMDA_RESULT_H */
