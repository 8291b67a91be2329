/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Charges exits and trips to the VMM to their causes; layouts are in cause.h. The cause family's
 * programs set keys. Those of the families exit and userspace_exit, which read the clock, charge
 * the cause family's records, whose maps their loader shares. Include engine.bpf.h before.
 */
#ifndef PMDAKVM_CAUSE_BPF_H
#define PMDAKVM_CAUSE_BPF_H

#include "cause.h"

/* --- maps --- */

#ifndef ENGINE_RECORD

FIRST_CHUNK(first_causes, struct cause_record, RECORDS_BITS);

/* Without the cause family it is there, too, and no number leads to it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct first_causes));
} cause_cells_0 SEC(".maps");

struct cause_chunk {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, RECORDS_CHUNK);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct cause_record));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct cause_chunk);
} cause_cells SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 1);
	__uint(key_size, 0);
	__uint(value_size, sizeof(__u32));
} cause_cells_free SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct record_key);
	__type(value, __u32);
} cause_index SEC(".maps");

/* Global data of the cause family's programs. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct engine_control);
} cause_shared SEC(".maps");

#endif

/* What found no record, one row per possible CPU; max_entries is set before loading. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cause_row);
} cause_rows SEC(".maps");

/* The record of a number that a hint or another record has. Slow paths look it up again. */
#ifdef ENGINE_RECORD
#define cause_at record_at
#else
RECORDS(cause, struct cause_record, &cause_cells_0, &cause_cells)
#endif

int cause_count_nowhere(__u64 accesses, __u64 count, __u64 time, __u64 trips, __u64 trip_time);

/* --- the table --- */

SLOW_PATH int cause_count_nowhere(__u64 accesses, __u64 count, __u64 time, __u64 trips,
				  __u64 trip_time)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct cause_row *row = bpf_map_lookup_elem(&cause_rows, &cpu);

	if (!row)
		return 0;
	row->counts.accesses += accesses;
	row->counts.count += count;
	row->counts.time += time;
	row->counts.trips += trips;
	row->counts.trip_time += trip_time;
	return 0;
}

/* The first slot of a key's set. */
static __always_inline __u64 cause_set(__u64 key)
{
	return (key * 0x9e3779b97f4a7c15ULL >> 60) % CAUSE_SETS * CAUSE_WAYS;
}

/*
 * 1 for a negative number, else 0. To be multiplied with: of branches, and of masks with all bits
 * or none, the verifier follows both ways.
 */
static __always_inline __s64 is_negative(__s64 number)
{
	__u64 sign = (__u64)number >> 63;

	keep_here(sign);
	return (__s64)sign;
}

/* What votes against a slot have to reach. */
static __always_inline __s64 cause_weight(const struct cause_slot *slot)
{
	__s64 more = (__s64)(slot->counts.accesses - slot->counts.count);
	__s64 weight = (__s64)slot->counts.count + more * (1 - is_negative(more)) - slot->votes;

	return weight * (1 - is_negative(weight));
}

/* A slot starts with a key. A reader sees by changes that it may have read half of it. */
static __always_inline void cause_start(struct cause_record *record, struct cause_slot *slot,
					__u64 set, __u64 key)
{
	__u32 *changes = &record->changes[set];

	__sync_fetch_and_add(changes, 1);
	record->other.accesses += slot->counts.accesses;
	record->other.count += slot->counts.count;
	record->other.time += slot->counts.time;
	record->other.trips += slot->counts.trips;
	record->other.trip_time += slot->counts.trip_time;
	slot->counts.accesses = 0;
	slot->counts.count = 0;
	slot->counts.time = 0;
	slot->counts.trips = 0;
	slot->counts.trip_time = 0;
	slot->votes = 0;
	slot->key = key;
	slot->turn++;
	__sync_fetch_and_add(changes, 1);
}

__u64 cause_miss(__u32 number, __u64 key);

/*
 * An event of a key that has no slot in the record's table. Returns which it gets; CAUSE_SLOTS:
 * none, it counts as other.
 */
SLOW_PATH __u64 cause_miss(__u32 number, __u64 key)
{
	struct cause_record *record = cause_at(number);
	__s64 least, weakest = 0;
	struct cause_slot *slot;
	__u64 set = cause_set(key);

	if (!record)
		return CAUSE_SLOTS;
	least = cause_weight(&record->slots[set]);
#pragma unroll
	for (int i = 1; i < CAUSE_WAYS; i++) {
		__s64 weight = cause_weight(&record->slots[set + i]);
		__s64 is_less = is_negative(weight - least);

		least += (weight - least) * is_less;
		weakest += (i - weakest) * is_less;
	}
	set += (__u64)weakest;
	keep_here(set); /* Linux 5.10 forgets what it knows of a number on the stack */
	set &= CAUSE_SLOTS - 1;
	slot = &record->slots[set];
	if (slot->key) {
		slot->votes++;
		if (least > 1)
			return CAUSE_SLOTS;
	}
	cause_start(record, slot, set / CAUSE_WAYS, key);
	return set;
}

