/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* The ledger family's pinned memory in one piece; a test writes what a vCPU's thread writes. */
#ifndef PMDAKVM_TESTS_FAKE_LEDGERS_H
#define PMDAKVM_TESTS_FAKE_LEDGERS_H

#include "families/ledger/ledger_totals.h"
#include "fakes/support.h"

#define FAKE_LEDGERS 5

/* The flag of the programs, as of now. */
#define FAKE_FLAG LEDGER_FLAG(3, LEDGER_KVM)

struct fake_ledgers {
	struct ledger_record records[FAKE_LEDGERS];
	struct ledger_ended ended;
};

/* The records of this memory, as a pool; there is one at a time. */
const struct pool *fake_ledgers_pool(struct fake_ledgers *memory);

/* A thread's first edge, at a time in ns, and the next ones. */
void fake_ledger_begin(struct ledger_record *record, uint64_t now, enum ledger_state state);
void fake_ledger_edge(struct ledger_record *record, uint64_t now, enum ledger_state next);

/* The sum over all states. */
uint64_t fake_ledger_sum(const struct ledger_times *times);

#endif /* PMDAKVM_TESTS_FAKE_LEDGERS_H */
