// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "engine/pool.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "kernel/pinned_chunks.h"

/* Chunks added at a time: at first, and at most. */
#define GROWTH_FIRST 8
#define GROWTH_MAX   16

static uint32_t per_chunk(const struct pool *pool)
{
	return UINT32_C(1) << pool->bits;
}

static bool is_reading(const struct pool *pool)
{
	return pool->pins && pool->pins->reading;
}

static size_t chunk_bytes(const struct pool *pool)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = per_chunk(pool) * pool->size;

	return (bytes + page - 1) / page * page;
}

static uint32_t chunks_for(unsigned bits, uint32_t limit)
{
	return (limit >> bits) + 1;
}

int pool_maps_size(const struct pool_maps *maps, unsigned bits, uint32_t limit)
{
	int err = bpf_map__set_max_entries(maps->chunks, chunks_for(bits, limit));

	/* limit_keep() may need the rest of the last chunk */
	return err ? err : bpf_map__set_max_entries(maps->free, chunks_for(bits, limit) << bits);
}

static const char *array_name(const struct pool *pool)
{
	return bpf_map__name(pool->maps.chunks);
}

static int chunk_memory(const struct pool *pool, int fd, char **ret_memory)
{
	int prot = is_reading(pool) ? PROT_READ : PROT_READ | PROT_WRITE;
	void *memory = mmap(NULL, chunk_bytes(pool), prot, MAP_SHARED, fd, 0);

	if (memory == MAP_FAILED)
		return -errno;
	*ret_memory = memory;
	return 0;
}

/* Map a chunk, which is then the last. Returns 0 or an error. */
static int chunk_map(struct pool *pool, int fd)
{
	int err = chunk_memory(pool, fd, &pool->chunks[pool->nchunks]);

	pool->nchunks += !err;
	return err;
}

/* The number after the last one that a program can take. */
static uint32_t end_of(const struct pool *pool)
{
	uint64_t end = (uint64_t)pool->nchunks << pool->bits;

	return end > pool->limit ? pool->limit + 1 : (uint32_t)end;
}

/* Remove the pins of chunks that programs do not use, from this one on. A reader removes none. */
static void pins_drop_from(const struct pool *pool, size_t number)
{
	char name[CHUNK_NAME_SIZE];
	int fd;

	for (; !is_reading(pool); number++) {
		chunk_name(array_name(pool), number, name);
		fd = pins_get(pool->pins, name);
		if (fd < 0)
			return;
		close(fd);
		pins_drop(pool->pins, name);
	}
}

/* Map the further chunks of an earlier agent; remove pins of others. Returns 0 or an error. */
static int chunks_inherit(struct pool *pool)
{
	int err = 0;

	while (!err && pool->nchunks < pool->max_chunks) {
		int fd = chunk_get(pool->pins, array_name(pool), bpf_map__fd(pool->maps.chunks),
				   pool->nchunks);

		if (fd == -ESTALE) /* an agent was killed while it added chunks */
			pins_drop_from(pool, pool->nchunks);
		if (fd < 0)
			return fd == -ENOENT || fd == -ESTALE ? 0 : fd;
		err = chunk_map(pool, fd);
		close(fd);
	}
	if (!err) /* the limit was higher, and they are free */
		pins_drop_from(pool, pool->nchunks);
	return err;
}

/*
 * The limit was higher before: elements beyond it that are in use stay, with the rest of their
 * chunk. Free ones are zeroed.
 */
static void limit_keep(struct pool *pool)
{
	uint64_t end = (uint64_t)pool->nchunks << pool->bits;
	const char *last = pool->chunks[pool->nchunks - 1];

	if (end <= (uint64_t)pool->limit + 1)
		return;
	for (size_t at = ((pool->limit + 1) & (per_chunk(pool) - 1)) * pool->size;
	     at < per_chunk(pool) * pool->size; at++) {
		if (last[at])
			pool->limit = (uint32_t)(end - 1);
	}
}

/* An object that is loaded again has the chunks and the limit of its predecessor. */
static int chunks_follow(struct pool *pool, const struct pool *before)
{
	pool->limit = before->limit;
	for (size_t i = 1; i < before->nchunks; i++)
		pool->chunks[pool->nchunks++] = before->chunks[i];
	return 0;
}