/* The counts of a key that has a slot, else NULL. */
static __always_inline struct cause_counts *cause_known(struct cause_record *record, __u64 key)
{
	__u64 set = cause_set(key);

#pragma unroll
	for (int i = 0; i < CAUSE_WAYS; i++) {
		if (record->slots[set + i].key == key)
			return &record->slots[set + i].counts;
	}
	return NULL;
}

/* Where to count a key, which is not CAUSE_NONE; takes: it may take a slot. */
static __always_inline struct cause_counts *cause_find(struct cause_record *record, __u32 number,
						       __u64 key, bool takes)
{
	struct cause_counts *counts = cause_known(record, key);
	__u64 slot;

	if (likely(counts))
		return counts;
	slot = takes ? cause_miss(number, key) : CAUSE_SLOTS;
	if (slot >= CAUSE_SLOTS)
		return &record->other;
	keep_here(slot); /* or clang 19 adds the slot to the address before it compares */
	return &record->slots[slot & (CAUSE_SLOTS - 1)].counts;
}

/* Only accesses take slots, and what is no access. */
static __always_inline struct cause_counts *cause_counts_of(struct cause_record *record,
							    __u32 number, __u64 key)
{
	if (key == CAUSE_NONE)
		return &record->none;
	return cause_find(record, number, key, key >> CAUSE_KIND_SHIFT == CAUSE_APIC);
}

/* --- exits and trips --- */

int cause_settle(__u32 number, __u64 key);

/* Trips that wait were caused by this. */
SLOW_PATH int cause_settle(__u32 number, __u64 key)
{
	struct cause_record *record = cause_at(number);
	struct cause_counts *counts;

	if (!record)
		return 0;
	counts = cause_counts_of(record, number, key);
	record->settled = key;
	counts->trips += record->trips;
	counts->trip_time += record->trip_time;
	record->trips = 0;
	record->trip_time = 0;
	record->back = 0;
	record->due = 0;
	return 0;
}

int cause_charge(__u32 number, __u64 key, __u64 time);

/* The open exit ends. */
SLOW_PATH int cause_charge(__u32 number, __u64 key, __u64 time)
{
	struct cause_record *record = cause_at(number);
	struct cause_counts *counts;

	if (!record)
		return 0;
	counts = cause_counts_of(record, number, key);
	counts->count++;
	counts->time += time;
	record->open = 0;
	return 0;
}

int cause_void(__u32 number, __u32 generation);

/* Programs were detached since: what is open ends here, and its time stays unknown. */
SLOW_PATH int cause_void(__u32 number, __u32 generation)
{
	struct cause_record *record = cause_at(number);
	__u64 key;

	if (!record)
		return 0;
	key = record->open ? record->key : record->trip_key;
	if (record->open)
		cause_charge(number, key, 0);
	if (record->trips || record->trip_time)
		cause_settle(number, key);
	record->away = 0;
	record->back = 0;
	record->due = 0;
	record->current = 0;
	record->key = CAUSE_NONE;
	record->run_key = CAUSE_NONE;
	record->trip_key = CAUSE_NONE;
	record->head.generation = generation;
	return 0;
}

static __always_inline void cause_renew(struct cause_record *record, __u32 number, __u32 generation)
{
	if (!likely(record->head.generation == generation))
		cause_void(number, generation);
}

#ifndef ENGINE_RECORD

__u32 cause_search(__u64 start, __u64 vcpu);

SLOW_PATH __u32 cause_search(__u64 start, __u64 vcpu)
{
	__u32 zero = 0;
	struct engine_control *shared = bpf_map_lookup_elem(&cause_shared, &zero);
	struct record_maps maps = { &cause_cells_0, &cause_cells, &cause_cells_free,
				    &cause_index,   NULL,	  sizeof(struct cause_record) };

	if (!shared)
		return 0;
	maps.taken = &shared->records_taken;
	return records_search(&maps, start, vcpu, true);
}

static __always_inline bool cause_is_of(const struct cause_record *record,
					const struct record *owner, __u64 vcpu)
{
	return record->head.start == owner->start && record->head.tid == owner->tid &&
	       (vcpu ? record->head.vcpu == vcpu : !record->head.further);
}

/*
 * The record of causes that belongs to a record of the current thread. vcpu: its vCPU; 0: the
 * thread's first one. NULL: there is no room for it.
 */
