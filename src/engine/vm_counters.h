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
static inline struct reason_counters *counters_reasons(const struct thread_counters *counters)
{
	return (struct reason_counters *)(counters + 1);
}

/* How long a VM's exits of a reason took. */
struct vm_histogram {
	uint64_t count[EXIT_BUCKETS];
	uint32_t id[EXIT_BUCKETS]; /* as instances; 0: nothing fell into it yet */
};

/* A VM and a reason. */
struct vm_reason_sums {
	uint64_t count, time;
	uint32_t id;			/* as an instance; 0: not counted yet */
	struct vm_histogram *histogram; /* NULL: none */
};

struct vm_sums {
	uint32_t id; /* struct vm's */
	bool there;  /* at the last read */
	struct vm_reason_sums reason[];
};

struct vcpu_sums {
	uint32_t id; /* struct vcpu's */
	bool there;
	uint64_t exits, guest_time, exit_time, halt_time;
};

/* What was taken of a cell already. */
struct taken_counters {
	struct thread_key key;
	bool there;
	unsigned waits; /* reads at which its vCPU was not known */
	struct thread_counters *counters;
};

/* What was taken of a vCPU's histogram already. */
struct taken_histogram {
	struct exit_vm_key key;
	bool there;
	unsigned waits;
	struct exit_buckets buckets;
};

/* Where a vCPU is found: by its address, or by its thread. */
struct vcpu_place {
	uint64_t by;
	const struct vm *vm;
	const struct vcpu *vcpu;
};

struct vm_counters {
	unsigned nslots;
	uint32_t last_id, last_bucket_id; /* of a VM and a reason; and a bucket */
	bool grown; /* a VM has a reason more than when somebody has last set this to false */
	struct vm_sums **vms; /* by id */
	size_t nvms;
	struct vcpu_sums *vcpus; /* by id */
	size_t nvcpus;
	struct taken_counters *taken; /* by key */
	size_t ntaken;
	struct taken_histogram *histograms; /* by key */
	size_t nhistograms;
	struct vcpu_place *addresses, *threads; /* [nplaces] each, by what they say */
	size_t nplaces;
	bool sleeps[COUNTER_SLOTS_MAX]; /* reasons in which the vCPU may sleep */
};

void vm_counters_init(struct vm_counters *all, unsigned nslots);
void vm_counters_free(struct vm_counters *all);

/* A read begins, with these VMs. 0 or -ENOMEM: then nothing may be taken. */
int vm_counters_begin(struct vm_counters *all, const struct vms *vms);

/*
 * Take what a cell has more than before. If its vCPU is not known, that waits: -EAGAIN for the
 * first few times, in which the vCPU may be found, then 0. Or -ENOMEM: then it waits, too.
 */
int vm_counters_take(struct vm_counters *all, const struct thread_key *key,
		     const struct thread_counters *counters);

/*
 * The same of histograms, after a read of cells: begin, take each, end. Taking gives 1 for
 * a vCPU that is not known and was waited for: it is gone, and nobody counts there.
 */
void vm_histograms_begin(struct vm_counters *all);
int vm_histograms_take(struct vm_counters *all, const struct exit_vm_key *key,
		       const struct exit_buckets *buckets);
void vm_histograms_end(struct vm_counters *all);

/* A read is over: who was not there is forgotten. */
void vm_counters_end(struct vm_counters *all);

/* The VM's sums, made if there are none; NULL: no memory. */
struct vm_sums *vm_counters_have(struct vm_counters *all, const struct vm *vm);

/* Where the vCPU at an address is; NULL: not known. */
const struct vcpu_place *vm_counters_place(const struct vm_counters *all, uint64_t address);

/* So often what an unknown vCPU counts is waited for: once a second VMs are looked for. */
#define VCPU_WAITS 3

/* What a VM or vCPU has, or NULL if nothing is known of it. */
const struct vm_sums *vm_counters_find(const struct vm_counters *all, const struct vm *vm);
const struct vcpu_sums *vm_counters_find_vcpu(const struct vm_counters *all,
					      const struct vcpu *vcpu);

/* The order of keys: a thread's first cell comes before its others. */
int thread_key_compare(const void *left, const void *right);

#endif /* PMDAKVM_CELLS_VMS_H */