/* The type of an element of a first chunk, which is a struct of one array; 0: it is none. */
static __u32 element_type(const struct btf *btf, __u32 id)
{
	const struct btf_type *type = btf__type_by_id(btf, id);

	if (!type || !btf_is_struct(type) || btf_vlen(type) != 1)
		return 0;
	type = btf__type_by_id(btf, btf_members(type)->type);
	return type && btf_is_array(type) ? btf_array(type)->type : 0;
}

int pool_open(struct pool *pool, const struct pool_maps *maps, const struct btf *btf, unsigned bits,
	      uint32_t limit, const struct pins *pins, const __u32 *taken)
{
	struct pool fresh = {
		.maps = *maps,
		.btf_fd = btf && btf__fd(btf) > 0 ? btf__fd(btf) : 0,
		.type = btf ? element_type(btf, bpf_map__btf_value_type_id(maps->first)) : 0,
		.bits = bits,
		.size = bpf_map__value_size(maps->first) >> bits,
		.limit = limit,
		.max_chunks = chunks_for(bits, limit),
		.pins = pins,
		.taken = taken,
	};
	int err;

	fresh.chunks = calloc(fresh.max_chunks, sizeof(*fresh.chunks));
	if (!fresh.chunks)
		return -ENOMEM;
	err = chunk_map(&fresh, bpf_map__fd(maps->first));
	if (!err && pool->nchunks)
		err = chunks_follow(&fresh, pool);
	else if (!err && pins)
		err = chunks_inherit(&fresh);
	if (!err && !pool->nchunks)
		limit_keep(&fresh);
	if (err) {
		pool_close(&fresh);
		return err;
	}
	if (pool->nchunks)
		pool->nchunks = 1; /* the others have moved */
	pool_close(pool);
	*pool = fresh;
	return 0;
}

int pool_follow(struct pool *pool)
{
	return chunks_inherit(pool);
}

void pool_belongs(struct pool *pool, const struct pool *other)
{
	pool->maps = other->maps;
	pool->btf_fd = other->btf_fd;
	pool->type = other->type;
	pool->taken = other->taken;
	pool->taken_before = other->taken_before;
	pool->used = other->used;
}

void pool_close(struct pool *pool)
{
	for (size_t i = 0; i < pool->nchunks; i++) {
		if (pool->chunks[i])
			munmap(pool->chunks[i], chunk_bytes(pool));
	}
	free(pool->chunks);
	*pool = (struct pool){ 0 };
}

void pool_sleep(struct pool *pool)
{
	if (pool->nchunks != 1 || is_reading(pool) || pool_used(pool))
		return;
	munmap(pool->chunks[0], chunk_bytes(pool));
	pool->chunks[0] = NULL;
}

int pool_wake(struct pool *pool, bool now)
{
	if (!pool->nchunks || pool->chunks[0] || (!now && !pool_used(pool)))
		return 0;
	return chunk_memory(pool, bpf_map__fd(pool->maps.first), &pool->chunks[0]);
}

uint32_t pool_end(const struct pool *pool)
{
	return pool->nchunks && !pool->chunks[0] ? 1 : end_of(pool);
}

void *pool_at(const struct pool *pool, uint32_t number)
{
	if (!number || number >= pool_end(pool))
		return NULL;
	return pool->chunks[number >> pool->bits] + (number & (per_chunk(pool) - 1)) * pool->size;
}

void pool_clear(struct pool *pool)
{
	__u32 number;

	while (bpf_map_lookup_and_delete_elem(bpf_map__fd(pool->maps.free), NULL, &number) == 0)
		;
	pool->used = end_of(pool) - 1;
	pool->taken_before = *pool->taken;
}

static int push(const struct pool *pool, __u32 number)
{
	return bpf_map_update_elem(bpf_map__fd(pool->maps.free), NULL, &number, BPF_ANY);
}

int pool_give(struct pool *pool, uint32_t number)
{
	int err = push(pool, number);

	if (!err)
		pool->used--;
	return err;
}

uint32_t pool_used(const struct pool *pool)
{
	if (!pool->nchunks)
		return 0;
	return pool->used + __atomic_load_n(pool->taken, __ATOMIC_RELAXED) - pool->taken_before;
}

