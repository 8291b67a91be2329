// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "bpf/counters.h"

#include <bpf/bpf.h>
#include <stdlib.h>
#include <string.h>

static int entry_compare(const void *left, const void *right)
{
	const struct thread_key *a = &((const struct entry *)left)->key;
	const struct thread_key *b = &((const struct entry *)right)->key;

	if (a->tid != b->tid)
		return a->tid < b->tid ? -1 : 1;
	return (a->vcpu > b->vcpu) - (a->vcpu < b->vcpu);
}

size_t entries_read(const struct counter_maps *maps, struct entry list[ENTRIES_MAX])
{
	struct thread_key key, *last = NULL;
	size_t n = 0;

	while (bpf_map_get_next_key(maps->entries, last, &key) == 0) {
		assert_true(n < ENTRIES_MAX);
		list[n].key = key;
		assert_int_equal(bpf_map_lookup_elem(maps->entries, &key, &list[n].head), 0);
		n++;
		last = &key;
	}
	qsort(list, n, sizeof(*list), entry_compare);
	return n;
}

struct entry *entry_of(const struct counter_maps *maps, int tid)
{
	static struct entry list[ENTRIES_MAX];
	struct entry *found = NULL;
	size_t n = entries_read(maps, list);

	for (size_t i = 0; i < n; i++) {
		if (list[i].key.tid != (__u32)tid)
			continue;
		assert_null(found);
		found = &list[i];
	}
	assert_non_null(found);
	return found;
}

static struct counters_control control_read(const struct counter_maps *maps)
{
	struct counters_control control;
	__u32 zero = 0;

	assert_int_equal(bpf_map_lookup_elem(maps->control, &zero, &control), 0);
	return control;
}

static void reason_add(const struct reason_counters *reason, __u32 epoch, struct counted *sum)
{
	uint64_t max = reason->max & ((1ULL << MAX_TIME_BITS) - 1);

	sum->count += reason->count;
	sum->time += reason->time;
	if (reason->max >> MAX_TIME_BITS == epoch && max > sum->max)
		sum->max = max;
}

void counters_read(const struct counter_maps *maps, struct counted *ret_slots)
{
	__u32 epoch = control_read(maps).epoch;
	struct entry list[ENTRIES_MAX];
	size_t n = entries_read(maps, list);

	for (unsigned slot = 0; slot < maps->slots; slot++) {
		ret_slots[slot] = (struct counted){ 0 };
		for (size_t i = 0; i < n; i++)
			reason_add(&list[i].reason[slot], epoch, &ret_slots[slot]);
	}
}

struct counted counters_of(const struct counter_maps *maps, unsigned slot)
{
	struct counted slots[COUNTER_SLOTS_MAX];

	counters_read(maps, slots);
	return slots[slot];
}

uint64_t counters_guest_time(const struct counter_maps *maps)
{
	struct entry list[ENTRIES_MAX];
	size_t n = entries_read(maps, list);
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += list[i].head.guest_time;
	return sum;
}

struct overflow_row overflow_read(const struct counter_maps *maps, int cpu)
{
	struct overflow_row row;
	__u32 key = (__u32)cpu;

	assert_int_equal(bpf_map_lookup_elem(maps->overflow, &key, &row), 0);
	return row;
}

uint64_t overflow_on_cpu(const struct counter_maps *maps, int cpu, void (*function)(void),
			 struct overflow_row *ret_row, uint64_t *ret_sum)
{
	bool online = stay_on_cpu(cpu);

	leave_cpu();
	if (online)
		in_thread(function);
	*ret_row = overflow_read(maps, cpu);
	*ret_sum = 0;
	for (unsigned i = 0; i < COUNTER_SLOTS_MAX; i++)
		*ret_sum += ret_row->count[i];
	return online;
}

bool code_of(const struct counter_maps *maps, unsigned slot, uint64_t *ret_code)
{
	__u32 key = slot;

	return bpf_map_lookup_elem(maps->codes, &key, ret_code) == 0;
}

static void control_write(const struct counter_maps *maps, const struct counters_control *control)
{
	__u32 zero = 0;

	assert_int_equal(bpf_map_update_elem(maps->control, &zero, control, BPF_ANY), 0);
}

void counters_clear(const struct counter_maps *maps)
{
	const struct counters_control none = { 0 };
	struct thread_key key;

	while (bpf_map_get_next_key(maps->entries, NULL, &key) == 0)
		assert_int_equal(bpf_map_delete_elem(maps->entries, &key), 0);
	control_write(maps, &none);
}

void map_clear(int fd)
{
	__u32 key;

	while (bpf_map_get_next_key(fd, NULL, &key) == 0)
		assert_int_equal(bpf_map_delete_elem(fd, &key), 0);
}

void generation_begin(const struct counter_maps *maps)
{
	struct counters_control control = control_read(maps);

	control.generation++;
	control_write(maps, &control);
}

void epoch_set(const struct counter_maps *maps, uint16_t epoch)
{
	struct counters_control control = control_read(maps);

	control.epoch = epoch;
	control_write(maps, &control);
}

void epoch_begin(const struct counter_maps *maps)
{
	epoch_set(maps, (uint16_t)(control_read(maps).epoch + 1));
}
