/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * The ledger's edges; layouts are in ledger.h. The programs of the families exit and userspace_exit
 * write the ledger family's records, whose maps their loader shares, so that each event has one
 * program. Include engine.bpf.h before.
 */
#ifndef PMDAKVM_LEDGER_BPF_H
#define PMDAKVM_LEDGER_BPF_H

#include "ledger.h"

/* --- maps --- */

#ifndef ENGINE_RECORD

FIRST_CHUNK(first_ledgers, struct ledger_record, RECORDS_BITS);

/* Without the ledger family it is there, too, and no number leads to it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct first_ledgers));
} ledger_cells_0 SEC(".maps");

struct ledger_chunk {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, RECORDS_CHUNK);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct ledger_record));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct ledger_chunk);
} ledger_cells SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 1);
	__uint(key_size, 0);
	__uint(value_size, sizeof(__u32));
} ledger_cells_free SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct record_key);
	__type(value, __u32);
} ledger_index SEC(".maps");

/* Global data of the ledger family's programs. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct engine_control);
} ledger_shared SEC(".maps");

#endif

/* Edges without a record, one row per possible CPU; max_entries is set before loading. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ledger_row);
} ledger_rows SEC(".maps");

/* --- records --- */

int ledger_drop(void);

SLOW_PATH int ledger_drop(void)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct ledger_row *row = bpf_map_lookup_elem(&ledger_rows, &cpu);

	if (row)
		row->dropped++;
	return 0;
}

/* --- edges --- */

/* Keeps the compiler from moving what follows before what is above. */
#define in_order() asm volatile("" : : : "memory")

/*
 * The first edge since the ledger was attached: nothing is counted yet. The flag comes last, for a
 * reader goes by it. last: as in struct ledger_record.
 */
static __noinline int ledger_begin(struct ledger_record *ledger, __u32 flag, __u64 last,
				   __u64 delay, __u32 reason)
{
	__u64 sum = 0;

#pragma unroll
	for (int i = 0; i < LEDGER_PLACES; i++)
		sum += ledger->time[i];
	ledger->origin = (last >> LEDGER_STATE_BITS) - sum;
	ledger->delay = delay;
	ledger->reason = reason;
	ledger->knows_polled = 0;
	ledger->last = last;
	in_order();
	ledger->head.generation = flag;
	return 0;
}

/* The thread has waited for a CPU since the last edge. Returns how long of the interval. */
static __always_inline __u64 ledger_waits(struct ledger_record *ledger, __u64 delay, __u64 since)
{
	__u64 waited = delay - ledger->delay;

	if (waited > since)
		waited = since;
	ledger->delay = delay;
	ledger->time[LEDGER_READY] += waited;
	return waited;
}

/* The interval until now, without waiting for a CPU. Clocks of two CPUs can differ a little. */
static __always_inline __u64 ledger_interval(struct ledger_record *ledger, __u64 *now, __u64 delay)
{
	__u64 since = *now - (ledger->last >> LEDGER_STATE_BITS);

	if (!likely((__s64)since >= 0)) {
		*now = ledger->last >> LEDGER_STATE_BITS;
		since = 0;
	}
	if (!likely(delay == ledger->delay))
		since -= ledger_waits(ledger, delay, since);
	return since;
}

/*
 * Before an edge that is neither a guest's exit nor its entry: keep what was counted until the
 * exit. So an exit in which there is none costs nothing.
 */
static __always_inline void ledger_mark(struct ledger_record *ledger)
{
	if (ledger->reason & LEDGER_MARKED)
		return;
	ledger->reason |= LEDGER_MARKED;
	ledger->base_at = ledger->last >> LEDGER_STATE_BITS;
#pragma unroll
	for (int i = 0; i < LEDGER_PLACES; i++)
		ledger->base[i] = ledger->time[i];
}

/* ended: the state that the interval counts as. */
static __always_inline void ledger_pass(struct ledger_record *ledger, __u64 now, __u64 since,
					__u64 ended, __u32 next)
{
	ledger->time[ended % LEDGER_PLACES] += since;
	ledger->last = now << LEDGER_STATE_BITS | next;
}

/* The state of a thread in KVM_RUN that is not in the guest. */
static __always_inline __u32 ledger_in_run(__u32 flag)
{
	return flag & (LEDGER_PLACES - 1);
}

/* The state since the last edge. */
static __always_inline __u32 ledger_since(const struct ledger_record *ledger)
{
	return ledger->last & (LEDGER_PLACES - 1);
}

#ifndef ENGINE_RECORD

RECORDS(ledger, struct ledger_record, &ledger_cells_0, &ledger_cells)

