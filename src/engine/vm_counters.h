/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Assigns per-thread counters to VMs and vCPUs and sums them up. Each read adds the increase of a
 * thread's counters since the last read to its vCPU and VM, so a sum never falls, whichever thread
 * runs the vCPU and even if the thread ends.
 */
#ifndef PMDAKVM_VM_COUNTERS_H
#define PMDAKVM_VM_COUNTERS_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/vcpu_counters.h"
#include "kvm/exit_reasons.h"
#include "vms/vm_register.h"

/* The reasons that follow a thread's counters. */
static inline struct reason_counters *counters_reasons(const struct thread_counters *counters)
{
	return (struct reason_counters *)(counters + 1);
}

/* Histogram of the durations of a VM's exits for one reason. */
struct vm_histogram {
	uint64_t count[EXIT_BUCKETS];
};

/* Sums of one VM and one reason. */
struct vm_reason_sums {
	uint64_t count, time;
	struct vm_histogram *histogram; /* NULL: none */
};

/* Has the VM had an exit for this reason? */
static inline bool reason_is_counted(const struct vm_reason_sums *reason)
{
	return reason->count || reason->time;
}

struct vm_sums {
	uint32_t id;  /* of struct vm */
	bool present; /* present at the last read */
	struct vm_reason_sums reason[];
};

struct vcpu_sums {
	uint32_t id; /* of struct vcpu */
	bool present;
	uint64_t exits, guest_time, exit_time, halt_time;
};

/* The part of a thread's counters that is in the sums already. */
struct taken_counters {
	struct thread_key key;
	bool present;
	unsigned waits; /* reads at which its vCPU was unknown */
	struct thread_counters *counters;
};

/* The part of a vCPU's histogram that is in the sums already. */
struct taken_histogram {
	struct exit_vm_key key;
	bool present;
	unsigned waits;
	struct exit_buckets buckets;
};

/* Index entry of a vCPU, by its address or by its thread. */
struct vcpu_place {
	uint64_t key;
	const struct vm *vm;
	const struct vcpu *vcpu;
};

struct vm_counters {
	unsigned nslots;
	bool grown;	      /* a VM has a new reason or bucket; the reader clears it */
	struct vm_sums **vms; /* sorted by id */
	size_t nvms;
	struct vcpu_sums *vcpus; /* sorted by id */
	size_t nvcpus;
	struct taken_counters *taken; /* sorted by key */
	size_t ntaken;
	struct taken_histogram *histograms; /* sorted by key */
	size_t nhistograms;
	struct vcpu_place *addresses, *threads; /* [nplaces] each, sorted by that */
	size_t nplaces;
	bool sleeps[COUNTER_SLOTS_MAX]; /* reasons in which the vCPU may sleep */
};

void vm_counters_init(struct vm_counters *all, unsigned nslots);
void vm_counters_free(struct vm_counters *all);

/* Begin a read with these VMs. Returns 0, or -ENOMEM: then take nothing. */
int vm_counters_begin(struct vm_counters *all, const struct vms *vms);

/*
 * Add the increase of a thread's counters. If its vCPU is unknown, the increase is kept for later:
 * returns -EAGAIN the first VCPU_WAITS times, in which the vCPU may appear, then 0. Returns -ENOMEM
 * if there is no memory; the increase is kept for later, too.
 */
int vm_counters_take(struct vm_counters *all, const struct thread_key *key,
		     const struct thread_counters *counters);

/*
 * The same for histograms, after a read of counters: begin, take each, end. home is the home of the
 * key's slot. vm_histograms_take
 * returns 1 for a vCPU that is still unknown after VCPU_WAITS reads: it is gone, and nothing writes
 * its histogram any more.
 */
void vm_histograms_begin(struct vm_counters *all);
int vm_histograms_take(struct vm_counters *all, const struct exit_vm_key *key, unsigned home,
		       const struct exit_buckets *buckets);
void vm_histograms_end(struct vm_counters *all);

/* End a read: forget what was not present. */
void vm_counters_end(struct vm_counters *all);

/* The VM's sums, created if missing; NULL without memory. */
struct vm_sums *vm_counters_get(struct vm_counters *all, const struct vm *vm);

/* The vCPU at an address; NULL if unknown. */
const struct vcpu_place *vm_counters_place(const struct vm_counters *all, uint64_t address);

/* Reads for which counts of an unknown vCPU are kept; VMs are looked for once a second. */
#define VCPU_WAITS 3

/* The sums of a VM or vCPU, or NULL if it has none. */
const struct vm_sums *vm_counters_find(const struct vm_counters *all, const struct vm *vm);
const struct vcpu_sums *vm_counters_find_vcpu(const struct vm_counters *all,
					      const struct vcpu *vcpu);

/* Sort order of keys; a thread's first vCPU comes before its others. */
int thread_key_compare(const void *left, const void *right);

#endif /* PMDAKVM_VM_COUNTERS_H */
