/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Counters that vCPU threads write: layouts that the BPF side and the user side share, of the
 * families exit and userspace_exit.
 */
#ifndef PMDAKVM_BPF_VCPU_COUNTERS_H
#define PMDAKVM_BPF_VCPU_COUNTERS_H

#include "pin.h"

/*
 * The families exit and userspace_exit, which share a scheme: what a vCPU's thread goes out
 * for is counted in a cell that only this thread writes, so plain adds are exact, and memory
 * grows with vCPUs, not with CPUs.
 */
struct thread_key {
	__u64 start;	 /* of the thread: ns since boot, so that a number used again is another */
	__u64 vcpu;	 /* 0: the first vCPU that it ran; else the address of a further one */
	__u32 tid, tgid; /* as the first PID namespace has them */
};

struct reason_counters {
	__u64 count;
	__u64 time; /* ns, over all pairs that were closed */
	__u64 max;  /* the longest, ns, with the number of its turn above it */
};

/*
 * The longest of a reason counts for one turn; a new turn begins with each reset. So a
 * reset is one write, and no cell has two writers.
 */
#define MAX_TIME_BITS 48

/* What stands in front of a cell's reasons. A pair is an exit and the next entry. */
struct thread_counters {
	__u64 vcpu;	  /* the address of struct kvm_vcpu; 0: not known */
	__u64 opened;	  /* when the exit that has no entry yet was; 0: there is none */
	__u64 entered;	  /* when the guest was entered; 0: it is not known to run */
	__u64 guest_time; /* ns, from entries to exits */
	__u32 slot;	  /* of the exit that has no entry yet */
	__u32 generation; /* of the times above: a pair never spans a detach */
	__u32 isa;	  /* whose the slots are: enum reasons_isa + 1; 0: no exit has said */
	__u32 ended;	  /* the thread is gone: nobody writes here any more */
};

#define UNKNOWN_SLOTS 8 /* slots 1 to 8 are claimed by codes that no range has */

/* The most slots that a family has. */
#define COUNTER_SLOTS_MAX 256

/* What cells of ended threads had counted; followed by as many struct cell_reason as a cell has. */
struct retired_counters {
	struct thread_key
		last; /* the cell that was added last: if it is still there, it is in here */
	__u64 isa;    /* that cell's */
};

/* What found no room in a cell: one row for each possible CPU, on cache lines of its own. */
struct overflow_row {
	__u64 count[COUNTER_SLOTS_MAX];
	__u64 buckets;	  /* pairs that found no room in the host's histograms */
	__u64 vm_buckets; /* the same of VMs' */
	__u64 pad[6];
};

_Static_assert(sizeof(struct overflow_row) % CACHE_LINE_BYTES == 0, "rows share a cache line");

/* Set by the user side, before it attaches. */
struct counters_control {
	__u32 generation;
	__u32 epoch; /* of the longest times; 16 bits */
};

/* Codes first ... first + count - 1 have the slots from slot on. */
struct code_range {
	__u32 first, count, slot;
};

#define CODE_RANGES 8

/* Times in ns by powers of two: 0-1, 2-3, 4-7 ... and the last one, which has no end. */
#define EXIT_BUCKETS 32

struct exit_buckets {
	__u64 count[EXIT_BUCKETS];
};

/* A vCPU's histogram of a reason, which only the thread that runs it writes. */
struct exit_vm_key {
	__u64 vcpu; /* its address */
	__u32 slot;
	__u32 pad;
};

#endif /* PMDAKVM_BPF_VCPU_COUNTERS_H */
