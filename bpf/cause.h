/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Layouts of the cause family, shared by the BPF side and the user side: what in the guest causes
 * exits. A key is a port, an address, a register or a call, with the direction of the access.
 */
#ifndef PMDAKVM_BPF_CAUSE_H
#define PMDAKVM_BPF_CAUSE_H

#include "engine.h"

/*
 * Layout version of this family's pinned maps. Increment it when the meaning of their contents
 * changes but not the size: maps of another version are replaced, counters restart at 0.
 */
#define CAUSE_LAYOUT (ENGINE_LAYOUT << 8 | 1)

/* --- keys --- */

/*
 * Bits 63 to 56 of a key are its kind, bit 55 is set for a write, the rest is a number: port,
 * address, register, leaf or call. Of several keys of one exit, that of the lowest kind counts;
 * a hypercall's kinds are one. The numbers are in pinned maps: append only.
 */
enum cause_kind {
	CAUSE_PIO = 1,
	CAUSE_MSR,
	CAUSE_CPUID,
	CAUSE_HYPERCALL,
	CAUSE_HV,
	CAUSE_CR,
	CAUSE_MMIO,
	CAUSE_APIC,
	CAUSE_SYSREG,
	CAUSE_HVC,
	CAUSE_KINDS
};

#define CAUSE_KIND_SHIFT 56
#define CAUSE_WRITE	 (1ULL << 55)
#define CAUSE_NUMBER	 (CAUSE_WRITE - 1)

#define CAUSE_NONE	 0ULL	 /* an exit without a key */
#define CAUSE_OTHER	 (~0ULL) /* keys that have no room */

#define CAUSE_KEY(kind, write, number)                                            \
	((__u64)(kind) << CAUSE_KIND_SHIFT | ((write) ? CAUSE_WRITE : (__u64)0) | \
	 (CAUSE_NUMBER & (__u64)(number)))

/*
 * The number of an address is its 4 KiB page; that of a register of the I/O APIC, the HPET or the
 * local APIC, at their usual addresses, is the address itself; all of the VGA's memory is one.
 */
#define CAUSE_PAGE    0xfffULL
#define CAUSE_IOAPIC  0xfec00000ULL
#define CAUSE_HPET    0xfed00000ULL
#define CAUSE_LAPIC   0xfee00000ULL
#define CAUSE_VGA     0xa0000ULL
#define CAUSE_VGA_END 0xc0000ULL

/* --- records --- */

/* Slots of a vCPU's table: sets of WAYS, in one of which a key's slot is. */
#define CAUSE_SETS  16
#define CAUSE_WAYS  4
#define CAUSE_SLOTS (CAUSE_SETS * CAUSE_WAYS)

/* What is counted of a key. A trip is one to the VMM and back. */
struct cause_counts {
	__u64 accesses;
	__u64 count, time; /* closed exits, ns */
	__u64 trips, trip_time;
};

/*
 * A miss is a vote against the weakest slot of the set. When the votes have reached what the slot
 * has counted, its counts go to other, and it starts again with another key.
 */
struct cause_slot {
	__u64 key; /* 0: free */
	struct cause_counts counts;
	__u32 votes;
	__u32 turn; /* incremented when the slot starts with a key */
	__u64 pad;
};

_Static_assert(sizeof(struct cause_slot) == CACHE_LINE_BYTES, "a slot is one cache line");

/* What the user side has published of a slot. */
struct cause_published {
	__u32 turn;
	__u32 sum; /* number of the key's struct cause_sum; 0: the key is in other */
	struct cause_counts counts;
};

/*
 * The causes of a vCPU. The vCPU's thread writes all but what the user side keeps there.
 *
 * An exit that is open has a key, once one of its events was seen. The trips that it makes wait for
 * its end. Where no exit is seen (PVM), a trip waits for the first event after it.
 */
struct cause_record {
	struct record head;
	__u64 key;	 /* of the open exit; CAUSE_NONE: none yet */
	__u64 run_key;	 /* without exits: the last access to a device since KVM_RUN began */
	__u64 trip_key;	 /* run_key when the trip began; when it is due, that of its exit */
	__u64 trip_time; /* ns, of trips that wait */
	__u32 trips;	 /* that wait */
	__u32 current;	 /* record of the thread's vCPU that has the open exit; 0: this one */
	union {
		struct {
			__u8 open; /* an exit is open */
			__u8 away; /* a trip has not ended */
			__u8 back; /* without exits: it has ended, and waits */
			__u8 due;  /* its exit has ended before it */
		};
		__u32 phase; /* all of these; while trips wait, it is more than open */
	};
	__u32 pad;
	__u64 settled; /* key of the trips that had waited last */
	__u64 pad2;
	__u32 changes[CAUSE_SETS]; /* odd while a slot of the set starts with a key */
	struct cause_counts none, other;
	__u64 pad3[6];
	struct cause_slot slots[CAUSE_SLOTS];
	/* the user side's */
	struct cause_counts taken_off; /* of other: what was published of slots it has taken in */
	struct cause_counts shown;     /* the published other */
	__u64 pad4[6];
	struct cause_published published[CAUSE_SLOTS];
};

_Static_assert(__builtin_offsetof(struct cause_record, slots) % CACHE_LINE_BYTES == 0 &&
		       sizeof(struct cause_record) % CACHE_LINE_BYTES == 0,
	       "slots must not share a cache line");

/* What found no record: one row per possible CPU, on its own cache line. */
struct cause_row {
	struct cause_counts counts;
	__u64 pad[3];
};

_Static_assert(sizeof(struct cause_row) == CACHE_LINE_BYTES, "rows must not share a cache line");

/* --- the user side's own --- */

/*
 * What is published of a key besides what its slot has: what slots had that started with another
 * key since. Every key that is published has one, taken before it is published first.
 */
struct cause_sum {
	__u64 key;    /* 0: free */
	__u32 record; /* 0: the sum of records that are retired */
	__u32 pad;
	struct cause_counts counts;
	__u64 pad2;
};

/* New values of a change in several places: whoever finds moves set writes them again. */
struct cause_journal {
	__u32 moves; /* enum cause_move */
	__u32 record, slot;
	__u32 to, from; /* numbers of sums: one gets values, one gets free; 0: none */
	__u32 pad;
	struct cause_sum sum;
	struct cause_counts taken_off, none, other;
};

enum cause_move { CAUSE_NO_MOVE, CAUSE_MOVE_SLOT, CAUSE_MOVE_REST };

/* Sums of retired records, but for their keys. */
struct cause_ended {
	struct cause_counts none, other;
	struct cause_journal journal;
};

/* --- records of events, as tracefs describes them: events/kvm/NAME/format --- */

/* kvm_pio, kvm_msr, kvm_cr, kvm_apic */
struct cause_access_record {
	__u64 common;
	__u32 write, number;
};

/* kvm_mmio */
struct cause_mmio_record {
	__u64 common;
	__u32 type, length;
	__u64 address;
};

/* kvm_fast_mmio, kvm_hypercall, kvm_handle_sys_reg */
struct cause_number_record {
	__u64 common;
	__u64 number;
};

struct cause_cpuid_record {
	__u64 common;
	__u32 function;
};

struct cause_hv_record {
	__u64 common;
	__u16 rep_count, rep_index;
	__u64 in, out;
	__u16 code;
};

struct cause_hvc_record {
	__u64 common;
	__u64 pc, function;
};

#endif /* PMDAKVM_BPF_CAUSE_H */
