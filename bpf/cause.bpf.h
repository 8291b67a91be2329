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

/* --- the table --- */

static __noinline int cause_count_nowhere(__u64 accesses, __u64 count, __u64 time, __u64 trips,
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

static __always_inline __u64 cause_weight(const struct cause_slot *slot)
{
	const struct cause_counts *counts = &slot->counts;
	__u64 weight = counts->accesses > counts->count ? counts->accesses : counts->count;

	return weight > slot->votes ? weight - slot->votes : 0;
}

/* A slot starts with a key. A reader sees by changes that it may have read half of it. */
static __always_inline void cause_start(struct cause_record *record, struct cause_slot *slot,
					__u64 key)
{
	__u32 *changes = &record->changes[cause_set(key) / CAUSE_WAYS];

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

/* An event of a key that has no slot. Returns where to count it. */
static __noinline struct cause_counts *cause_miss(struct cause_record *record, __u64 key)
{
	__u64 set = cause_set(key), least = ~0ULL;
	struct cause_slot *slot = &record->slots[set];

#pragma unroll
	for (int i = 0; i < CAUSE_WAYS; i++) {
		struct cause_slot *other = &record->slots[set + i];
		__u64 weight = other->key ? cause_weight(other) : 0;

		if (weight < least) {
			least = weight;
			slot = other;
		}
	}
	if (slot->key) {
		slot->votes++;
		if (least > 1)
			return &record->other;
	}
	cause_start(record, slot, key);
	return &slot->counts;
}

/* Where to count a key, which is not CAUSE_NONE; takes: it may take a slot. */
static __always_inline struct cause_counts *cause_find(struct cause_record *record, __u64 key,
						       bool takes)
{
	__u64 set = cause_set(key);

#pragma unroll
	for (int i = 0; i < CAUSE_WAYS; i++) {
		if (record->slots[set + i].key == key)
			return &record->slots[set + i].counts;
	}
	return takes ? cause_miss(record, key) : &record->other;
}

/* Only accesses take slots, and what is no access. */
static __noinline struct cause_counts *cause_counts_of(struct cause_record *record, __u64 key)
{
	if (key == CAUSE_NONE)
		return &record->none;
	return cause_find(record, key, key >> CAUSE_KIND_SHIFT == CAUSE_APIC);
}

/* --- exits and trips --- */

/* Trips that wait were caused by this. */
static __noinline int cause_settle(struct cause_record *record, __u64 key)
{
	struct cause_counts *counts = cause_counts_of(record, key);

	counts->trips += record->trips;
	counts->trip_time += record->trip_time;
	record->trips = 0;
	record->trip_time = 0;
	record->back = 0;
	record->due = 0;
	return 0;
}

static __noinline int cause_charge(struct cause_record *record, __u64 key, __u64 time)
{
	struct cause_counts *counts = cause_counts_of(record, key);

	counts->count++;
	counts->time += time;
	record->open = 0;
	return 0;
}

/* Programs were detached since: what is open ends here, and its time stays unknown. */
static __noinline int cause_void(struct cause_record *record, __u32 generation)
{
	__u64 key = record->open ? record->key : record->trip_key;

	if (record->open)
		cause_charge(record, key, 0);
	if (record->trips || record->trip_time)
		cause_settle(record, key);
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

static __always_inline void cause_renew(struct cause_record *record, __u32 generation)
{
	if (record->head.generation != generation)
		cause_void(record, generation);
}

#ifndef ENGINE_RECORD

static __always_inline struct cause_record *cause_at(__u32 number)
{
	return (struct cause_record *)records_at(&cause_cells, number);
}

static __noinline __u32 cause_search(__u64 start, __u64 vcpu)
{
	__u32 zero = 0;
	struct engine_control *shared = bpf_map_lookup_elem(&cause_shared, &zero);
	struct record_maps maps = { &cause_cells, &cause_cells_free, &cause_index, NULL };

	if (!shared)
		return 0;
	maps.taken = &shared->records_taken;
	return records_search(&maps, start, vcpu, true);
}

static __always_inline bool cause_is_of(const struct cause_record *record,
					const struct record *owner, __u64 vcpu)
{
	return record && record->head.start == owner->start && record->head.tid == owner->tid &&
	       (vcpu ? record->head.vcpu == vcpu : !record->head.further);
}

/*
 * The record of causes that belongs to a record of the current thread. vcpu: its vCPU; 0: the
 * thread's first one. NULL: there is no room for it.
 */
static __always_inline struct cause_record *cause_of(struct record *owner, __u64 vcpu)
{
	struct cause_record *record = cause_at(owner->cause);

	if (!cause_is_of(record, owner, vcpu)) {
		owner->cause = cause_search(owner->start, vcpu);
		record = owner->cause ? cause_at(owner->cause) : NULL;
	}
	if (record)
		cause_renew(record, control.causes);
	return record;
}

/* The thread's first record: events that name no vCPU lead there. */
static __noinline struct cause_record *cause_first(struct cause_record *record)
{
	__u32 number = cause_search(record->head.start, 0);

	return number ? cause_at(number) : NULL;
}

/* An exit is open; counted: in a block of its record. */
static __always_inline void cause_exits(struct record *owner)
{
	struct cause_record *record = cause_of(owner, owner->vcpu);

	if (!record)
		return;
	if (record->open) /* it was replaced */
		cause_charge(record, record->key, 0);
	record->open = owner->block != 0;
	record->key = CAUSE_NONE;
	if (record->head.further) {
		struct cause_record *first = cause_first(record);

		if (first)
			first->current = owner->cause;
	} else {
		record->current = 0;
	}
}

/* The trips of an exit that ends, or of none. */
static __always_inline void cause_trips_end(struct cause_record *record, __u64 key)
{
	if (record->away) {
		record->trip_key = key;
		record->due = 1;
	} else if (record->trips || record->trip_time) {
		cause_settle(record, key);
	}
}

/* The guest goes on. closed: an exit ends, after this time. */
static __always_inline void cause_enters(struct record *owner, bool closed, __u64 time)
{
	struct cause_record *record = cause_of(owner, owner->vcpu), *first = record;
	__u64 key;

	if (!record) {
		if (closed && owner->block)
			cause_count_nowhere(0, 1, time, 0, 0);
		return;
	}
	key = record->open ? record->key : CAUSE_NONE;
	if (key != CAUSE_NONE) {
		cause_charge(record, key, time);
	} else if (owner->block) {
		/* of one that was void its time is left to count */
		record->none.count += record->open;
		record->none.time += time;
		record->open = 0;
	}
	if (record->head.further) {
		first = cause_first(record);
		if (first && key != CAUSE_NONE && first->trips)
			cause_find(first, key, true); /* another vCPU has counted its access */
	}
	if (first)
		cause_trips_end(first, key);
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
		cause_settle(record, record->trip_key);
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
		cause_settle(record, record->trip_key);
	else
		record->back = 1;
}

#endif

#endif /* PMDAKVM_CAUSE_BPF_H */
