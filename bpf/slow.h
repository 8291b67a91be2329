/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Layouts of the slow family, shared by the BPF side and the user side: the last slow exits of each
 * vCPU. An exit is slow if it takes longer than a threshold, without the time for which the vCPU
 * sleeps or polls. Where no exit is seen (PVM), it is a trip to the VMM instead.
 */
#ifndef PMDAKVM_BPF_SLOW_H
#define PMDAKVM_BPF_SLOW_H

#include "ledger.h"

/*
 * Layout version of this family's pinned maps. Increment it when the meaning of their contents
 * changes but not the size: maps of another version are replaced, counters restart at 0.
 */
#define SLOW_LAYOUT (ENGINE_LAYOUT << 8 | 1)

/* Slow exits that are kept of a vCPU. */
#define SLOW_EXITS 8

/* What is known of a slow exit. */
#define SLOW_STATES 1 /* its time by state, but for those below */
#define SLOW_CAUSE  2 /* its cause, which may be CAUSE_NONE */
#define SLOW_READY  4 /* how long it has waited for a CPU */
#define SLOW_POLL   8 /* how long it has polled */

/*
 * A thread writes one while a reader may read it, in whatever order the stores arrive: check is the
 * sum of all that follows it, and number.
 */
struct slow_exit {
	__u64 number; /* of the vCPU's, from 1 on; 0: none, or it is being written */
	__u64 check;
	__u64 end;		   /* CLOCK_MONOTONIC, ns */
	__u64 duration;		   /* ns */
	__u64 cause;		   /* a key of cause.h */
	__u32 reason;		   /* as in struct ledger_record; 0: unknown */
	__u32 known;		   /* SLOW_STATES, SLOW_CAUSE ... */
	__u64 time[LEDGER_PLACES]; /* ns, by enum ledger_state */
	__u64 pad[2];
};

/* Slow exits of a vCPU; the vCPU's thread writes. The newest has the number count. */
struct slow_record {
	struct record head;
	__u64 count;
	__u64 pad[7];
	struct slow_exit exits[SLOW_EXITS];
};

_Static_assert(sizeof(struct slow_record) % CACHE_LINE_BYTES == 0,
	       "records must not share a cache line");

/* Slow exits that found no record: one row per possible CPU, on its own cache line. */
struct slow_row {
	__u64 dropped;
	__u64 pad[7];
};

_Static_assert(sizeof(struct slow_row) == CACHE_LINE_BYTES, "rows must not share a cache line");

/* What makes the sum that a check is. */
static inline __attribute__((always_inline)) __u64 slow_sum(const struct slow_exit *slow,
							    __u64 number)
{
	__u64 sum = number * 0x9e3779b97f4a7c15ULL + slow->end + slow->duration + slow->cause +
		    ((__u64)slow->reason << 32) + slow->known;

	for (int i = 0; i < LEDGER_PLACES; i++)
		sum += slow->time[i];
	return sum;
}

/*
 * The flag of those that record slow exits, struct engine_control slow: the threshold, rounded
 * down, and whether trips to the VMM are recorded instead of exits. 0: none are.
 *
 * Time can be slow if SLOW_UNITS(time) is no less than a flag that is not 0. The threshold itself,
 * of struct slow_setup, decides.
 */
#define SLOW_UNIT_BITS 11
#define SLOW_UNITS(ns) ((ns) >> SLOW_UNIT_BITS)
#define SLOW_TRIPS     1U
#define SLOW_FLAG(threshold, trips) \
	((__u32)((SLOW_UNITS(threshold) & ~1ULL) - 2) | ((trips) ? SLOW_TRIPS : 0U))

/* Of reasons: those of trips to the VMM. */
#define SLOW_ISA_TRIPS 4

/* Rodata of those that record slow exits, set before loading. */
struct slow_setup {
	__u64 threshold; /* ns */
	/* slots of reasons in which vCPUs sleep, a bit each, by struct record isa */
	__u64 sleeps[8][COUNTER_SLOTS_MAX / 64];
};

#endif /* PMDAKVM_BPF_SLOW_H */
