/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Reads a thread's ledger while the thread writes it, and takes back that of one that has ended. */
#ifndef PMDAKVM_LEDGER_RECORD_H
#define PMDAKVM_LEDGER_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/ledger.h"
#include "engine/pool.h"

struct ledger_times {
	uint64_t time[LEDGER_STATES]; /* ns, by enum ledger_state */
};

static inline void ledger_times_add(struct ledger_times *to, const struct ledger_times *from)
{
	for (unsigned i = 0; i < LEDGER_STATES; i++)
		to->time[i] += from->time[i];
}

/* Add what a ledger has counted of halts; its thread may count meanwhile. */
void ledger_halts_add(struct ledger_halts *to, const struct ledger_halts *from);

/* What a ledger has, and the interval that no edge has ended yet. */
struct ledger_reading {
	struct ledger_times times;
	bool is_open;
	enum ledger_state state; /* since the last edge */
	uint64_t since;		 /* time of the last edge, ns */
};

/*
 * Read a ledger, at one moment: all edges of before are in, none of after. flag: that of the
 * programs; 0: they are detached, and nothing is open, as in a ledger of before. While a vCPU is in
 * KVM after an exit in which it sleeps (HLT, WFx), the open state is LEDGER_HALTED.
 */
void ledger_record_read(const struct ledger_record *record, uint32_t flag,
			struct ledger_reading *ret_reading);

/*
 * No program writes the record any more: move its times to ended, under a journal there. Whoever is
 * killed in between is followed by ledger_record_recover(), before records are read.
 */
void ledger_record_retire(struct ledger_ended *ended, const struct pool *records, uint32_t number);
void ledger_record_recover(struct ledger_ended *ended, const struct pool *records);

#endif /* PMDAKVM_LEDGER_RECORD_H */
