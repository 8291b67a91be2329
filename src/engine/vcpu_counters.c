// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "engine/vcpu_counters.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/map_memory.h"
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

void vcpu_counters_set_isa(struct vcpu_counters *counters, uint32_t isa)
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

static void object_drop(struct vcpu_counters *counters)
{
	const struct counters_object *object = &counters->object;

	if (!object->family)
		return;
	map_memory_drop(object->ended, counters->ended);
	map_memory_drop(object->state, counters->state);
	map_memory_drop(object->rows, counters->overflow);
	counters->ended = NULL;
	counters->state = NULL;
	counters->overflow = NULL;
	object->destroy(object->family);
	counters->object.family = NULL;
}

void vcpu_counters_sleep(struct vcpu_counters *counters)
{
	pool_sleep(&counters->records);
	/* a record that is in use can have blocks */
	if (pool_end(&counters->records) == 1)
		pool_sleep(&counters->blocks);
}

int vcpu_counters_wake(struct vcpu_counters *counters)
{
	int err = pool_wake(&counters->records, false);
	bool awake = pool_end(&counters->records) > 1;

	return err ? err : pool_wake(&counters->blocks, awake);
}

void vcpu_counters_free(struct vcpu_counters *counters)
{
	pool_close(&counters->records);
	pool_close(&counters->blocks);
	object_drop(counters);
	free(counters->slot_of);
	free(counters->seen);
	counters->slot_of = NULL;
	counters->seen = NULL;
	counters->nseen = 0;
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
	return pins && pins->reading ? pins_read(pins, &pinned, report) :
				       pins_load(pins, &pinned, report);
}

static int pools_open(struct vcpu_counters *fresh, const struct counters_object *object,
		      const struct counters_limits *limits, const struct pins *pins)
{
	const struct btf *btf = fresh->reading ? NULL : bpf_object__btf(*object->skeleton->obj);
	int err = pool_open(&fresh->records, &object->records, btf, RECORDS_BITS, limits->records,
			    pins, &object->control->records_taken);

	if (err || !object->ended)
		return err;
	return pool_open(&fresh->blocks, &object->blocks, btf, BLOCKS_BITS, limits->blocks, pins,
			 &object->control->blocks_taken);
}

/* The agent's maps have its limits. */
static struct counters_limits limits_of(const struct counters_object *object)
{
	return (struct counters_limits){
		.records = bpf_map__max_entries(object->records.free),
		.blocks = object->ended ? bpf_map__max_entries(object->blocks.free) : 0,
	};
}

/* Map a loaded object's memory. Returns 0 or an error, with what is mapped in *fresh. */
static int memory_map(struct vcpu_counters *fresh, const struct counters_object *object,
		      const struct counters_limits *limits, const struct pins *pins)
{
	const struct counters_limits theirs = limits_of(object);

	fresh->state = map_memory(object->state, fresh->reading);
	if (!fresh->state)
		return -ENOMEM;
	if (object->ended) {
		fresh->ended = map_memory(object->ended, fresh->reading);
		fresh->overflow = map_memory(object->rows, fresh->reading);
		if (!fresh->ended || !fresh->overflow)
			return -ENOMEM;
	}
	return pools_open(fresh, object, fresh->reading ? &theirs : limits, pins);
}

/* Set by vcpu_counters_load() alone; the rest outlives an object. */
static void memory_take(struct vcpu_counters *counters, const struct vcpu_counters *fresh)
{
	counters->ended = fresh->ended;
	counters->state = fresh->state;
	counters->overflow = fresh->overflow;
	counters->records = fresh->records;
	counters->blocks = fresh->blocks;
	counters->reading = fresh->reading;
	if (fresh->reading) {
		counters->records.taken = &counters->nrecords;
		counters->blocks.taken = &counters->nblocks;
	}
}

/* Loading has failed: the pools stay those of the predecessor, if there is one. */
static void memory_undo(struct vcpu_counters *counters, struct vcpu_counters *fresh,
			const struct counters_object *object)
{
	map_memory_drop(object->ended, fresh->ended);
	map_memory_drop(object->state, fresh->state);
	map_memory_drop(object->rows, fresh->overflow);
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
	struct vcpu_counters fresh = { .records = counters->records,
				       .blocks = counters->blocks,
				       .reading = pins && pins->reading };
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
	if (!fresh.reading && object->hints)
		map_memory_hide(object->hints, HINTS * sizeof(*object->hints));
	counters->object = *object;
	counters->index_fd = bpf_map__fd(object->index);
	counters->slots.codes_fd = bpf_map__fd(object->codes);
	counters->walked = 0;
	vcpu_counters_set_isa(counters, counters->state->isa);
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
