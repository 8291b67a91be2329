/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* State of the ledger family: ledger.c loads and reads, ledger_tables.c fills. */
#ifndef PMDAKVM_LEDGER_H
#define PMDAKVM_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/record_family.h"
#include "families/ledger/ledger_totals.h"
#include "vms/tables.h"

struct ledger {
	struct record_family family;
	struct ledger_totals totals;
	const struct ledger_row *rows; /* mapped, [cpus->n] */
	struct ledger_ended *ended;    /* mapped */
	bool exits;	     /* this KVM fires kvm_exit, so guest and KVM can be told apart */
	bool names_vcpus;    /* it names the vCPU */
	bool has_ready;	     /* the kernel says how long a thread has waited for a CPU */
	bool reads_polls;    /* kernel memory can be read */
	bool has_polls;	     /* and it is known where KVM has its statistics of polling */
	bool has_attempts;   /* and how often it has polled */
	bool has_read;	     /* all ledgers were read */
	int read_err;	     /* of reading them */
	uint64_t seen;	     /* buckets that had rows at the last read of halts */
	uint64_t generation; /* of VMs' records then */
};

#define LEDGER_TABLES 6
extern const struct table ledger_tables[LEDGER_TABLES];

/* Tables of halts: ledger_halt_tables.c. Variants are those with buckets, by time in ns. */
enum { LEDGER_VM_BUCKETS = 1, LEDGER_VCPU_BUCKETS };
extern const char *const ledger_halt_columns[], *const ledger_vm_bucket_columns[],
							*const ledger_vcpu_bucket_columns[];
int ledger_halt_fill(void *state, const struct table_row *row);
int ledger_vm_bucket_keys(void *state, const struct owner *owner, struct table_sync *sync);
int ledger_vcpu_bucket_keys(void *state, const struct owner *owner, struct table_sync *sync);
int ledger_bucket_fill(void *state, const struct table_row *row);

#endif /* PMDAKVM_LEDGER_H */
