// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "fakes/fake_engine.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "engine/retire.h"

enum { RECORDS_FREE = 2001, BLOCKS_FREE, INDEX_FD, CODES_FD };

#define RECORDS_FAKE_BITS 3
#define BLOCKS_FAKE_BITS  4

_Static_assert(FAKE_RECORDS == 1 << RECORDS_FAKE_BITS && FAKE_BLOCKS == 1 << BLOCKS_FAKE_BITS,
	       "sizes of the chunks");

struct fake_engine *fake_engine;
unsigned fake_engine_calls;

static bool present[FAKE_CPUS];
struct cpus fake_engine_cpus = { .present = present, .n = FAKE_CPUS };

/* --- system calls --- */

int __wrap_bpf_map__fd(const struct bpf_map *map);
int __wrap_bpf_map_lookup_elem(int fd, const void *key, void *value);
int __wrap_bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags);
int __wrap_bpf_map_delete_elem(int fd, const void *key);
int __wrap_bpf_map_get_next_key(int fd, const void *key, void *next);
int __wrap_bpf_map_lookup_and_delete_elem(int fd, const void *key, void *value);

/* Maps are their descriptors. */
int __wrap_bpf_map__fd(const struct bpf_map *map)
{
	return (int)(intptr_t)map;
}

static int index_find(const struct record_key *key)
{
	for (int i = 0; i < FAKE_RECORDS; i++) {
		if (fake_engine->index[i].number &&
		    memcmp(&fake_engine->index[i].key, key, sizeof(*key)) == 0)
			return i;
	}
	return -1;
}

int __wrap_bpf_map_lookup_elem(int fd, const void *key, void *value)
{
	__u32 slot;
	int at;

	fake_engine_calls++;
	if (fd == CODES_FD) {
		memcpy(&slot, key, sizeof(slot));
		assert_true(slot < REASONS_SLOT_FIRST);
		memcpy(value, &fake_engine->codes[slot], sizeof(__u64));
		return fake_engine->codes[slot] ? 0 : -ENOENT;
	}
	assert_int_equal(fd, INDEX_FD);
	at = index_find(key);
	if (at < 0)
		return -ENOENT;
	memcpy(value, &fake_engine->index[at].number, sizeof(__u32));
	return 0;
}

int __wrap_bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags)
{
	unsigned queue = (unsigned)fd - RECORDS_FREE;

	fake_engine_calls++;
	assert_true(queue < 2);
	assert_null(key);
	assert_int_equal(flags, BPF_ANY);
	assert_true(fake_engine->nqueues[queue] < FAKE_BLOCKS);
	memcpy(&fake_engine->queues[queue][fake_engine->nqueues[queue]], value, sizeof(__u32));
	fake_engine->nqueues[queue]++;
	return 0;
}

int __wrap_bpf_map_delete_elem(int fd, const void *key)
{
	int at = index_find(key);

	fake_engine_calls++;
	assert_int_equal(fd, INDEX_FD);
	if (at < 0)
		return -ENOENT;
	fake_engine->index[at].number = 0;
	return 0;
}

int __wrap_bpf_map_get_next_key(int fd, const void *key, void *next)
{
	int at = key ? index_find(key) + 1 : 0;

	fake_engine_calls++;
	assert_int_equal(fd, INDEX_FD);
	for (; at < FAKE_RECORDS; at++) {
		if (!fake_engine->index[at].number)
			continue;
		memcpy(next, &fake_engine->index[at].key, sizeof(struct record_key));
		return 0;
	}
	return -ENOENT;
}

int __wrap_bpf_map_lookup_and_delete_elem(int fd, const void *key, void *value)
{
	unsigned queue = (unsigned)fd - RECORDS_FREE;

	assert_true(queue < 2);
	assert_null(key);
	if (!fake_engine->nqueues[queue])
		return -ENOENT;
	memcpy(value, fake_engine->queues[queue], sizeof(__u32));
	fake_engine->nqueues[queue]--;
	memmove(fake_engine->queues[queue], fake_engine->queues[queue] + 1,
		fake_engine->nqueues[queue] * sizeof(__u32));
	return 0;
}

/* --- loading --- */

static struct bpf_map *map_of(int fd)
{
	return (struct bpf_map *)(intptr_t)fd;
}

static void pool_make(struct pool *pool, int free_fd, unsigned bits, size_t size, void *memory,
		      const __u32 *taken)
{
	*pool = (struct pool){
		.maps = { .free = map_of(free_fd) },
		.bits = bits,
		.size = size,
		.limit = (1U << bits) - 1,
		.nchunks = 1,
		.max_chunks = 1,
		.taken = taken,
	};
	pool->chunks = calloc(1, sizeof(*pool->chunks));
	assert_non_null(pool->chunks);
	pool->chunks[0] = memory;
}