static __always_inline struct cause_record *cause_of(struct record *owner, __u64 vcpu)
{
	struct cause_record *record = cause_hinted(owner->cause);

	if (!likely(cause_is_of(record, owner, vcpu))) {
		owner->cause = cause_search(owner->start, vcpu);
		record = owner->cause ? cause_at(owner->cause) : NULL;
	}
	if (record)
		cause_renew(record, owner->cause, control.causes);
	return record;
}

/* Events that name no vCPU lead to the thread's first record: they go on to this one. */
static __noinline int cause_further_begins(__u64 start, __u32 number)
{
	__u32 first = cause_search(start, 0);
	struct cause_record *record = first ? cause_at(first) : NULL;

	if (record)
		record->current = number;
	return 0;
}

/* An exit is open; counted: in a block of its record. */
static __always_inline void cause_exits(struct record *owner)
{
	struct cause_record *record = cause_of(owner, owner->vcpu);

	if (!record)
		return;
	if (record->open) /* it was replaced */
		cause_charge(owner->cause, record->key, 0);
	record->open = owner->block != 0;
	record->key = CAUSE_NONE;
	if (likely(!record->head.further))
		record->current = 0;
	else
		cause_further_begins(owner->start, owner->cause);
}

/* The trips of an exit that ends, or of none. */
static __always_inline void cause_trips_end(struct cause_record *record, __u32 number, __u64 key)
{
	if (record->away) {
		record->trip_key = key;
		record->due = 1;
	} else if (record->trips || record->trip_time) {
		cause_settle(number, key);
	}
}

int cause_further_ends(__u64 start, __u64 key);

/* The same of a further vCPU: the thread's first record has them. */
SLOW_PATH int cause_further_ends(__u64 start, __u64 key)
{
	__u32 number = cause_search(start, 0);
	struct cause_record *first = number ? cause_at(number) : NULL;

	if (!first)
		return 0;
	if (key != CAUSE_NONE && first->trips)
		cause_find(first, number, key, true); /* another vCPU has counted its access */
	cause_trips_end(first, number, key);
	return 0;
}

/* An exit ends, after this time, that has a cause, or trips, or is none. */
static __noinline int cause_ends(const struct record *owner, struct cause_record *record,
				 __u64 time)
{
	__u64 key = record->open ? record->key : CAUSE_NONE;
	struct cause_counts *counts;

	if (key != CAUSE_NONE) {
		counts = cause_known(record, key);
		if (!likely(counts)) {
			cause_charge(owner->cause, key, time);
		} else {
			counts->count++;
			counts->time += time;
			record->open = 0;
		}
	} else if (owner->block) {
		/* of one that was void its time is left to count */
		record->none.count += record->open;
		record->none.time += time;
		record->open = 0;
	}
	if (likely(!record->head.further))
		cause_trips_end(record, owner->cause, key);
	else
		cause_further_ends(owner->start, key);
	return 0;
}

/* cause_record.phase of an exit that is open, without trips. */
#define CAUSE_OPEN ((const struct cause_record){ .open = 1 }).phase

/* The guest goes on. closed: an exit ends, after this time. */
static __always_inline void cause_enters(struct record *owner, bool closed, __u64 time)
{
	struct cause_record *record = cause_of(owner, owner->vcpu);

	if (!record) {
		if (closed && owner->block)
			cause_count_nowhere(0, 1, time, 0, 0);
		return;
	}
	if (likely(record->phase == CAUSE_OPEN && record->key == CAUSE_NONE &&
		   !record->head.further)) {
		record->none.count++;
		record->none.time += time;
		record->phase = 0;
		return;
	}
	cause_ends(owner, record, time);
}

/* KVM_RUN ends with a trip, which is counted in a block. */
static __always_inline void cause_trip_begins(struct record *owner)
{
	struct cause_record *record = cause_of(owner, 0);

	if (!record) {
		cause_count_nowhere(0, 0, 0, 1, 0);
		return;
	}
	if (record->back && !record->open && !record->current)
		cause_settle(owner->cause, record->trip_key);
	record->trips++;
	record->away = 1;
	record->trip_key = record->run_key;
}

/* KVM_RUN begins again, after this time. */
static __always_inline void cause_trip_ends(struct record *owner, __u64 time)
{
	struct cause_record *record = cause_of(owner, 0);

	if (!record) {
		cause_count_nowhere(0, 0, 0, 0, time);
		return;
	}
	record->trip_time += time;
	record->away = 0;
	record->run_key = CAUSE_NONE;
	if (record->due)
		cause_settle(owner->cause, record->trip_key);
	else
		record->back = 1;
}

#endif

#endif /* PMDAKVM_CAUSE_BPF_H */
