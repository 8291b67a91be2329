/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Builds libpcp_pmda's metrics, instance domains and name space from metrics.def and the
 * snapshot.
 */
#ifndef PMDAKVM_PMDA_METRICS_H
#define PMDAKVM_PMDA_METRICS_H

#include "pmda/state.h"

/* The description of a metric, or of a subtree's with that item number. */
pmDesc kvm_desc(const struct metric *metric, int domain, unsigned item, enum metric_semantics sem,
		enum metric_units unit);

/*
 * Rebuild the agent's metrics, refs, indoms and the names of subtrees from metrics.def and the
 * collector's snapshot. Returns 0, -ENOMEM or a PCP error; on an error the metrics, refs and
 * names stay as they are.
 */
int kvm_make_metrics(struct kvm_agent *agent);

/* Update the instances of all instance domains from their tables' rows. Returns 0 or -ENOMEM. */
int kvm_indoms_fill(struct kvm_agent *agent);

/* Free what those two functions built. */
void kvm_metrics_free(struct kvm_agent *agent);

#endif /* PMDAKVM_PMDA_METRICS_H */