void fake_engine_take_over(struct vcpu_counters *counters)
{
	pool_make(&counters->records, RECORDS_FREE, RECORDS_FAKE_BITS, sizeof(struct fake_record),
		  fake_engine->records, &fake_engine->control.records_taken);
	pool_make(&counters->blocks, BLOCKS_FREE, BLOCKS_FAKE_BITS, sizeof(struct block),
		  fake_engine->blocks, &fake_engine->control.blocks_taken);
	counters->object.family = (void *)counters; /* as if loaded */
	counters->object.control = &fake_engine->control;
	counters->ended = fake_engine->ended;
	counters->state = &fake_engine->state;
	counters->overflow = fake_engine->rows;
	counters->cpus = &fake_engine_cpus;
	counters->index_fd = INDEX_FD;
	counters->slots.codes_fd = CODES_FD;
	retire_recover(counters);
}

void fake_engine_load(struct vcpu_counters *counters)
{
	if (!fake_engine)
		fake_engine = mmap(NULL, sizeof(*fake_engine), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(fake_engine != MAP_FAILED);
	memset(fake_engine, 0, sizeof(*fake_engine));
	fake_engine_calls = 0;
	fake_engine_take_over(counters);
}

void fake_engine_unload(struct vcpu_counters *counters)
{
	free(counters->records.chunks);
	free(counters->blocks.chunks);
	counters->records = counters->blocks = (struct pool){ 0 };
	counters->object.family = NULL;
	vcpu_counters_free(counters);
}

void fake_engine_free(void)
{
	if (fake_engine)
		munmap(fake_engine, sizeof(*fake_engine));
	fake_engine = NULL;
}

/* --- what programs do --- */

static __u32 pop(unsigned queue)
{
	__u32 number;

	assert_int_equal(
		__wrap_bpf_map_lookup_and_delete_elem(RECORDS_FREE + (int)queue, NULL, &number), 0);
	return number;
}

uint32_t fake_record(uint32_t tid, uint64_t vcpu, bool further)
{
	__u32 number = pop(0);
	struct record *record = &fake_engine->records[number].head;
	int at = 0;

	while (fake_engine->index[at].number)
		at++;
	fake_engine->control.records_taken++;
	*record = (struct record){ .start = 10000000,
				   .tid = tid,
				   .tgid = 5,
				   .vcpu = vcpu,
				   .further = further,
				   .isa = REASONS_SVM + 1 };
	fake_engine->index[at].key = (struct record_key){
		.start = record->start, .vcpu = further ? vcpu : 0, .tid = tid, .tgid = 5
	};
	fake_engine->index[at].number = number;
	return number;
}

void fake_count(uint32_t number, unsigned slot, uint64_t count, uint64_t time, unsigned bucket)
{
	struct fake_record *record = &fake_engine->records[number];
	uint64_t max = (uint64_t)fake_engine->control.epoch << MAX_TIME_BITS | time;
	struct block *block;

	if (!record->blocks[slot]) {
		record->blocks[slot] = pop(1);
		fake_engine->control.blocks_taken++;
	}
	block = &fake_engine->blocks[record->blocks[slot]];
	block->count += count;
	block->time += count * time;
	if (block->max < max)
		block->max = max;
	block->bucket[(bucket + EXIT_BUCKETS - BUCKET_FIRST) % EXIT_BUCKETS] += count;
}

unsigned fake_indexed(void)
{
	unsigned n = 0;

	for (int i = 0; i < FAKE_RECORDS; i++)
		n += fake_engine->index[i].number != 0;
	return n;
}

/* --- checks --- */

static bool is_zero(const void *memory, size_t size)
{
	const char *bytes = memory;

	return size == 0 || (*bytes == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

static void queue_note(unsigned queue, unsigned *uses, unsigned n)
{
	for (unsigned i = 0; i < fake_engine->nqueues[queue]; i++) {
		assert_in_range(fake_engine->queues[queue][i], 1, n - 1);
		uses[fake_engine->queues[queue][i]]++;
	}
}

void assert_pools(const struct vcpu_counters *counters)
{
	unsigned records[FAKE_RECORDS] = { 0 }, blocks[FAKE_BLOCKS] = { 0 };

	queue_note(0, records, FAKE_RECORDS);
	queue_note(1, blocks, FAKE_BLOCKS);
	for (unsigned i = 1; i < FAKE_RECORDS; i++)
		assert_true(!records[i] ||
			    is_zero(&fake_engine->records[i], sizeof(struct fake_record)));
	for (unsigned i = 1; i < FAKE_BLOCKS; i++) {
		assert_true(!blocks[i] || is_zero(&fake_engine->blocks[i], sizeof(struct block)));
		/* nobody's, whoever takes it next */
		assert_true(!blocks[i] || i >= counters->nseen ||
			    counters->slot_of[i] == UINT16_MAX);
	}
	for (unsigned i = 1; i < FAKE_RECORDS; i++) {
		if (!fake_engine->records[i].head.start)
			continue;
		records[i]++;
		for (unsigned slot = 0; slot < counters->nslots; slot++)
			blocks[fake_engine->records[i].blocks[slot]]++;
	}
	for (unsigned i = 1; i < FAKE_RECORDS; i++)
		assert_int_equal(records[i], 1);
	for (unsigned i = 1; i < FAKE_BLOCKS; i++)
		assert_int_equal(blocks[i], 1);
	assert_int_equal(pool_used(&counters->records), FAKE_RECORDS - 1 - fake_engine->nqueues[0]);
	assert_int_equal(pool_used(&counters->blocks), FAKE_BLOCKS - 1 - fake_engine->nqueues[1]);
}
