/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Whose cells are: what VMs and vCPUs have, of cells that are read again and again. What a
 * cell has more than at the last read is added to its vCPU and VM, so that a sum never falls,
 * whichever thread runs the vCPU and whatever becomes of the thread.
 */
#ifndef PMDAKVM_CELLS_VMS_H
#define PMDAKVM_CELLS_VMS_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/vcpu_counters.h"
#include "kvm/exit_reasons.h"
#include "vms/vm_register.h"

/* A cell's reasons. */
static inline struct cell_reason *cell_reasons(const struct cell *cell)
{
	return (struct cell_reason *)(cell + 1);
}

/* How long a VM's exits of a reason took. */
struct cells_histogram {
	uint64_t count[EXIT_BUCKETS];
	uint32_t id[EXIT_BUCKETS]; /* as instances; 0: nothing fell into it yet */
};

/* A VM and a reason. */
struct cells_vm_reason {
	uint64_t count, time;
	uint32_t id;			   /* as an instance; 0: not counted yet */
	struct cells_histogram *histogram; /* NULL: none */
};

struct cells_vm {
	uint32_t id; /* struct vm's */
	bool there;  /* at the last read */
	struct cells_vm_reason reason[];
};

struct cells_vcpu {
	uint32_t id; /* struct vcpu's */
	bool there;
	uint64_t exits, guest_time, exit_time, halt_time;
};

/* What was taken of a cell already. */
struct cells_taken {
	struct cell_key key;
	bool there;
	unsigned waits; /* reads at which its vCPU was not known */
	struct cell *cell;
};

/* What was taken of a vCPU's histogram already. */
struct cells_taken_histogram {
	struct exit_vm_key key;
	bool there;
	unsigned waits;
	struct exit_buckets buckets;
};

/* Where a vCPU is found: by its address, or by its thread. */
struct cells_place {
	uint64_t by;
	const struct vm *vm;
	const struct vcpu *vcpu;
};

struct cells_vms {
	unsigned nslots;
	uint32_t last_id, last_bucket_id; /* of a VM and a reason; and a bucket */
	bool grown; /* a VM has a reason more than when somebody has last set this to false */
	struct cells_vm **vms; /* by id */
	size_t nvms;
	struct cells_vcpu *vcpus; /* by id */
	size_t nvcpus;
	struct cells_taken *taken; /* by key */
	size_t ntaken;
	struct cells_taken_histogram *histograms; /* by key */
	size_t nhistograms;
	struct cells_place *addresses, *threads; /* [nplaces] each, by what they say */
	size_t nplaces;
	bool sleeps[CELL_SLOTS_MAX]; /* reasons in which the vCPU may sleep */
};

void cells_vms_init(struct cells_vms *all, unsigned nslots);
void cells_vms_free(struct cells_vms *all);

/* A read begins, with these VMs. 0 or -ENOMEM: then nothing may be taken. */
int cells_vms_begin(struct cells_vms *all, const struct vms *vms);

/*
 * Take what a cell has more than before. If its vCPU is not known, that waits: -EAGAIN for the
 * first few times, in which the vCPU may be found, then 0. Or -ENOMEM: then it waits, too.
 */
int cells_vms_take(struct cells_vms *all, const struct cell_key *key, const struct cell *cell);

/*
 * The same of histograms, after a read of cells: begin, take each, end. Taking gives 1 for
 * a vCPU that is not known and was waited for: it is gone, and nobody counts there.
 */
void cells_histograms_begin(struct cells_vms *all);
int cells_histograms_take(struct cells_vms *all, const struct exit_vm_key *key,
			  const struct exit_buckets *buckets);
void cells_histograms_end(struct cells_vms *all);

/* A read is over: who was not there is forgotten. */
void cells_vms_end(struct cells_vms *all);

/* The VM's sums, made if there are none; NULL: no memory. */
struct cells_vm *cells_vms_have(struct cells_vms *all, const struct vm *vm);

/* Where the vCPU at an address is; NULL: not known. */
const struct cells_place *cells_vms_place(const struct cells_vms *all, uint64_t address);

/* So often what an unknown vCPU counts is waited for: once a second VMs are looked for. */
#define CELLS_WAITS 3

/* What a VM or vCPU has, or NULL if nothing is known of it. */
const struct cells_vm *cells_vms_find(const struct cells_vms *all, const struct vm *vm);
const struct cells_vcpu *cells_vms_find_vcpu(const struct cells_vms *all, const struct vcpu *vcpu);

/* The order of keys: a thread's first cell comes before its others. */
int cell_key_compare(const void *left, const void *right);

#endif /* PMDAKVM_CELLS_VMS_H */
