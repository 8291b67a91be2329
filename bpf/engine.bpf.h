/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * The engine that counts what vCPU threads do; layouts are in engine.h. A family defines
 * ENGINE_NAME, the prefix of its maps, and ENGINE_SLOTS, its number of keys, before including this.
 * One that counts otherwise defines ENGINE_RECORD instead, its records' type, and has no blocks.
 *
 * None of the events that write a record nests in another on the same thread, so plain adds are
 * exact.
 */
#ifndef PMDAKVM_ENGINE_BPF_H
#define PMDAKVM_ENGINE_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include "engine.h"
#include "trace.h"

#define ENGINE_PASTE(name, suffix)  name##suffix
#define ENGINE_EXPAND(name, suffix) ENGINE_PASTE(name, suffix)
#define ENGINE_MAP(suffix)	    ENGINE_EXPAND(ENGINE_NAME, suffix)

/* The code of what is unlikely goes behind that of the usual path. */
#define likely(condition) __builtin_expect(!!(condition), 1)

/* --- maps --- */

#ifdef ENGINE_RECORD
#define engine_record ENGINE_RECORD
#else
struct engine_record {
	struct record head;
	__u32 blocks[ENGINE_SLOTS]; /* numbers, by slot; 0: never counted */
	__u32 ledger;		    /* number of the thread's ledger; a hint */
	__u32 slow; /* number of the record of slow exits whose newest waits for its cause */
	__u64 task; /* the thread's struct task_struct; 0: not asked for yet */
	__u32 pad[RECORD_PAD];
};
#endif

FIRST_CHUNK(first_records, struct engine_record, RECORDS_BITS);

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct first_records);
} ENGINE_MAP(_cells_0) SEC(".maps");

struct records_chunk {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, RECORDS_CHUNK);
	__type(key, __u32);
	__type(value, struct engine_record);
};

#ifdef ENGINE_SLOTS
FIRST_CHUNK(first_blocks, struct block, BLOCKS_BITS);

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct first_blocks);
} ENGINE_MAP(_blocks_0) SEC(".maps");

struct blocks_chunk {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, BLOCKS_CHUNK);
	__type(key, __u32);
	__type(value, struct block);
};
#endif

/*
 * Further chunks of records and of blocks, from number 1 on, which the user side adds. Each change
 * of such a map waits for all CPUs, 5 to 20 ms, so the first chunks are not in them. max_entries is
 * set before loading.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct records_chunk);
} ENGINE_MAP(_cells) SEC(".maps");

#ifdef ENGINE_SLOTS
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct blocks_chunk);
} ENGINE_MAP(_blocks) SEC(".maps");
#endif

/* Numbers of free records and blocks, which are zeroed; max_entries is set before loading. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 1);
	__uint(key_size, 0);
	__uint(value_size, sizeof(__u32));
} ENGINE_MAP(_cells_free) SEC(".maps");

#ifdef ENGINE_SLOTS
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 1);
	__uint(key_size, 0);
	__uint(value_size, sizeof(__u32));
} ENGINE_MAP(_blocks_free) SEC(".maps");
#endif

/* Records by thread, for what no hint leads to; max_entries is set before loading. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct record_key);
	__type(value, __u32);
} ENGINE_MAP(_index) SEC(".maps");

#ifdef ENGINE_SLOTS
/* Sums of retired blocks, by slot; used by the user side only. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, ENGINE_SLOTS);
	__type(key, __u32);
	__type(value, struct block);
} ENGINE_MAP(_ended) SEC(".maps");
#endif

/* Used by the user side only. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct engine_state);
} ENGINE_MAP(_state) SEC(".maps");

#ifdef ENGINE_SLOTS
/* Overflow counters, one row per possible CPU; max_entries is set before loading. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct overflow_row);
} ENGINE_MAP(_rows) SEC(".maps");

/* Claimed slot to code, for codes outside all ranges. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, UNKNOWN_SLOTS);
	__type(key, __u32);
	__type(value, __u64);
} ENGINE_MAP(_codes) SEC(".maps");
#endif

/* Used by the user side only. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pin_meta);
} ENGINE_MAP(_meta) SEC(".maps");

#ifdef ENGINE_SLOTS
/* shared by the loader where it has this object count for trace */
#include "trace_rows.bpf.h"
#endif

#ifdef ENGINE_RECORD
struct engine_control control SEC(".data.shared"); /* other families write it, too */
#else
struct engine_control control;
#endif
__u32 hints[HINTS];

#ifdef ENGINE_SLOTS
/* Rodata, set before loading: WITHOUT_CAUSES and others. The verifier drops what they had to do. */
const volatile __u32 without;

#define causes_flag (without & WITHOUT_CAUSES ? 0 : control.causes)
#define ledger_flag (without & WITHOUT_LEDGER ? 0 : control.ledger)
#define has_slow    (!(without & WITHOUT_SLOW))
#endif

/* --- records --- */

