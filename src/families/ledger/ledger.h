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
	bool exits;	  /* this KVM fires kvm_exit, so guest and KVM can be told apart */
	bool names_vcpus; /* it names the vCPU */
	bool has_ready;	  /* the kernel says how long a thread has waited for a CPU */
	bool reads_polls; /* kernel memory can be read */
	bool has_polls;	  /* and it is known where KVM has its statistics of polling */
	bool has_read;	  /* all ledgers were read */
	int read_err;	  /* of reading them */
};

#define LEDGER_TABLES 3
extern const struct table ledger_tables[LEDGER_TABLES];

#endif /* PMDAKVM_LEDGER_H */
