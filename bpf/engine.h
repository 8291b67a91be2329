/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Layouts of the counters that vCPU threads write, shared by the BPF side and the user side.
 *
 * A record belongs to one vCPU thread, or to one further vCPU of it, which alone writes it. It
 * leads to blocks, one per key that the thread has counted. Both are numbered from 1; 0 is none.
 * They are in memory-mapped arrays of fixed size, the chunks, so memory grows with vCPUs, and
 * reading makes no system call.
 */
#ifndef PMDAKVM_BPF_ENGINE_H
#define PMDAKVM_BPF_ENGINE_H

#include "pin.h"

/* Version of these layouts; part of each family's NAME_LAYOUT. */
#define ENGINE_LAYOUT 3

/* Largest number of keys of a family. */
#define COUNTER_SLOTS_MAX 256

/* Records and blocks per chunk. */
#define RECORDS_BITS  7
#define BLOCKS_BITS   10
#define RECORDS_CHUNK (1U << RECORDS_BITS)
#define BLOCKS_CHUNK  (1U << BLOCKS_BITS)

/*
 * The first chunk of records or blocks is one element of its map, so that programs know its address
 * and look nothing up: src/kernel/direct_maps.h.
 */
#define FIRST_CHUNK(name, type, bits)   \
	struct name {                   \
		type list[1 << (bits)]; \
	};                              \
	_Static_assert(sizeof(struct name) >= DIRECT_BYTES, "a first chunk is too small")

/* Buckets of times in ns, by powers of two: 0-1, 2-3, 4-7 ...; the last one is open-ended. */
#define EXIT_BUCKETS 32

/*
 * Buckets are stored from this one on, and round: the frequent times (512 ns to 16 us) are then in
 * the cache line of the block's count.
 */
#define BUCKET_FIRST	     9

#define BUCKET_PLACE(bucket) ((-BUCKET_FIRST + (bucket)) % EXIT_BUCKETS)

/* What a record has counted of one key. */
struct block {
	__u64 count;
	__u64 time;		    /* ns, sum over closed pairs */
	__u64 max;		    /* longest time, ns, in the low MAX_TIME_BITS; epoch above */
	__u64 bucket[EXIT_BUCKETS]; /* closed pairs; see BUCKET_PLACE() */
	__u64 pad[5];
};

_Static_assert(sizeof(struct block) % CACHE_LINE_BYTES == 0, "blocks must not share a cache line");

/*
 * max is valid for the current epoch only; a reset starts a new epoch. So a reset is one write to
 * struct engine_control, and blocks keep a single writer.
 */
#define MAX_TIME_BITS 48

/*
 * Head of a record: one cache line, followed by the numbers of its blocks by slot. A pair is an
 * exit and the next entry.
 */
struct record {
	__u64 start;	  /* thread start, ns since boot; 0: the record is free; see RECORD_GONE */
	__u64 vcpu;	  /* address of struct kvm_vcpu; 0: unknown */
	__u64 opened;	  /* time of the open exit, which has no entry yet; 0: none */
	__u64 entered;	  /* time of the guest entry; 0: not in the guest, or unknown */
	__u64 guest_time; /* ns, sum from entries to exits */
	__u32 tid, tgid;  /* in the initial PID namespace */
	__u32 block;	  /* of the open exit; 0: it found no room */
	__u32 generation; /* of opened and entered: a pair never spans a detach */
	__u16 further;	  /* not the thread's first vCPU: its key names the vCPU */
	__u8 isa;	  /* ISA of the slots: enum reasons_isa + 1; 0: no exit yet */
	__u8 ended;	  /* the thread has exited: no more writes */
	__u32 cause;	  /* number of the vCPU's record of causes; a hint */
};

_Static_assert(sizeof(struct record) == CACHE_LINE_BYTES, "a record's head is one cache line");

/* Behind the numbers of blocks: two numbers, an address, and padding up to a cache line. */
#define RECORD_PAD 12

/* The vCPU of the record is gone: no thread finds it any more, and it waits to be retired. */
#define RECORD_GONE (~0ULL)

/* Key of a record in the index. */
struct record_key {
	__u64 start;
	__u64 vcpu; /* 0: the thread's first vCPU; otherwise address of a further one */
	__u32 tid, tgid;
};

/* Records by thread and vCPU, two to a set; only a hint, checked against the record. */
#ifndef HINTS /* tests/bench has a variant with two */
#define HINTS 65536
#endif

/* Global data of the programs; user space writes control before attaching. */
struct engine_control {
	__u32 generation;
	__u32 epoch;	     /* of block.max; 16 bits */
	__u32 records_taken; /* from the pools since loading */
	__u32 blocks_taken;
	__u32 events[4]; /* slots in the trace family's rows, by event; 0: not counted there */
	__u32 causes;	 /* are the cause family's records to be charged? */
	__u32 ledger;	 /* the same of the ledger's: LEDGER_FLAG() */
	__u32 slow;	 /* the same of slow exits: SLOW_FLAG() */
};

/*
 * Written by the user side only, in pinned memory. While moves is set, a block's counts move to the
 * sums of retired blocks: sum is their new value. Whoever finds it set repeats the move from there.
 */
struct engine_state {
	__u32 generation, epoch; /* of the last agent */
	__u32 isa;		 /* of the retired blocks' slots: enum reasons_isa + 1 */
	__u32 moves;
	__u32 record, block, slot;
	__u32 flag; /* of those that write records alone; 0: they are detached */
	struct block sum;
};

/* Families that are not there when an object is loaded, so that its programs do not ask for them.
 */
enum {
	WITHOUT_CAUSES = 1,
	WITHOUT_LEDGER = 2,
	WITHOUT_SLOW = 4,
};

#define UNKNOWN_SLOTS 8 /* slots 1 to 8: claimed by codes outside all ranges */

/* What found neither record nor block: one row per possible CPU, on its own cache lines. */
struct overflow_row {
	__u64 count[COUNTER_SLOTS_MAX];
	__u64 no_block; /* how many of them had a record */
	__u64 pad[7];
};

_Static_assert(sizeof(struct overflow_row) % CACHE_LINE_BYTES == 0,
	       "per-CPU rows must not share a cache line");

/* Codes first to first + count - 1 have the consecutive slots from slot on. */
struct code_range {
	__u32 first, count, slot;
};

#define CODE_RANGES 8

#endif /* PMDAKVM_BPF_ENGINE_H */
