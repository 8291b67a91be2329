// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "bpf/counters.h"

#include <bpf/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bpf/trace.h"

/* A record as it is in its map: the family's number of blocks follows the head. */
struct mapped {
	struct record head;
	__u32 blocks[COUNTER_SLOTS_MAX];
	__u32 rest[RECORD_PAD + 4];
};

/* The memory of a first chunk; *ret_bytes: of an element. */
static char *chunk_map(int fd, unsigned bits, size_t *ret_bytes)
{
	struct bpf_map_info info = { 0 };
	__u32 size = sizeof(info);
	char *memory;

	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &size), 0);
	assert_int_equal(info.max_entries, 1);
	memory = mmap(NULL, info.value_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(memory != MAP_FAILED);
	*ret_bytes = info.value_size >> bits;
	return memory;
}

void element_get(int fd, unsigned bits, __u32 number, void *ret_element)
{
	size_t bytes;
	char *memory = chunk_map(fd, bits, &bytes);

	assert_true(number < 1U << bits);
	memcpy(ret_element, memory + number * bytes, bytes);
	munmap(memory, bytes << bits);
}

void element_set(int fd, unsigned bits, __u32 number, const void *element)
{
	size_t bytes;
	char *memory = chunk_map(fd, bits, &bytes);

	assert_true(number < 1U << bits);
	memcpy(memory + number * bytes, element, bytes);
	munmap(memory, bytes << bits);
}

static int entry_compare(const void *left, const void *right)
{
	const struct record_key *a = &((const struct entry *)left)->key;
	const struct record_key *b = &((const struct entry *)right)->key;

	if (a->tid != b->tid)
		return a->tid < b->tid ? -1 : 1;
	return (a->vcpu > b->vcpu) - (a->vcpu < b->vcpu);
}

static bool record_read(const struct counter_maps *maps, __u32 number, struct mapped *ret_record)
{
	memset(ret_record, 0, sizeof(*ret_record));
	element_get(maps->records, RECORDS_BITS, number, ret_record);
	return ret_record->head.start != 0;
}

/* The index leads to each record by its key, and to nothing else. */
static void assert_indexed(const struct counter_maps *maps, __u32 number,
			   const struct record_key *key)
{
	__u32 indexed;

	assert_int_equal(bpf_map_lookup_elem(maps->index, key, &indexed), 0);
	assert_int_equal(indexed, number);
}

static size_t index_count(const struct counter_maps *maps)
{
	struct record_key key, *last = NULL;
	size_t n = 0;

	for (; bpf_map_get_next_key(maps->index, last, &key) == 0; last = &key)
		n++;
	return n;
}

static void entry_read(const struct counter_maps *maps, __u32 number, const struct mapped *record,
		       struct entry *entry)
{
	memset(entry, 0, sizeof(*entry));
	entry->head = record->head;
	entry->key = (struct record_key){
		.start = record->head.start,
		.vcpu = record->head.further ? record->head.vcpu : 0,
		.tid = record->head.tid,
		.tgid = record->head.tgid,
	};
	assert_indexed(maps, number, &entry->key);
	for (unsigned slot = 0; slot < maps->slots; slot++) {
		if (record->blocks[slot])
			element_get(maps->blocks, BLOCKS_BITS, record->blocks[slot],
				    &entry->reason[slot]);
	}
}

size_t entries_read(const struct counter_maps *maps, const struct entry **ret_list)
{
	static struct entry list[ENTRIES_MAX];
	struct mapped record;
	size_t n = 0;

	for (__u32 number = 1; number < RECORDS_CHUNK; number++) {
		if (!record_read(maps, number, &record))
			continue;
		assert_true(n < ENTRIES_MAX);
		entry_read(maps, number, &record, &list[n++]);
	}
	assert_int_equal(index_count(maps), n);
	qsort(list, n, sizeof(*list), entry_compare);
	*ret_list = list;
	return n;
}

const struct entry *entry_of(const struct counter_maps *maps, int tid)
{
	const struct entry *list, *found = NULL;
	size_t n = entries_read(maps, &list);

	for (size_t i = 0; i < n; i++) {
		if (list[i].key.tid != (__u32)tid)
			continue;
		assert_null(found);
		found = &list[i];
	}
	assert_non_null(found);
	return found;
}

