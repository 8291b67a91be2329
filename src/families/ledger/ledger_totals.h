/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Sums up ledgers by vCPU, VM and host. All are read once, so the sums agree with each other. */
#ifndef PMDAKVM_LEDGER_TOTALS_H
#define PMDAKVM_LEDGER_TOTALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/vcpu_list.h"
#include "families/ledger/ledger_record.h"

struct ledger_total {
	struct vcpu_ids of;
	struct ledger_times times;
	/* Of the thread that had the last edge: of several that ran a vCPU, one runs it now. */
	bool is_open;
	enum ledger_state state;
	uint64_t since; /* ns */
	/* What is kept of retired ledgers has it; it is read else as it is asked for. */
	struct ledger_halts *halts;
};

struct ledger_totals {
	const struct vm_counters *records; /* whose records are whose */
	struct ledger_ended *ended;	   /* pinned memory */
	struct vcpu_list vcpus;		   /* as last read, by VM and vCPU, each once */
	struct vcpu_list kept; /* of retired records of VMs that run; no VM's total falls */
	struct ledger_times host;
	uint64_t now; /* when they were read, ns */
};

/* Takes a zeroed struct. */
void ledger_totals_free(struct ledger_totals *totals);

/*
 * Read all ledgers, and sum them up. vms: the register, to which they are assigned; flag: that of
 * the programs; now is in ns. Returns 0 or -ENOMEM.
 */
int ledger_totals_read(struct ledger_totals *totals, const struct vms *vms, uint32_t flag,
		       uint64_t now);

/* A record is about to be retired, and no program writes it: keep its VM's. Returns 0 or -ENOMEM.
 */
int ledger_totals_retire(struct ledger_totals *totals, uint32_t number);

/* The totals of a VM, or of its vCPU (0: all of them): the first, and their number. */
const struct ledger_total *ledger_totals_of(const struct ledger_totals *totals, uint32_t vm,
					    uint32_t vcpu, size_t *ret_n);

/* What is kept of its retired ledgers, likewise. */
const struct ledger_total *ledger_totals_kept(const struct ledger_totals *totals, uint32_t vm,
					      uint32_t vcpu, size_t *ret_n);

#endif /* PMDAKVM_LEDGER_TOTALS_H */