__u32 ledger_search(__u64 start, __u64 vcpu);

/* Find the current thread's record by the index, or take one. It adopts the first vCPU named. */
SLOW_PATH __u32 ledger_search(__u64 start, __u64 vcpu)
{
	__u32 zero = 0, number;
	struct engine_control *shared = bpf_map_lookup_elem(&ledger_shared, &zero);
	struct record_maps maps = { &ledger_cells_0, &ledger_cells, &ledger_cells_free,
				    &ledger_index,   NULL,	    sizeof(struct ledger_record) };
	struct record *record;

	if (!shared)
		return 0;
	maps.taken = &shared->records_taken;
	number = records_search(&maps, start, 0, true);
	record = number ? records_at(&maps, number) : NULL;
	if (record && !record->vcpu)
		record->vcpu = vcpu;
	return number;
}

/* The ledger of the thread that has this record, which is the current one. NULL: no room. */
static __always_inline struct ledger_record *ledger_of(struct engine_record *owner)
{
	struct ledger_record *ledger = ledger_hinted(owner->ledger);

	if (likely(ledger->head.start == owner->head.start && ledger->head.tid == owner->head.tid))
		return ledger;
	owner->ledger = ledger_search(owner->head.start, owner->head.vcpu);
	ledger = owner->ledger ? ledger_at(owner->ledger) : NULL;
	if (!ledger)
		ledger_drop();
	return ledger;
}

/* The ledger at an edge. NULL: it begins here, or there is no room for it. */
static __always_inline struct ledger_record *ledger_edge(struct engine_record *owner, __u32 flag,
							 __u64 now, __u64 delay, __u32 next,
							 __u32 reason)
{
	struct ledger_record *ledger = ledger_of(owner);

	if (likely(ledger && ledger->head.generation == flag))
		return ledger;
	if (ledger)
		ledger_begin(ledger, flag, now << LEDGER_STATE_BITS | next, delay, reason);
	return NULL;
}

/* kvm_exit; what the guest was not seen to run is unknown. */
static __always_inline void ledger_exits(struct engine_record *owner, __u32 flag, __u64 now,
					 __u64 delay, __u32 slot)
{
	__u32 reason = (__u32)owner->head.isa << LEDGER_ISA_SHIFT | slot;
	struct ledger_record *ledger = ledger_edge(owner, flag, now, delay, ledger_in_run(flag),
						   reason);
	__u64 since;

	if (!ledger)
		return;
	since = ledger_interval(ledger, &now, delay);
	ledger->reason = reason;
	ledger_pass(ledger, now, since,
		    likely(ledger_since(ledger) == LEDGER_GUEST) ? LEDGER_GUEST : LEDGER_UNKNOWN,
		    ledger_in_run(flag));
}

/* kvm_entry; after another one (AMD's fast path before Linux 6.12) the guest goes on. */
static __always_inline void ledger_enters(struct engine_record *owner, __u32 flag, __u64 now,
					  __u64 delay)
{
	struct ledger_record *ledger = ledger_edge(owner, flag, now, delay, LEDGER_GUEST, 0);
	__u64 since;

	if (!ledger)
		return;
	since = ledger_interval(ledger, &now, delay);
	ledger_pass(ledger, now, since, ledger_since(ledger), LEDGER_GUEST);
}

/* kvm_userspace_exit; what the guest seems to have run is unknown: a kvm_exit was missed. */
static __always_inline void ledger_trip_begins(struct engine_record *owner, __u32 flag, __u64 now,
					       __u64 delay)
{
	struct ledger_record *ledger = ledger_edge(owner, flag, now, delay, LEDGER_VMM, 0);
	__u64 since;
	__u32 state;

	if (!ledger)
		return;
	ledger_mark(ledger);
	since = ledger_interval(ledger, &now, delay);
	state = ledger_since(ledger);
	ledger_pass(ledger, now, since, state == LEDGER_GUEST ? LEDGER_UNKNOWN : state, LEDGER_VMM);
}

/* KVM_RUN has begun; kvm_entry may have told so already. */
static __always_inline void ledger_trip_ends(struct engine_record *owner, __u32 flag, __u64 now,
					     __u64 delay)
{
	struct ledger_record *ledger = ledger_edge(owner, flag, now, delay, ledger_in_run(flag), 0);
	__u64 since;

	if (!ledger || ledger_since(ledger) != LEDGER_VMM)
		return;
	since = ledger_interval(ledger, &now, delay);
	ledger_pass(ledger, now, since, LEDGER_VMM, ledger_in_run(flag));
}

#endif

#endif /* PMDAKVM_LEDGER_BPF_H */