static void block_add(const struct block *block, __u32 epoch, struct counted *sum)
{
	uint64_t max = block->max & ((1ULL << MAX_TIME_BITS) - 1);

	sum->count += block->count;
	sum->time += block->time;
	if (block->max >> MAX_TIME_BITS == epoch && max > sum->max)
		sum->max = max;
	for (unsigned i = 0; i < EXIT_BUCKETS; i++)
		sum->timed += block->bucket[i];
}

void counters_read(const struct counter_maps *maps, struct counted *ret_slots)
{
	const struct entry *list;
	size_t n = entries_read(maps, &list);

	for (unsigned slot = 0; slot < maps->slots; slot++) {
		ret_slots[slot] = (struct counted){ 0 };
		for (size_t i = 0; i < n; i++)
			block_add(&list[i].reason[slot], maps->control->epoch, &ret_slots[slot]);
	}
}

struct counted counters_of(const struct counter_maps *maps, unsigned slot)
{
	struct counted slots[COUNTER_SLOTS_MAX];

	counters_read(maps, slots);
	return slots[slot];
}

uint64_t counters_bucket(const struct counter_maps *maps, unsigned slot, unsigned bucket)
{
	const struct entry *list;
	size_t n = entries_read(maps, &list);
	uint64_t sum = 0;

	assert_true(bucket < EXIT_BUCKETS);
	for (size_t i = 0; i < n; i++)
		sum += list[i].reason[slot]
			       .bucket[(bucket + EXIT_BUCKETS - BUCKET_FIRST) % EXIT_BUCKETS];
	return sum;
}

uint64_t counters_guest_time(const struct counter_maps *maps)
{
	const struct entry *list;
	size_t n = entries_read(maps, &list);
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

uint64_t event_count_of(const struct counter_maps *maps, int cpu, unsigned slot)
{
	struct trace_row row;
	__u32 key = (__u32)cpu;

	assert_true(slot < TRACE_SLOTS);
	assert_int_equal(bpf_map_lookup_elem(maps->events, &key, &row), 0);
	return row.count[slot];
}

bool code_of(const struct counter_maps *maps, unsigned slot, uint64_t *ret_code)
{
	__u32 key = slot;

	return bpf_map_lookup_elem(maps->codes, &key, ret_code) == 0;
}

unsigned pool_drain(int fd)
{
	unsigned n = 0;
	__u32 number;

	while (bpf_map_lookup_and_delete_elem(fd, NULL, &number) == 0)
		n++;
	return n;
}

static void pool_fill(int fd, __u32 n)
{
	pool_drain(fd);
	for (__u32 number = 1; number <= n; number++)
		assert_int_equal(bpf_map_update_elem(fd, NULL, &number, BPF_ANY), 0);
}

void pools_fill(struct counter_maps *maps, unsigned nrecords, unsigned nblocks)
{
	maps->nrecords = nrecords;
	maps->nblocks = nblocks;
	pool_fill(maps->records_free, nrecords);
	pool_fill(maps->blocks_free, nblocks);
}

void records_clear(const struct counter_maps *maps, const void *none)
{
	struct record_key key;

	for (__u32 number = 1; number < RECORDS_CHUNK; number++)
		element_set(maps->records, RECORDS_BITS, number, none);
	while (bpf_map_get_next_key(maps->index, NULL, &key) == 0)
		assert_int_equal(bpf_map_delete_elem(maps->index, &key), 0);
	pool_fill(maps->records_free, maps->nrecords);
}

void counters_clear(struct counter_maps *maps)
{
	static const struct block no_block;
	static const struct mapped none;
	struct mapped record;
	struct record_key key;

	for (__u32 number = 1; number < RECORDS_CHUNK; number++) {
		if (record_read(maps, number, &record))
			element_set(maps->records, RECORDS_BITS, number, &none);
	}
	for (__u32 number = 1; number <= maps->nblocks; number++)
		element_set(maps->blocks, BLOCKS_BITS, number, &no_block);
	while (bpf_map_get_next_key(maps->index, NULL, &key) == 0)
		assert_int_equal(bpf_map_delete_elem(maps->index, &key), 0);
	pools_fill(maps, maps->nrecords, maps->nblocks);
	*maps->control = (struct engine_control){ 0 };
}

void generation_begin(const struct counter_maps *maps)
{
	maps->control->generation++;
}

void epoch_set(const struct counter_maps *maps, uint16_t epoch)
{
	maps->control->epoch = epoch;
}

void epoch_begin(const struct counter_maps *maps)
{
	epoch_set(maps, (uint16_t)(maps->control->epoch + 1));
}
