/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Numbered elements of equal size in memory-mapped BPF arrays, the chunks. Programs take the
 * numbers of free ones from a queue. Number 0 is never given out.
 */
#ifndef PMDAKVM_POOL_H
#define PMDAKVM_POOL_H

#include <bpf/libbpf.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/pinned_maps.h"

/* Its maps in a loaded object: the array of chunks, the first chunk, the queue of free numbers. */
struct pool_maps {
	struct bpf_map *chunks, *first, *free;
};

struct pool {
	struct pool_maps maps;
	int btf_fd;	/* types of the elements; 0: none */
	__u32 type;	/* an element's */
	unsigned bits;	/* a chunk has 1 << bits elements */
	size_t size;	/* of an element, bytes */
	uint32_t limit; /* the largest number */
	char **chunks;	/* [nchunks], mapped; the first NULL: the pool sleeps */
	size_t nchunks, max_chunks;
	const struct pins *pins; /* NULL: chunks are not pinned */
	const __u32 *taken;	 /* how many elements programs have taken since loading */
	uint32_t taken_before, used;
};

/* Before loading: set the sizes of the maps for this many elements. Returns 0 or an error. */
int pool_maps_size(const struct pool_maps *maps, unsigned bits, uint32_t limit);

/*
 * After loading, before attaching: map the chunks that there are, those of an earlier agent by
 * their pins. All numbers are in use then: pool_give() the free ones, after pool_clear(). Arguments
 * outlive the pool. Returns 0 or an error, with nothing to close.
 */
int pool_open(struct pool *pool, const struct pool_maps *maps, const struct btf *btf, unsigned bits,
	      uint32_t limit, const struct pins *pins, const __u32 *taken);

/* Of pins that are for reading: map the chunks that the agent has added. Returns 0 or an error. */
int pool_follow(struct pool *pool);

/* The pool keeps its memory, and has the maps of another pool of the same chunks again. */
void pool_belongs(struct pool *pool, const struct pool *other);

/* Unmap all; takes a zeroed pool. */
void pool_close(struct pool *pool);

/*
 * While programs have taken nothing, the pool can sleep: its chunk is not mapped, and takes no
 * resident memory. pool_sleep() does nothing if anything is in use. pool_wake() maps it again, if
 * something is, or now; it returns 0 or an error.
 */
void pool_sleep(struct pool *pool);
int pool_wake(struct pool *pool, bool now);

/* The number after the last one that has memory; 1 while the pool sleeps. */
uint32_t pool_end(const struct pool *pool);

/* The element of a number below pool_end(); NULL for 0 and for others. */
void *pool_at(const struct pool *pool, uint32_t number);

/* Take all numbers from the queue, so that all are in use; only while nothing is attached. */
void pool_clear(struct pool *pool);

/* Give a number back, whose element is zeroed. Returns 0 or an error: then it is lost. */
int pool_give(struct pool *pool, uint32_t number);

uint32_t pool_used(const struct pool *pool);

/* Bytes of all chunks. */
uint64_t pool_bytes(const struct pool *pool);

uint32_t pool_free(const struct pool *pool);

/*
 * Add chunks until so many elements are free, the limit is reached, or clock_ns() is past until;
 * one at least. A chunk can take 15 ms. Returns how many were added, or an error.
 */
int pool_grow(struct pool *pool, uint32_t wanted, uint64_t until);

#endif /* PMDAKVM_POOL_H */
