/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Reads slow exits while threads write them, and says whose they are. */
#ifndef PMDAKVM_SLOW_TOTALS_H
#define PMDAKVM_SLOW_TOTALS_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/slow.h"
#include "engine/vcpu_list.h"

/* Those of a vCPU; of a thread, before they are merged. */
struct slow_total {
	struct vcpu_ids of;
	uint64_t count; /* of all there were */
	unsigned n;
	struct slow_exit exits[SLOW_EXITS]; /* [n], the newest first */
};

struct slow_totals {
	const struct vm_counters *records; /* whose records are whose */
	struct vcpu_list vcpus;		   /* as last read, by VM and vCPU, each once */
	struct vcpu_list kept; /* of retired records of VMs that run; no VM's count falls */
};

/* Takes a zeroed struct. */
void slow_totals_free(struct slow_totals *totals);

/* Read what a record has; all are whole. Its VM and vCPU are unset. */
void slow_record_read(const struct slow_record *record, struct slow_total *ret_total);

/* Read all. vms: the register, to which records are assigned. Returns 0 or -ENOMEM. */
int slow_totals_read(struct slow_totals *totals, const struct vms *vms);

/*
 * A record is about to be retired, and no program writes it: keep its VM's; those of a vCPU that is
 * there still are shown. Returns 0 or -ENOMEM.
 */
int slow_totals_retire(struct slow_totals *totals, uint32_t number);

/* The totals of a VM, or of its vCPU (0: all of them): the first, and their number. */
const struct slow_total *slow_totals_of(const struct slow_totals *totals, uint32_t vm,
					uint32_t vcpu, size_t *ret_n);

#endif /* PMDAKVM_SLOW_TOTALS_H */
