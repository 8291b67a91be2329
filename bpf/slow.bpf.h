/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Records slow exits; layouts are in slow.h. The programs of the families exit and userspace_exit,
 * which read the clock, write the slow family's records, whose maps their loader shares. All of it
 * is slow paths: what is not slow costs one comparison, slow_may_be(). Include ledger.bpf.h and
 * cause.bpf.h before.
 */
#ifndef PMDAKVM_SLOW_BPF_H
#define PMDAKVM_SLOW_BPF_H

#include "slow.h"

/* --- maps --- */

#ifndef ENGINE_RECORD

FIRST_CHUNK(first_slows, struct slow_record, RECORDS_BITS);

/* Without the slow family it is there, too, and no number leads to it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct first_slows));
} slow_cells_0 SEC(".maps");

struct slow_chunk {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, RECORDS_CHUNK);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct slow_record));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct slow_chunk);
} slow_cells SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 1);
	__uint(key_size, 0);
	__uint(value_size, sizeof(__u32));
} slow_cells_free SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct record_key);
	__type(value, __u32);
} slow_index SEC(".maps");

/* Global data of the slow family's programs. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct engine_control);
} slow_shared SEC(".maps");

#endif

/* Slow exits without a record, one row per possible CPU; max_entries is set before loading. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct slow_row);
} slow_rows SEC(".maps");

#ifndef ENGINE_RECORD

const volatile struct slow_setup slow_setup;

/* Can a time, ns, be over the threshold? A flag of 0 is that of 19 hours: slow paths ask again. */
static __always_inline bool slow_may_be(__u64 time)
{
	return !likely(SLOW_UNITS(time) <= control.slow - 1);
}

RECORDS(slow, struct slow_record, &slow_cells_0, &slow_cells)

__u32 slow_search(__u64 start, __u64 vcpu);

/* The number of the current thread's record for a vCPU; it may take one. 0: there is no room. */
SLOW_PATH __u32 slow_search(__u64 start, __u64 vcpu)
{
	__u32 zero = 0, cpu = bpf_get_smp_processor_id(), number = 0;
	struct engine_control *shared = bpf_map_lookup_elem(&slow_shared, &zero);
	struct record_maps maps = { &slow_cells_0, &slow_cells, &slow_cells_free,
				    &slow_index,   NULL,	sizeof(struct slow_record) };
	struct slow_row *row;

	if (shared) {
		maps.taken = &shared->records_taken;
		number = records_search(&maps, start, vcpu, true);
	}
	row = number ? NULL : bpf_map_lookup_elem(&slow_rows, &cpu);
	if (row)
		row->dropped++;
	return number;
}

__u32 slow_slot(__u32 number);

/* The slot of the last pair of a record: that of its block. ENGINE_SLOTS: it found no block. */
SLOW_PATH __u32 slow_slot(__u32 number)
{
	const struct engine_record *record = record_at(number);

	if (!record || !record->head.block)
		return ENGINE_SLOTS;
	for (__u32 i = 0; i < ENGINE_SLOTS; i++) {
		if (record->blocks[i] == record->head.block)
			return i;
	}
	return ENGINE_SLOTS;
}

/* --- time by state --- */

/* What is found out of an exit that ends. */
struct slow_found {
	__u64 now, time, delay;
	__u32 slot, isa, known;
	__u64 cause;
	__u64 state[LEDGER_PLACES];
};

/*
 * The states since the exit began: what the ledger has counted since, and the interval that ends
 * now, which it has not counted yet. An exit in which no other edge was has but that one.
 */
static __always_inline void slow_states(struct slow_found *found, const struct engine_record *owner,
					bool is_trip)
{
	const struct ledger_record *ledger = ledger_at(owner->ledger);
	__u64 last, begins, since, waited;
	bool marked;

	if (!control.ledger || !ledger || ledger->head.generation != control.ledger ||
	    ledger->head.start != owner->head.start || ledger->head.tid != owner->head.tid)
		return;
	last = ledger->last >> LEDGER_STATE_BITS;
	marked = !is_trip && ledger->reason & LEDGER_MARKED;
	begins = marked ? ledger->base_at : last;
	if (found->now - found->time != begins || found->now < last)
		return;
	since = found->now - last;
	waited = found->delay - ledger->delay;
	if (waited > since)
		waited = since;
#pragma unroll
	for (__u32 i = 0; i < LEDGER_PLACES; i++) {
		found->state[i] = marked ? ledger->time[i] - ledger->base[i] : 0;
		if (i == LEDGER_READY)
			found->state[i] += waited;
		if (i == ledger_since(ledger))
			found->state[i] += since - waited;
	}
	found->known |= SLOW_STATES;
	if (has_run_delay)
		found->known |= SLOW_READY;
	/* it has halted, and KVM's statistics of polling could not be read */
	if (ledger->reason != LEDGER_MARKED || ledger->knows_polled || !ledger->head.vcpu)
		found->known |= SLOW_POLL;
}

/* Is an exit of this slot one in which the vCPU may sleep? */
static __always_inline bool slow_sleeps(__u32 isa, __u32 slot)
{
	return slow_setup.sleeps[isa % 8][slot / 64 % (COUNTER_SLOTS_MAX / 64)] >> slot % 64 & 1;
}

