/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Layouts of the per-thread counters of the families exit and userspace_exit, shared by the BPF
 * side and the user side.
 */
#ifndef PMDAKVM_BPF_VCPU_COUNTERS_H
#define PMDAKVM_BPF_VCPU_COUNTERS_H

#include "pin.h"

/*
 * Key of a vCPU thread's counters. Only this thread writes them, so plain adds are exact, and
 * memory grows with vCPUs, not with CPUs.
 */
struct thread_key {
	__u64 start;	 /* thread start, ns since boot; tells a reused tid from the old one */
	__u64 vcpu;	 /* 0: the thread's first vCPU; otherwise address of a further one */
	__u32 tid, tgid; /* in the initial PID namespace */
};

struct reason_counters {
	__u64 count;
	__u64 time; /* ns, sum over closed pairs */
	__u64 max;  /* longest time, ns, in the low MAX_TIME_BITS; epoch above */
};

/*
 * max is valid for the current epoch only; a reset starts a new epoch. So a reset is one write to
 * the control map, and counters keep a single writer.
 */
#define MAX_TIME_BITS 48

/* Head of a thread's counters, before its reasons. A pair is an exit and the next entry. */
struct thread_counters {
	__u64 vcpu;	  /* address of struct kvm_vcpu; 0: unknown */
	__u64 opened;	  /* time of the open exit, which has no entry yet; 0: none */
	__u64 entered;	  /* time of the guest entry; 0: not in the guest, or unknown */
	__u64 guest_time; /* ns, sum from entries to exits */
	__u32 slot;	  /* reason slot of the open exit */
	__u32 generation; /* of opened and entered: a pair never spans a detach */
	__u32 isa;	  /* ISA of the slots: enum reasons_isa + 1; 0: no exit yet */
	__u32 ended;	  /* the thread has exited: no more writes */
};

#define UNKNOWN_SLOTS 8 /* slots 1 to 8: claimed by codes outside all ranges */

/* Largest number of slots of a family. */
#define COUNTER_SLOTS_MAX 256

/* Sums of retired threads; followed by the family's number of struct reason_counters. */
struct retired_counters {
	struct thread_key last; /* last added entry: if it still exists, the sums contain it */
	__u64 isa;		/* of that entry */
};

/* Exits without a map entry: one row per possible CPU, on its own cache lines. */
struct overflow_row {
	__u64 count[COUNTER_SLOTS_MAX];
	__u64 buckets;	  /* pairs dropped because the host's histogram map is full */
	__u64 vm_buckets; /* pairs dropped because the VMs' histogram map is full */
	__u64 pad[6];
};

_Static_assert(sizeof(struct overflow_row) % CACHE_LINE_BYTES == 0,
	       "per-CPU rows must not share a cache line");

/* Written by the user side before it attaches; a reset of max writes epoch. */
struct counters_control {
	__u32 generation;
	__u32 epoch; /* of reason_counters.max; 16 bits */
};

/* Codes first to first + count - 1 have the consecutive slots from slot on. */
struct code_range {
	__u32 first, count, slot;
};

#define CODE_RANGES 8

/* Buckets of times in ns, by powers of two: 0-1, 2-3, 4-7 ...; the last one is open-ended. */
#define EXIT_BUCKETS 32

struct exit_buckets {
	__u64 count[EXIT_BUCKETS];
};

/* Key of a vCPU's histogram of a reason; only the thread that runs the vCPU writes it. */
struct exit_vm_key {
	__u64 vcpu; /* address of struct kvm_vcpu */
	__u32 slot;
	__u32 pad;
};

#endif /* PMDAKVM_BPF_VCPU_COUNTERS_H */
