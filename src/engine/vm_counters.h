/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Whose records are whose: assigns each record to a vCPU of the register, once, and keeps what
 * retired records have counted for as long as their VM runs. A sum over the records of a VM or vCPU
 * and what is kept of it never falls, whichever thread runs the vCPU and even if the thread ends.
 */
#ifndef PMDAKVM_VM_COUNTERS_H
#define PMDAKVM_VM_COUNTERS_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/engine.h"
#include "engine/vcpu_counters.h"
#include "vms/vm_register.h"

/* Whose a record is, by its number. */
struct record_use {
	uint32_t vm, vcpu; /* ids in the register; 0: not known (yet); no vCPU: it is gone */
	uint64_t gone;	   /* when no thread could find it any more, ns; 0: threads can */
	unsigned waits;	   /* ticks at which its thread had ended, and its vCPU was unknown */
	bool there;	   /* the last pass has seen its vCPU */
	bool settled;	   /* its thread has ended, and it stays */
	const struct vcpu *owner; /* its vCPU, while the register is as places were made; or NULL */
};

/* A record of a VM. */
struct record_place {
	uint32_t vm, vcpu, record;
};

/* What retired records of a vCPU have counted of one slot, its home; or of guest time. */
struct kept_counts {
	uint32_t vm, vcpu; /* no vCPU: it is gone, its VM is not */
	uint32_t slot;
	struct block sum;
};

/* The slot of kept_counts whose time is guest time. */
#define KEPT_GUEST_TIME COUNTER_SLOTS_MAX

struct vm_counters {
	struct vcpu_counters *counters;
	struct record_use *uses; /* [nuses], by record */
	size_t nuses;
	struct record_place *places; /* [nplaces], sorted */
	size_t nplaces, places_room;
	struct kept_counts *kept; /* [nkept], sorted */
	size_t nkept;
	size_t unknown;	     /* records whose vCPU is unknown */
	uint64_t changes;    /* the register's, when places were made */
	uint32_t taken;	     /* records_taken then */
	bool outdated;	     /* records were retired since */
	uint64_t generation; /* incremented as places change */
};

/* counters must outlive it. */
void vm_counters_init(struct vm_counters *all, struct vcpu_counters *counters);

void vm_counters_free(struct vm_counters *all);

/*
 * Assign new records, and find those whose vCPU is gone. Does nothing unless the register or the
 * records have changed. Returns 0, or -ENOMEM with everything as it was.
 */
int vm_counters_update(struct vm_counters *all, const struct vms *vms);

/*
 * Has the last pass of the register seen the thread that writes the record, or is that not known?
 */
bool vm_counters_thread_seen(const struct vm_counters *all, const struct vms *vms, uint32_t number);

/*
 * Have room for half a chunk of records more, and for each vCPU that is known, up to the limit, but
 * not beyond that time (ns). Returns as pool_grow().
 */
int vm_counters_grow(struct vm_counters *all, const struct vms *vms, uint64_t until);

/*
 * Before a record is retired: keep what it has counted, if its VM runs. Returns 0, or -ENOMEM with
 * nothing kept.
 */
int vm_counters_keep(struct vm_counters *all, uint32_t number);

/* The records of a VM, or of its vCPU (its id; 0: all of them): the first, and their number. */
const struct record_place *vm_counters_places(const struct vm_counters *all, uint32_t vm,
					      uint32_t vcpu, size_t *ret_n);

/* Sums of a VM, or of its vCPU (its id; 0: all of them), for the reason of a home slot. */
void vm_counters_sum(const struct vm_counters *all, uint32_t vm, uint32_t vcpu, unsigned home,
		     struct slot_sums *ret_sums);

/* The same over all reasons, but for max; *ret_guest_time is in ns. Returns whether it has run. */
bool vm_counters_total(const struct vm_counters *all, uint32_t vm, uint32_t vcpu,
		       struct slot_sums *ret_sums, struct slot_sums *ret_halts,
		       uint64_t *ret_guest_time);

/* The number of pairs in a bucket. */
uint64_t vm_counters_bucket(const struct vm_counters *all, uint32_t vm, unsigned home,
			    unsigned bucket);

/*
 * For each home slot the buckets that are not empty, as last read; has: whether the VM or vCPU has
 * counted the reason.
 */
struct slot_use {
	bool has;
	uint32_t buckets;
};

void vm_counters_slots(const struct vm_counters *all, uint32_t vm, uint32_t vcpu,
		       struct slot_use ret_slots[COUNTER_SLOTS_MAX]);

#endif /* PMDAKVM_VM_COUNTERS_H */
