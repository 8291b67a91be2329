/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* The agent's work between requests: following CPUs, KVM, and tables that change. */
#ifndef PMDAKVM_PMDA_TICK_H
#define PMDAKVM_PMDA_TICK_H

#include "pmda/state.h"

/* Rebuild metrics and instances after the collector's tables may have changed. */
void kvm_grown(struct kvm_agent *agent);

/* Run collector_tick() and follow its changes; at most once a second. */
void kvm_tick(struct kvm_agent *agent);

#endif /* PMDAKVM_PMDA_TICK_H */