uint64_t pool_bytes(const struct pool *pool)
{
	return pool->nchunks * (uint64_t)chunk_bytes(pool);
}

/* Make a chunk. Returns its descriptor or an error. */
static int chunk_make(const struct pool *pool, const char *name)
{
	const struct bpf_map *first = pool->maps.first;
	/* before Linux 6.2 a chunk without the first one's types does not fit */
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = bpf_map__map_flags(first),
		    .btf_fd = (__u32)pool->btf_fd,
		    .btf_key_type_id = pool->btf_fd ? bpf_map__btf_key_type_id(first) : 0,
		    .btf_value_type_id = pool->btf_fd ? pool->type : 0);

	return bpf_map_create(bpf_map__type(first), name, bpf_map__key_size(first),
			      (__u32)pool->size, per_chunk(pool), &opts);
}

/* Chunks that are being added: those after the last one. */
struct growth {
	int fds[GROWTH_MAX];
	size_t n;
};

/*
 * Make and pin the next chunk. The pin comes first: a chunk that programs use and the next agent
 * does not find would take its counts along.
 */
static int chunk_prepare(struct pool *pool, struct growth *growth)
{
	char name[CHUNK_NAME_SIZE];
	int fd, err;

	chunk_name(array_name(pool), pool->nchunks + growth->n, name);
	fd = chunk_make(pool, name);
	if (fd < 0)
		return fd;
	err = pool->pins ? pins_add(pool->pins, name, fd) : 0;
	if (err) {
		close(fd);
		return err;
	}
	growth->fds[growth->n++] = fd;
	return 0;
}

/* Close the chunks; those that programs do not use vanish with their pins. */
static void growth_end(const struct pool *pool, const struct growth *growth, size_t used)
{
	char name[CHUNK_NAME_SIZE];

	for (size_t i = 0; i < growth->n; i++) {
		close(growth->fds[i]);
		if (i < used || !pool->pins)
			continue;
		chunk_name(array_name(pool), pool->nchunks + i - used, name);
		pins_drop(pool->pins, name);
	}
}

/* Map a chunk that programs use, and have them find its elements. */
static int chunk_open(struct pool *pool, int fd)
{
	uint32_t number = end_of(pool);
	int err = chunk_map(pool, fd);

	while (!err && number < end_of(pool))
		err = push(pool, number++);
	return err;
}

/* Add so many chunks, at most. Returns how many, or an error if there is none. */
static int chunks_add(struct pool *pool, size_t wanted)
{
	size_t before = pool->nchunks, used;
	struct growth growth = { .n = 0 };
	int err = 0, shown;

	while (!err && growth.n < wanted)
		err = chunk_prepare(pool, &growth);
	if (!growth.n)
		return err;
	shown = chunks_show(bpf_map__fd(pool->maps.chunks), before, growth.fds, growth.n);
	err = shown < 0 ? shown : 0;
	for (int i = 0; i < shown && !err; i++)
		err = chunk_open(pool, growth.fds[i]);
	used = pool->nchunks - before;
	growth_end(pool, &growth, used);
	return used ? (int)used : err;
}

uint32_t pool_free(const struct pool *pool)
{
	return pool->nchunks ? end_of(pool) - 1 - pool_used(pool) : 0;
}

/* How many chunks are missing until so many elements are free? */
static size_t chunks_missing(const struct pool *pool, uint32_t wanted)
{
	uint32_t has = pool_free(pool);
	size_t missing = wanted > has ? (wanted - has - 1) / per_chunk(pool) + 1 : 0;
	size_t room = pool->max_chunks - pool->nchunks;

	return missing < room ? missing : room;
}

int pool_grow(struct pool *pool, uint32_t wanted, uint64_t until)
{
	uint64_t start = clock_ns(), end;
	size_t batch = start < until ? GROWTH_FIRST : 1;
	int added = 0;

	while (pool->nchunks && chunks_missing(pool, wanted)) {
		size_t missing = chunks_missing(pool, wanted);
		int now = chunks_add(pool, missing < batch ? missing : batch);

		if (now < 0)
			return now;
		added += now;
		end = clock_ns();
		/* will the next ones, which take as long at least, be there in time? */
		if (end >= until || until - end < end - start)
			break;
		start = end;
		batch = GROWTH_MAX;
	}
	return added;
}
