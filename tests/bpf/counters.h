/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Reads the maps of the families exit and userspace_exit; layouts are in bpf/engine.h. */
#ifndef PMDAKVM_TESTS_BPF_COUNTERS_H
#define PMDAKVM_TESTS_BPF_COUNTERS_H

#include "bpf/engine.h"
#include "bpf/run.h"
#include "bpf/steps.h"

#define ENTRIES_MAX 8

/* A loaded family: descriptors of its maps, of which one chunk each is used, and its globals. */
struct counter_maps {
	int records, blocks, records_free, blocks_free, index, overflow, codes, events;
	struct engine_control *control;
	unsigned slots;
	unsigned nrecords, nblocks; /* room */
};

/* What a family's skeleton has of this. */
#define counter_maps_of(skeleton, name, nslots)                                  \
	((struct counter_maps){                                                  \
		.records = bpf_map__fd((skeleton)->maps.name##_cells_0),         \
		.blocks = bpf_map__fd((skeleton)->maps.name##_blocks_0),         \
		.records_free = bpf_map__fd((skeleton)->maps.name##_cells_free), \
		.blocks_free = bpf_map__fd((skeleton)->maps.name##_blocks_free), \
		.index = bpf_map__fd((skeleton)->maps.name##_index),             \
		.overflow = bpf_map__fd((skeleton)->maps.name##_rows),           \
		.codes = bpf_map__fd((skeleton)->maps.name##_codes),             \
		.events = bpf_map__fd((skeleton)->maps.trace_rows),              \
		.control = &(skeleton)->bss->control,                            \
		.slots = (nslots),                                               \
	})

/* Before loading: sizes of the maps of a skeleton, for one chunk of each. */
#define counter_maps_size(skeleton, name)                                                       \
	do {                                                                                    \
		bpf_map__set_max_entries((skeleton)->maps.name##_cells_free, RECORDS_CHUNK);    \
		bpf_map__set_max_entries((skeleton)->maps.name##_blocks_free, BLOCKS_CHUNK);    \
		bpf_map__set_max_entries((skeleton)->maps.name##_index, RECORDS_CHUNK);         \
		bpf_map__set_max_entries((skeleton)->maps.name##_rows, (__u32)possible_cpus()); \
		bpf_map__set_max_entries((skeleton)->maps.trace_rows, (__u32)possible_cpus());  \
		preallocate((skeleton)->obj);                                                   \
	} while (0)

/* A record with its blocks. */
struct entry {
	struct record_key key;
	struct record head;
	struct block reason[COUNTER_SLOTS_MAX];
};

/* An element of a first chunk of 1 << bits, whose map this is. */
void element_get(int fd, unsigned bits, __u32 number, void *ret_element);
void element_set(int fd, unsigned bits, __u32 number, const void *element);

/* Fill the pools: numbers from 1 on. */
void pools_fill(struct counter_maps *maps, unsigned nrecords, unsigned nblocks);

/* The numbers that are free in the pool of records or blocks, which is emptied. */
unsigned pool_drain(int fd);

/* All records in use, sorted by thread number, then vCPU. They are valid until the next call. */
size_t entries_read(const struct counter_maps *maps, const struct entry **ret_list);

/* The thread's only record; fails if it has none or more. */
const struct entry *entry_of(const struct counter_maps *maps, int tid);

/*
 * The counts of all reasons, summed over records; max is 0 if it is not of this epoch, timed is the
 * sum of the buckets.
 */
void counters_read(const struct counter_maps *maps, struct counted *ret_slots);
struct counted counters_of(const struct counter_maps *maps, unsigned slot);
uint64_t counters_bucket(const struct counter_maps *maps, unsigned slot, unsigned bucket);
uint64_t counters_guest_time(const struct counter_maps *maps);

struct overflow_row overflow_read(const struct counter_maps *maps, int cpu);

/*
 * Run the function in a thread of its own on this CPU, if that is online, and read the CPU's row
 * and the sum of its counts. Returns 1 if it was run, else 0.
 */
uint64_t overflow_on_cpu(const struct counter_maps *maps, int cpu, void (*function)(void),
			 struct overflow_row *ret_row, uint64_t *ret_sum);

/* The trace family's count of a slot on a CPU. */
uint64_t event_count_of(const struct counter_maps *maps, int cpu, unsigned slot);

/* The code that claimed a slot; false: none has. */
bool code_of(const struct counter_maps *maps, unsigned slot, uint64_t *ret_code);

/* Forget all records, generations and epochs, and fill the pools anew. */
void counters_clear(struct counter_maps *maps);

/* Of maps that have records alone: each is as none, and all are free. */
void records_clear(const struct counter_maps *maps, const void *none);

/* What the user side writes before attaching, and to reset maxima. */
void generation_begin(const struct counter_maps *maps);
void epoch_begin(const struct counter_maps *maps);
void epoch_set(const struct counter_maps *maps, uint16_t epoch);

#endif /* PMDAKVM_TESTS_BPF_COUNTERS_H */