/* For a CO-RE check whether the kernel has this helper (since Linux 5.11). */
enum bpf_func_id___engine {
	BPF_FUNC_get_current_task_btf___engine = 158,
};

/* Does the kernel say how long threads have waited for a CPU? */
#define has_run_delay bpf_core_field_exists(struct sched_info, run_delay)
#ifndef RUN_DELAY /* a test's own */
#define RUN_DELAY(task) (task)->sched_info.run_delay
#define READS_DELAY
#endif

#define has_typed_task                                        \
	bpf_core_enum_value_exists(enum bpf_func_id___engine, \
				   BPF_FUNC_get_current_task_btf___engine)

/*
 * The current thread. Every lockdown mode permits loads through the typed pointer of
 * bpf_get_current_task_btf(); without it kernel memory is read.
 */
static __always_inline const struct task_struct *task_now(void)
{
	return has_typed_task ? bpf_get_current_task_btf() :
				(const struct task_struct *)bpf_get_current_task();
}

static __always_inline __u64 task_start(const struct task_struct *task)
{
	return has_typed_task ? task->start_boottime : BPF_CORE_READ(task, start_boottime);
}

static __always_inline __u32 task_tid(const struct task_struct *task)
{
	return has_typed_task ? (__u32)task->pid : (__u32)bpf_get_current_pid_tgid();
}

/* How long it has waited for a CPU, ns; 0 where the kernel does not say. */
static __always_inline __u64 task_delay(const struct task_struct *task)
{
	if (!has_run_delay)
		return 0;
	return has_typed_task ? RUN_DELAY(task) : BPF_CORE_READ(task, sched_info.run_delay);
}

/*
 * Keeps the compiler from doing what follows before a branch, and from one call for two look-ups in
 * different maps, which the kernel could not inline.
 */
#define keep_here(value) asm volatile("" : "+r"(value))

#include "engine_elements.bpf.h"

RECORDS(record, struct engine_record, &ENGINE_MAP(_cells_0), &ENGINE_MAP(_cells))

#ifdef ENGINE_SLOTS
static __noinline struct block *block_far(__u32 number)
{
	return far_at(&ENGINE_MAP(_blocks), BLOCKS_BITS, number);
}

/* NULL: there is none of this number, which may be 0. */
static __always_inline struct block *block_at(__u32 number)
{
	if (likely(number - 1 < BLOCKS_CHUNK - 1))
		return near_at(&ENGINE_MAP(_blocks_0), BLOCKS_BITS, sizeof(struct block), number);
	return number ? block_far(number) : NULL;
}
#endif

/*
 * Slow paths are global functions: the verifier checks one for itself, and not again on each path
 * that leads to it, which makes loading many times faster. Before Linux 5.13 such take numbers
 * only, no pointers. They are in the objects' symbols, but nobody else calls them.
 */
#define SLOW_PATH __noinline

/*
 * The maps of a family's records. Functions that take them are inlined: the verifier has to know
 * each map.
 */
struct record_maps {
	void *first, *cells, *free, *index;
	__u32 *taken; /* how many were taken */
	__u32 size;   /* of a record */
};

static __always_inline struct record *records_at(const struct record_maps *maps, __u32 number)
{
	if (likely(number < RECORDS_CHUNK))
		return near_at(maps->first, RECORDS_BITS, maps->size, number);
	return far_at(maps->cells, RECORDS_BITS, number);
}

/* Take a free record for a key. Returns its number; 0: none is free. */
static __always_inline __u32 records_take(const struct record_maps *maps, struct record_key *key,
					  __u64 vcpu)
{
	struct record *record;
	__u32 number = 0;

	if (bpf_map_pop_elem(maps->free, &number))
		return 0;
	record = records_at(maps, number);
	if (!record)
		return 0;
	record->vcpu = vcpu;
	record->tid = key->tid;
	record->tgid = key->tgid;
	record->further = key->vcpu != 0;
	record->start = key->start;
	if (bpf_map_update_elem(maps->index, key, &number, BPF_NOEXIST)) {
		record->start = 0; /* no memory */
		bpf_map_push_elem(maps->free, &number, 0);
		return 0;
	}
	__sync_fetch_and_add(maps->taken, 1);
	return number;
}

static __always_inline __u32 records_of_key(const struct record_maps *maps, struct record_key *key,
					    __u64 vcpu, bool make)
{
	const __u32 *known = bpf_map_lookup_elem(maps->index, key);

	if (known)
		return *known;
	return make ? records_take(maps, key, vcpu) : 0;
}

/*
 * Find the current thread's record for a vCPU by the index. Nearly every thread runs one vCPU. A
 * thread that runs more has a record for each, so that counts of different vCPUs never mix. A
 * record made by an event that names no vCPU adopts the first one named.
 */
