// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "engine/vcpu_counters.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel/map_prealloc.h"

#define MAX_MASK ((UINT64_C(1) << MAX_TIME_BITS) - 1)

/* --- instruction sets --- */

/* Set the reasons in which a vCPU may sleep until it is woken. */
static void sleeps_find(struct vcpu_counters *counters)
{
	enum reasons_isa isa = counters->slots.isa;
	const struct reason *list;
	size_t n;

	memset(counters->sleeps, 0, sizeof(counters->sleeps));
	if (isa == REASONS_USERSPACE)
		return;
	list = reasons_list(isa, &n);
	for (size_t i = 0; i < n; i++) {
		int slot = reasons_slot_of(isa, list[i].code);

		if (slot >= 0 && reasons_sleeps(list[i].name, strlen(list[i].name)))
			counters->sleeps[slot] = true;
	}
}

/* Set the instruction set from a record's isa field (enum reasons_isa + 1). */
static void isa_set(struct vcpu_counters *counters, uint32_t isa)
{
	if (isa < 1 || isa > REASONS_ISAS || isa - 1 == counters->slots.isa)
		return;
	reason_slots_set_isa(&counters->slots, (enum reasons_isa)(isa - 1));
	counters->nstrays = 0;
	sleeps_find(counters);
}

/* --- loading --- */

void vcpu_counters_init(struct vcpu_counters *counters, const char *name, uint32_t layout,
			unsigned nslots, enum reasons_isa isa, const struct cpus *cpus,
			const char *proc)
{
	*counters = (struct vcpu_counters){
		.name = name, .layout = layout, .nslots = nslots, .cpus = cpus, .proc = proc
	};
	reason_slots_init(&counters->slots, isa, nslots);
	sleeps_find(counters);
}

static size_t bytes_of(const struct bpf_map *map)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t bytes = (size_t)bpf_map__value_size(map) * bpf_map__max_entries(map);

	return (bytes + page - 1) / page * page;
}

