/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Layouts of the ledger family, shared by the BPF side and the user side: where each vCPU's time
 * goes. An event is an edge: it ends one state and begins the next. Each interval between two edges
 * is counted once, so the times of all states add up to the time from the first edge to the last.
 */
#ifndef PMDAKVM_BPF_LEDGER_H
#define PMDAKVM_BPF_LEDGER_H

#include "engine.h"

/*
 * Layout version of this family's pinned maps. Increment it when the meaning of their contents
 * changes but not the size: maps of another version are replaced, counters restart at 0.
 */
#define LEDGER_LAYOUT (ENGINE_LAYOUT << 8 | 1)

/* States of a vCPU's thread. The frequent ones come first: they share a cache line. */
enum ledger_state {
	LEDGER_GUEST,	/* runs the guest */
	LEDGER_KVM,	/* in KVM */
	LEDGER_VMM,	/* outside of KVM_RUN */
	LEDGER_READY,	/* waits for a CPU */
	LEDGER_UNKNOWN, /* in KVM_RUN, where no event tells guest and KVM apart; or one was missed
			 */
	LEDGER_POLL,	/* polls before it sleeps in a halt */
	LEDGER_HALTED,	/* sleeps in a halt */
	LEDGER_STATES
};

/* Places of states in a record: as many as a mask bounds. */
#define LEDGER_PLACES	  8

#define LEDGER_STATE_BITS 3

/*
 * The flag of those that charge the ledger, struct engine_control ledger: the generation, and in
 * the low bits the state of a thread in KVM_RUN that is not in the guest: LEDGER_KVM if both exits
 * and trips to the VMM are seen, else LEDGER_UNKNOWN. 0: the ledger is not attached.
 */
#define LEDGER_FLAG(generation, state) ((generation) << LEDGER_STATE_BITS | (state))

/* Of reasons: the instruction set (struct record isa) above the slot; 0: none yet. */
#define LEDGER_ISA_SHIFT 16

/* In a reason: another edge has come since that kvm_exit, so base is of that exit. */
#define LEDGER_MARKED (1U << 31)

/*
 * What a ledger counts of halts, by powers of two of ns: bucket 0 is 0 and 1, the last one is
 * open-ended.
 */
enum ledger_histogram {
	LEDGER_POLLED, /* halts that polling has ended, by how long they were */
	LEDGER_WAITED, /* halts in which the thread has slept, likewise */
	LEDGER_WAKE,   /* the latter by how long the thread, woken, has waited for a CPU */
	LEDGER_LATE,   /* interrupts of the guest's timer, by how late they were */
	LEDGER_HISTOGRAMS
};

struct ledger_halts {
	__u64 poll_time, poll_attempts; /* as KVM counts them: ns, and how often it has polled */
	__u64 bucket[LEDGER_HISTOGRAMS][EXIT_BUCKETS];
};

/*
 * The ledger of a thread, which alone writes it: a thread that runs several vCPUs has one, its
 * first vCPU's. head.generation is the flag.
 *
 * origin and the sum of time are last's time, whenever no edge is being written. So a reader sees
 * whether what it has read belongs together.
 */
struct ledger_record {
	struct record head;
	__u64 last;  /* time of the last edge, ns << LEDGER_STATE_BITS | state since; 0: none yet */
	__u64 delay; /* the thread's run_delay then */
	__u32 reason;	    /* of the last exit */
	__u32 knows_polled; /* polled is known */
	__u64 time[LEDGER_PLACES];
	__u64 origin;
	__u64 polled;	/* KVM's own time of polling for the vCPU, at the last wake-up */
	__u64 attempts; /* the same of how often it has polled */
	__u64 base_at;	/* when base was time, ns */
	__u64 base[LEDGER_PLACES];
	struct ledger_halts halts;
	__u64 pad[7];
};

_Static_assert(sizeof(struct ledger_record) % CACHE_LINE_BYTES == 0,
	       "records must not share a cache line");

/* Edges that found no record: one row per possible CPU, on its own cache line. */
struct ledger_row {
	__u64 dropped;
	__u64 pad[7];
};

_Static_assert(sizeof(struct ledger_row) == CACHE_LINE_BYTES, "rows must not share a cache line");

/*
 * The user side's own, pinned. While moves is set, a record's times move to those of retired ones:
 * sum is their new value. Whoever finds it set repeats the move from there.
 */
struct ledger_ended {
	__u64 time[LEDGER_PLACES];
	__u32 moves, record;
	__u64 sum[LEDGER_PLACES];
};

/* Record of kvm_vcpu_wakeup, as tracefs describes it: events/kvm/NAME/format. */
struct wakeup_record {
	__u64 common;
	__u64 ns;
	__u8 waited;
};

/*
 * Global data, written by the user side: offsets in struct kvm_vcpu; 0: cannot be read. Statistics
 * of polling, the vCPU's number, and its TSC's rate in kHz.
 */
struct ledger_places {
	__u32 success, failure, attempts;
	__u32 vcpu_id, tsc_khz;
};

#endif /* PMDAKVM_BPF_LEDGER_H */