/*
 * How long the vCPU was awake: not halted, and KVM did not poll. Where it exits to sleep, it sleeps
 * in the VMM, too: one that has no interrupt controller in KVM, or was stopped. Without the ledger
 * the whole of such an exit may be sleep.
 */
static __always_inline __u64 slow_awake(const struct slow_found *found)
{
	bool sleeps = slow_sleeps(found->isa, found->slot);
	__u64 awake = found->time;

	if (!(found->known & SLOW_STATES))
		return sleeps ? 0 : awake;
	awake -= found->state[LEDGER_HALTED] + found->state[LEDGER_POLL];
	return sleeps ? awake - found->state[LEDGER_VMM] : awake;
}

/* --- rows --- */

/* Returns the number of the record; 0: there is no room. */
static __always_inline __u32 slow_write(const struct slow_found *found,
					const struct engine_record *owner)
{
	__u32 number = slow_search(owner->head.start, owner->head.vcpu);
	struct slow_record *record = number ? slow_at(number) : NULL;
	struct slow_exit *slow;

	if (!record)
		return 0;
	slow = &record->exits[record->count % SLOW_EXITS];
	slow->number = 0;
	in_order();
	slow->end = found->now;
	slow->duration = found->time;
	slow->cause = found->cause;
	slow->reason = found->slot < ENGINE_SLOTS ? found->isa << LEDGER_ISA_SHIFT | found->slot :
						    0;
	slow->known = found->known;
#pragma unroll
	for (int i = 0; i < LEDGER_PLACES; i++)
		slow->time[i] = found->state[i];
	slow->check = slow_sum(slow, record->count + 1);
	in_order();
	slow->number = record->count + 1;
	in_order();
	record->count++;
	return number;
}

/* The record of causes of the same thread. */
static __always_inline struct cause_record *slow_cause_of(const struct engine_record *owner)
{
	struct cause_record *record = cause_at(owner->head.cause);

	return record && record->head.start == owner->head.start &&
			       record->head.tid == owner->head.tid ?
		       record :
		       NULL;
}

int slow_exit_ends(__u64 vcpu, __u64 now, __u64 time);

/* An exit has ended that may be slow; its last edge is not in the ledger yet. */
SLOW_PATH int slow_exit_ends(__u64 vcpu, __u64 now, __u64 time)
{
	const struct task_struct *task = task_now();
	struct slow_found found = { .now = now, .time = time, .delay = task_delay(task) };
	__u32 number = record_search(task_start(task), vcpu, false);
	const struct engine_record *owner = number ? record_at(number) : NULL;
	const struct cause_record *causes;

	if (!owner || !control.slow)
		return 0;
	found.slot = slow_slot(number);
	found.isa = owner->head.isa;
	slow_states(&found, owner, false);
	if (slow_awake(&found) <= slow_setup.threshold)
		return 0;
	causes = control.causes ? slow_cause_of(owner) : NULL;
	if (causes) {
		found.cause = causes->key;
		found.known |= SLOW_CAUSE;
	}
	slow_write(&found, owner);
	return 0;
}

int slow_trip_ends(__u64 now, __u64 time);

/*
 * A trip to the VMM has ended that may be slow. Its cause is known with the first event after it,
 * at the latest as the next one begins.
 */
SLOW_PATH int slow_trip_ends(__u64 now, __u64 time)
{
	const struct task_struct *task = task_now();
	struct slow_found found = { .now = now, .time = time, .delay = task_delay(task) };
	__u32 number = record_search(task_start(task), 0, false);
	struct engine_record *owner = number ? record_at(number) : NULL;

	if (!owner || !(control.slow & SLOW_TRIPS))
		return 0;
	found.slot = slow_slot(number);
	found.isa = SLOW_ISA_TRIPS;
	slow_states(&found, owner, true);
	if (slow_awake(&found) <= slow_setup.threshold)
		return 0;
	number = slow_write(&found, owner);
	owner->slow = control.causes && owner->head.block ? number : 0;
	return 0;
}

int slow_trip_caused(void);

/* The cause of the last slow trip is known. */
SLOW_PATH int slow_trip_caused(void)
{
	__u32 number = record_search(task_start(task_now()), 0, false);
	struct engine_record *owner = number ? record_at(number) : NULL;
	const struct cause_record *causes;
	struct slow_record *record;
	struct slow_exit *slow;
	__u64 newest;

	if (!owner)
		return 0;
	record = slow_at(owner->slow);
	owner->slow = 0;
	causes = slow_cause_of(owner);
	if (!causes || !record || !record->count || record->head.start != owner->head.start ||
	    record->head.tid != owner->head.tid)
		return 0;
	newest = record->count;
	slow = &record->exits[(newest - 1) % SLOW_EXITS];
	slow->number = 0;
	in_order();
	slow->cause = causes->settled;
	slow->known |= SLOW_CAUSE;
	slow->check = slow_sum(slow, newest);
	in_order();
	slow->number = newest;
	return 0;
}

#endif

#endif /* PMDAKVM_SLOW_BPF_H */