static void *map_memory(const struct bpf_map *map)
{
	void *memory = mmap(NULL, bytes_of(map), PROT_READ | PROT_WRITE, MAP_SHARED,
			    bpf_map__fd(map), 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static void unmap_memory(const struct bpf_map *map, const void *memory)
{
	if (memory)
		munmap((void *)memory, bytes_of(map));
}

static void object_drop(struct vcpu_counters *counters)
{
	const struct counters_object *object = &counters->object;

	if (!object->family)
		return;
	unmap_memory(object->ended, counters->ended);
	unmap_memory(object->state, counters->state);
	unmap_memory(object->rows, counters->overflow);
	counters->ended = NULL;
	counters->state = NULL;
	counters->overflow = NULL;
	object->destroy(object->family);
	counters->object.family = NULL;
}

void vcpu_counters_free(struct vcpu_counters *counters)
{
	pool_close(&counters->records);
	pool_close(&counters->blocks);
	object_drop(counters);
	free(counters->seen);
	counters->seen = NULL;
}

/* Let an object reuse the maps of its predecessor, which has the same in the same order. */
static int maps_inherit(const struct bpf_object *from, struct bpf_object *to)
{
	const struct bpf_map *old = NULL;
	struct bpf_map *map;
	int err = 0;

	bpf_object__for_each_map(map, to)
	{
		old = bpf_object__next_map(from, old);
		if (!err && !bpf_map__is_internal(map))
			err = bpf_map__reuse_fd(map, bpf_map__fd(old));
	}
	return err;
}

static int object_size(const struct vcpu_counters *counters, const struct counters_object *object,
		       const struct counters_limits *limits)
{
	int err = pool_maps_size(&object->records, RECORDS_BITS, limits->records);

	if (!err)
		err = bpf_map__set_max_entries(object->index, limits->records);
	if (err || !object->ended)
		return err;
	err = pool_maps_size(&object->blocks, BLOCKS_BITS, limits->blocks);
	if (!err)
		err = bpf_map__set_max_entries(object->rows, (__u32)counters->cpus->n);
	if (!err)
		err = bpf_map__set_max_entries(object->events, (__u32)counters->cpus->n);
	return err;
}

static int object_load(struct vcpu_counters *counters, const struct counters_object *object,
		       const struct counters_limits *limits, int events_fd, const struct pins *pins,
		       struct kernel_types *types, struct report *report)
{
	struct pinned pinned = { object->skeleton, object->meta, counters->layout };
	struct bpf_object *fresh = *object->skeleton->obj;
	int err = object_size(counters, object, limits);

	if (!err && events_fd >= 0 && !counters->object.family)
		err = bpf_map__reuse_fd(object->events, events_fd);
	if (!err && counters->object.family)
		err = maps_inherit(*counters->object.skeleton->obj, fresh);
	if (err)
		return err;
	if (counters->object.family)
		return bpf_object__load_skeleton(object->skeleton);
	maps_preallocate(fresh, types);
	return pins_load(pins, &pinned, report);
}

/* Map a loaded object's memory. Returns 0 or an error, with what is mapped in *fresh. */
static int memory_map(struct vcpu_counters *fresh, const struct counters_object *object,
		      const struct counters_limits *limits, const struct pins *pins)
{
	int btf_fd = bpf_object__btf_fd(*object->skeleton->obj);
	int err;

	fresh->state = map_memory(object->state);
	if (!fresh->state)
		return -ENOMEM;
	if (object->ended) {
		fresh->ended = map_memory(object->ended);
		fresh->overflow = map_memory(object->rows);
		if (!fresh->ended || !fresh->overflow)
			return -ENOMEM;
	}
	err = pool_open(&fresh->records, &object->records, btf_fd, RECORDS_BITS, limits->records,
			pins, &object->control->records_taken);
	if (err || !object->ended)
		return err;
	return pool_open(&fresh->blocks, &object->blocks, btf_fd, BLOCKS_BITS, limits->blocks, pins,
			 &object->control->blocks_taken);
}

/* Set by vcpu_counters_load() alone; the rest outlives an object. */
static void memory_take(struct vcpu_counters *counters, const struct vcpu_counters *fresh)
{
	counters->ended = fresh->ended;
	counters->state = fresh->state;
	counters->overflow = fresh->overflow;
	counters->records = fresh->records;
	counters->blocks = fresh->blocks;
}

/* Loading has failed: the pools stay those of the predecessor, if there is one. */
static void memory_undo(struct vcpu_counters *counters, struct vcpu_counters *fresh,
			const struct counters_object *object)
{
	unmap_memory(object->ended, fresh->ended);
	unmap_memory(object->state, fresh->state);
	unmap_memory(object->rows, fresh->overflow);
	if (counters->object.family) {
		pool_belongs(&fresh->records, &counters->records);
		pool_belongs(&fresh->blocks, &counters->blocks);
	} else {
		pool_close(&fresh->records);
		pool_close(&fresh->blocks);
	}
	counters->records = fresh->records;
	counters->blocks = fresh->blocks;
}

int vcpu_counters_load(struct vcpu_counters *counters, const struct counters_object *object,
		       const struct counters_limits *limits, int events_fd, const struct pins *pins,
		       struct kernel_types *types, struct report *report)
{
	struct vcpu_counters fresh = { .records = counters->records, .blocks = counters->blocks };
	int err = object_load(counters, object, limits, events_fd, pins, types, report);

	if (!err)
		err = memory_map(&fresh, object, limits, pins);
	if (err) {
		memory_undo(counters, &fresh, object);
		object->destroy(object->family);
		return err;
	}
	object_drop(counters);
	memory_take(counters, &fresh);
	counters->object = *object;
	counters->index_fd = bpf_map__fd(object->index);
	counters->slots.codes_fd = bpf_map__fd(object->codes);
	counters->walked = 0;
	isa_set(counters, counters->state->isa);
	object->control->epoch = counters->state->epoch;
	object->control->generation = counters->state->generation;
	return 0;
}

void vcpu_counters_begin(struct vcpu_counters *counters)
{
	counters->state->generation++;
	counters->object.control->generation = counters->state->generation;
}

void vcpu_counters_reset_max(struct vcpu_counters *counters)
{
	if (!counters->object.family)
		return;
	counters->state->epoch = (counters->state->epoch + 1) & 0xffff;
	counters->object.control->epoch = counters->state->epoch;
}

/* --- reading --- */

struct record *vcpu_counters_record(const struct vcpu_counters *counters, uint32_t number)
{
	struct record *record = pool_at(&counters->records, number);

	return record && __atomic_load_n(&record->start, __ATOMIC_ACQUIRE) ? record : NULL;
}

const struct block *vcpu_counters_block(const struct vcpu_counters *counters, struct record *record,
					unsigned slot)
{
	return pool_at(&counters->blocks,
		       __atomic_load_n(&record_blocks(record)[slot], __ATOMIC_RELAXED));
}

static uint64_t longest(uint64_t one, uint64_t other, uint32_t epoch)
{
	bool one_counts = one >> MAX_TIME_BITS == epoch;
	bool other_counts = other >> MAX_TIME_BITS == epoch;

	if (one_counts != other_counts)
		return one_counts ? one : other;
	return one > other ? one : other;
}

void block_add(struct block *to, const struct block *from, uint32_t epoch)
{
	to->count += from->count;
	to->time += from->time;
	to->max = longest(to->max, from->max, epoch);
	for (unsigned i = 0; i < EXIT_BUCKETS; i++)
		to->bucket[i] += from->bucket[i];
}

void slot_sums_add(struct slot_sums *sums, const struct block *block, uint32_t epoch)
{
	uint64_t max = __atomic_load_n(&block->max, __ATOMIC_RELAXED);

	sums->count += __atomic_load_n(&block->count, __ATOMIC_RELAXED);
	sums->time += __atomic_load_n(&block->time, __ATOMIC_RELAXED);
	if (max >> MAX_TIME_BITS == epoch && sums->max < (max & MAX_MASK))
		sums->max = max & MAX_MASK;
}

/* A slot has counts: which reason is it? */
static void slot_walk(struct vcpu_counters *counters, unsigned slot)
{
	if (reason_slots_home(&counters->slots, slot) == slot)
		return;
	for (unsigned i = 0; i < counters->nstrays; i++) {
		if (counters->strays[i] == slot)
			return;
	}
	counters->strays[counters->nstrays++] = (uint16_t)slot;
}

/* Look at the slots of all records, if there are new blocks. */
void vcpu_counters_walk(struct vcpu_counters *counters)
{
	uint32_t taken;

	if (!counters->object.family)
		return;
	taken = __atomic_load_n(&counters->object.control->blocks_taken, __ATOMIC_RELAXED);
	if (counters->walked == taken + 1)
		return;
	counters->walked = taken + 1;
	for (uint32_t i = 1; i < pool_end(&counters->records); i++) {
		struct record *record = vcpu_counters_record(counters, i);

		if (!record)
			continue;
		isa_set(counters, record->isa);
		for_each_slot(counters, record, slot) slot_walk(counters, slot);
	}
}

/* As reason_slots_home(), which decides once. */
static unsigned home_of(struct vcpu_counters *counters, unsigned slot)
{
	unsigned home = counters->slots.homes[slot];

	return home < COUNTER_SLOTS_MAX ? home : reason_slots_home(&counters->slots, slot);
}

void vcpu_counters_overflow(const struct vcpu_counters *counters, uint64_t *ret_dropped,
			    uint64_t *ret_no_block)
{
	uint64_t count = 0, no_block = 0;

	for (size_t cpu = 0; counters->overflow && cpu < counters->cpus->n; cpu++) {
		const struct overflow_row *row = &counters->overflow[cpu];

		no_block += __atomic_load_n(&row->no_block, __ATOMIC_RELAXED);
		for (unsigned slot = 0; slot < counters->nslots; slot++)
			count += __atomic_load_n(&row->count[slot], __ATOMIC_RELAXED);
	}
	/* a row is read while it is written: count first */
	*ret_dropped = count > no_block ? count - no_block : 0;
	*ret_no_block = no_block;
}

static void overflow_read(struct vcpu_counters *counters)
{
	for (size_t cpu = 0; cpu < counters->cpus->n; cpu++) {
		const struct overflow_row *row = &counters->overflow[cpu];

		for (unsigned slot = 0; slot < counters->nslots; slot++) {
			uint64_t count = __atomic_load_n(&row->count[slot], __ATOMIC_RELAXED);

			if (count)
				counters->total[reason_slots_home(&counters->slots, slot)].count +=
					count;
		}
	}
}

static void total_add(struct vcpu_counters *counters, unsigned slot, const struct block *block)
{
	slot_sums_add(&counters->total[home_of(counters, slot)], block, counters->state->epoch);
}

/* Have the memory of a record's blocks fetched, so that the misses do not wait for each other. */
static void blocks_prefetch(const struct vcpu_counters *counters, struct record *record)
{
	for_each_slot(counters, record, slot)
		__builtin_prefetch(vcpu_counters_block(counters, record, slot));
}

void vcpu_counters_read(struct vcpu_counters *counters)
{
	if (!counters->object.family)
		return;
	memset(counters->total, 0, sizeof(counters->total));
	for (uint32_t i = 1; i < pool_end(&counters->records); i++) {
		struct record *record = vcpu_counters_record(counters, i);

		blocks_prefetch(counters, record);
		for_each_slot(counters, record, slot)
		{
			const struct block *block = vcpu_counters_block(counters, record, slot);

			if (block)
				total_add(counters, slot, block);
		}
	}
	for (unsigned slot = 0; slot < counters->nslots; slot++) {
		if (counters->ended[slot].count)
			total_add(counters, slot, &counters->ended[slot]);
	}
	overflow_read(counters);
}

/* Add a block's buckets to the host's. Returns those that are not empty. */
static uint32_t latency_add(struct vcpu_counters *counters, unsigned slot,
			    const struct block *block)
{
	uint64_t *sums = counters->latency[home_of(counters, slot)];
	uint32_t seen = 0;
	unsigned i = 0;

	/* in the order of BUCKET_PLACE() */
	for (; i < EXIT_BUCKETS - BUCKET_FIRST; i++) {
		sums[i + BUCKET_FIRST] += block->bucket[i];
		seen |= (uint32_t)(block->bucket[i] != 0) << (i + BUCKET_FIRST);
	}
	for (; i < EXIT_BUCKETS; i++) {
		sums[i + BUCKET_FIRST - EXIT_BUCKETS] += block->bucket[i];
		seen |= (uint32_t)(block->bucket[i] != 0) << (i + BUCKET_FIRST - EXIT_BUCKETS);
	}
	return seen;
}

static int seen_room(struct vcpu_counters *counters)
{
	size_t n = pool_end(&counters->blocks);
	uint32_t *seen;

	if (n <= counters->nseen)
		return 0;
	seen = reallocarray(counters->seen, n, sizeof(*seen));
	if (!seen)
		return -ENOMEM;
	memset(seen + counters->nseen, 0, (n - counters->nseen) * sizeof(*seen));
	counters->seen = seen;
	counters->nseen = n;
	return 0;
}

int vcpu_counters_read_buckets(struct vcpu_counters *counters)
{
	bool changed = false;
	int err;

	if (!counters->object.family)
		return 0;
	err = seen_room(counters);
	if (err)
		return err;
	memset(counters->latency, 0, sizeof(counters->latency));
	for (uint32_t i = 1; i < pool_end(&counters->records); i++) {
		struct record *record = vcpu_counters_record(counters, i);

		for_each_slot(counters, record, slot)
		{
			__u32 number = record_blocks(record)[slot];
			const struct block *block = pool_at(&counters->blocks, number);
			uint32_t seen = block ? latency_add(counters, slot, block) : 0;

			changed |= block && seen != counters->seen[number];
			if (block)
				counters->seen[number] = seen;
		}
	}
	for (unsigned slot = 0; slot < counters->nslots; slot++) {
		if (counters->ended[slot].count)
			latency_add(counters, slot, &counters->ended[slot]);
	}
	return changed;
}
