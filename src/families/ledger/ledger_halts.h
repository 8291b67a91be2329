/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Sums up halts and wake-ups of a VM or vCPU, over its ledgers and what is kept of retired ones. */
#ifndef PMDAKVM_LEDGER_HALTS_H
#define PMDAKVM_LEDGER_HALTS_H

#include <stdbool.h>
#include <stdint.h>

#include "families/ledger/ledger_totals.h"

/* The halts of a VM, or of its vCPU (0: all of them). Returns whether it has a ledger. */
bool ledger_halts_of(const struct ledger_totals *totals, uint32_t vm, uint32_t vcpu,
		     struct ledger_halts *ret_halts);

/* One bucket of a histogram. */
uint64_t ledger_halts_bucket(const struct ledger_totals *totals, uint32_t vm, uint32_t vcpu,
			     enum ledger_histogram histogram, unsigned bucket);

/* A number that most likely changes when a bucket of any ledger gets its first count. */
uint64_t ledger_halts_seen(const struct ledger_totals *totals);

#endif /* PMDAKVM_LEDGER_HALTS_H */
