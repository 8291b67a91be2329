/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Publishes what vCPUs' tables have (bpf/cause.h), so that no value ever falls although slots start
 * with other keys, over a kill and a restart: all of it is in pinned memory.
 *
 * A published value is the sum of a key, in cause_sums, and what its slot has. When a slot has
 * started with another key, what was published of it is added to the key's sum and taken off the
 * published other, to which the vCPU's thread has moved the slot's counts: so the total stays
 * exact.
 */
#ifndef PMDAKVM_CAUSE_SUMS_H
#define PMDAKVM_CAUSE_SUMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/cause.h"
#include "engine/pool.h"

struct cause_sums {
	const struct pool *records; /* of struct cause_record */
	struct cause_sum *list;	    /* pinned memory, [n + 1]; number 0 is none */
	/*
	 * While none is used list can be NULL. This maps it then, for the first one; it returns
	 * NULL without memory.
	 */
	struct cause_sum *(*map)(void *data);
	void *map_data;
	uint32_t n, used;
	struct cause_ended *ended; /* pinned memory */
	uint32_t *next;		   /* [n + 1] the next of the same record, or the next free one */
	uint32_t *heads;	   /* [nheads] the first of a record; [0]: of ended */
	uint16_t *sets; /* [nheads] of a record: those in which a slot has, or had, a key */
	size_t nheads;
	uint32_t free;
	uint64_t dropped; /* keys that found no room */
};

/*
 * Take over the memory, all zero or an earlier agent's, and finish what that had begun. Returns 0
 * or -ENOMEM, with nothing to free.
 */
int cause_sums_open(struct cause_sums *sums, const struct pool *records, struct cause_sum *list,
		    uint32_t n, struct cause_ended *ended);

/*
 * Show the memory of an agent that runs, which is mapped for reading: cause_sums_visit() and
 * cause_sums_visit_ended() alone are allowed then, after cause_sums_follow(). Returns 0 or -ENOMEM.
 */
int cause_sums_watch(struct cause_sums *sums, const struct pool *records, struct cause_sum *list,
		     uint32_t n, struct cause_ended *ended);

/* Find the agent's sums of now, by record. Returns 0 or -ENOMEM. */
int cause_sums_follow(struct cause_sums *sums);

/* Takes a zeroed struct. */
void cause_sums_free(struct cause_sums *sums);

/* May a record's key be published by itself? Otherwise it is part of other. */
typedef bool cause_admits(void *data, uint64_t key);

/*
 * Publish what a record has counted; the programs may be counting. A key is asked for when a slot
 * has started with it, and if it has no sum yet. Returns 0 or -ENOMEM.
 */
int cause_sums_read(struct cause_sums *sums, uint32_t number, cause_admits *admits, void *data);

/* Call visit with each part of each published value: those of a key add up. */
typedef void cause_visit(void *data, uint64_t key, const struct cause_counts *counts);
void cause_sums_visit(const struct cause_sums *sums, uint32_t number, cause_visit *visit,
		      void *data);

/* The same for all records that were retired. */
void cause_sums_visit_ended(const struct cause_sums *sums, cause_visit *visit, void *data);

/* How many keys of a record have a sum. */
size_t cause_sums_of(const struct cause_sums *sums, uint32_t number);

/* No program writes the record any more: publish what is open. Returns 0 or -ENOMEM. */
int cause_sums_finish(struct cause_sums *sums, uint32_t number);

/* Then: move all to the sums of retired records, and zero all but its head. */
void cause_sums_retire(struct cause_sums *sums, uint32_t number);

static inline void cause_counts_add(struct cause_counts *to, const struct cause_counts *from)
{
	to->accesses += from->accesses;
	to->count += from->count;
	to->time += from->time;
	to->trips += from->trips;
	to->trip_time += from->trip_time;
}

#endif /* PMDAKVM_CAUSE_SUMS_H */