static __always_inline __u32 records_search(const struct record_maps *maps, __u64 start, __u64 vcpu,
					    bool make)
{
	__u64 numbers = bpf_get_current_pid_tgid();
	struct record_key key = { .start = start, .tid = (__u32)numbers, .tgid = numbers >> 32 };
	__u32 number = records_of_key(maps, &key, vcpu, make);
	struct record *record = number ? records_at(maps, number) : NULL;

	if (!record || !vcpu || record->vcpu == vcpu)
		return number;
	if (!record->vcpu) {
		record->vcpu = vcpu;
		return number;
	}
	key.vcpu = vcpu;
	return records_of_key(maps, &key, vcpu, make);
}

__u32 record_search(__u64 start, __u64 vcpu, bool make);

SLOW_PATH __u32 record_search(__u64 start, __u64 vcpu, bool make)
{
	const struct record_maps maps = { &ENGINE_MAP(_cells_0),    &ENGINE_MAP(_cells),
					  &ENGINE_MAP(_cells_free), &ENGINE_MAP(_index),
					  &control.records_taken,   sizeof(struct engine_record) };

	return records_search(&maps, start, vcpu, make);
}

static __always_inline bool record_is(const struct engine_record *record, __u64 start, __u32 tid,
				      __u64 vcpu, bool any_vcpu)
{
	return record->head.start == start && record->head.tid == tid &&
	       (any_vcpu ? !record->head.further : record->head.vcpu == vcpu);
}

enum { FIND_ANY_VCPU = 1, FIND_MAKE = 2 };

/*
 * The first hint of a set: that of a vCPU, whose address is known before the thread is; of a thread
 * where no vCPU is named.
 */
static __always_inline __u32 hints_set(__u64 of)
{
	return (of * 0x9e3779b97f4a7c15ULL) >> 48 & (HINTS - 2);
}

__u32 record_miss(__u32 set, __u64 start, __u32 tid, __u64 vcpu, __u32 flags);

/* The number of what the set's first hint does not lead to, which does from now on; 0: none. */
SLOW_PATH __u32 record_miss(__u32 set, __u64 start, __u32 tid, __u64 vcpu, __u32 flags)
{
	__u32 *hint, number;

	keep_here(set); /* with two hints there is one set, and an unused argument has no value */
	hint = &hints[set & (HINTS - 2)];
	number = hint[1];
	if (record_is(record_hinted(number), start, tid, vcpu, flags & FIND_ANY_VCPU))
		return number;
	number = record_search(start, vcpu, flags & FIND_MAKE);
	if (number) {
		hint[1] = hint[0];
		hint[0] = number;
	}
	return number;
}

/*
 * Find a record of the current thread for a vCPU (address), or with FIND_ANY_VCPU that of its first
 * one; FIND_MAKE: create it if there is none. NULL: there is none, or no room for it. Tells what
 * its number is.
 */
static __always_inline struct engine_record *
record_number_find(const struct task_struct *task, __u64 vcpu, __u32 flags, __u32 *ret_number)
{
	__u64 start = task_start(task);
	__u32 tid = task_tid(task), set = hints_set(flags & FIND_ANY_VCPU ? start : vcpu);
	struct engine_record *record = record_hinted(hints[set]);

	*ret_number = hints[set];
	if (likely(record_is(record, start, tid, vcpu, flags & FIND_ANY_VCPU)))
		return record;
	*ret_number = record_miss(set, start, tid, vcpu, flags);
	return *ret_number ? record_at(*ret_number) : NULL;
}

static __always_inline struct engine_record *record_find(const struct task_struct *task, __u64 vcpu,
							 __u32 flags)
{
	__u32 number;

	return record_number_find(task, vcpu, flags, &number);
}

/*
 * Find the record of a vCPU that is in the guest, which it has entered in this generation: the
 * current thread's, for one at a time runs a vCPU, and leaves the guest before another enters it.
 * So the thread has not to be named, which takes a call. NULL: it is not known to be there.
 */
static __always_inline struct engine_record *record_in_guest(__u64 vcpu)
{
	struct engine_record *record = record_hinted(hints[hints_set(vcpu)]);

	if (likely(record->head.vcpu == vcpu && record->head.entered &&
		   record->head.generation == control.generation &&
		   record->head.start != RECORD_GONE))
		return record;
	return NULL;
}

/* Forget an exit or entry from before a detach: its generation differs. */
static __always_inline void record_renew(struct record *record)
{
	if (likely(record->generation == control.generation))
		return;
	record->generation = control.generation;
	record->opened = 0;
	record->entered = 0;
}

/* The current thread exits: mark its first record final, for the user side to retire all. */
static __always_inline void thread_ended(void)
{
	__u64 numbers = bpf_get_current_pid_tgid();
	struct record_key key = { .start = task_start(task_now()),
				  .tid = (__u32)numbers,
				  .tgid = numbers >> 32 };
	const __u32 *number = bpf_map_lookup_elem(&ENGINE_MAP(_index), &key);
	struct engine_record *record = number ? record_at(*number) : NULL;

	if (record)
		record->head.ended = 1;
}

#ifdef ENGINE_SLOTS
#include "engine_pairs.bpf.h"
#endif

#endif /* PMDAKVM_ENGINE_BPF_H */
