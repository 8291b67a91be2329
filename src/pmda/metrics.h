/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* libpcp_pmda's metrics, instance domains and name space, made of THE table and the snapshot. */
#ifndef PMDAKVM_PMDA_METRICS_H
#define PMDAKVM_PMDA_METRICS_H

#include "pmda/state.h"

/*
 * Make metrics, refs, indoms and the subtrees' names, from THE table and the
 * collector, in place of those that are there. 0, -ENOMEM or a PCP error; then
 * those that are there stay.
 */
int kvm_make_metrics(struct kvm_agent *agent);

/* Have the instances of all domains follow their tables' rows. 0 or -ENOMEM. */
int kvm_indoms_fill(struct kvm_agent *agent);

/* Free what those two have made. */
void kvm_metrics_free(struct kvm_agent *agent);

#endif /* PMDAKVM_PMDA_METRICS_H */
