/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* What the agent does besides answering: it follows CPUs, KVM and tables that have grown. */
#ifndef PMDAKVM_PMDA_TICK_H
#define PMDAKVM_PMDA_TICK_H

#include "pmda/state.h"

/* After the collector's tables may have grown: have metrics and instances follow. */
void kvm_grown(struct kvm_agent *agent);

/* Look around, once a second at most: new CPUs, KVM come or gone. */
void kvm_tick(struct kvm_agent *agent);

#endif /* PMDAKVM_PMDA_TICK_H */
