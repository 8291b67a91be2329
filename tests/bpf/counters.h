/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Reads the maps of the families exit and userspace_exit; layouts are in bpf/vcpu_counters.h. */
#ifndef PMDAKVM_TESTS_BPF_COUNTERS_H
#define PMDAKVM_TESTS_BPF_COUNTERS_H

#include "bpf/run.h"
#include "bpf/steps.h"
#include "bpf/vcpu_counters.h"

#define ENTRIES_MAX 8

/* Descriptors of a family's maps. */
struct counter_maps {
	int entries, overflow, control, codes;
	unsigned slots;
};

struct entry {
	struct thread_key key;
	struct thread_counters head;
	struct reason_counters reason[COUNTER_SLOTS_MAX];
};

/* All entries, sorted by thread number, then vCPU. */
size_t entries_read(const struct counter_maps *maps, struct entry list[ENTRIES_MAX]);

/* The thread's only entry; fails if it has none or more. */
struct entry *entry_of(const struct counter_maps *maps, int tid);

/* The counts of all reasons, summed over entries; max is 0 if it is not of this epoch. */
void counters_read(const struct counter_maps *maps, struct counted *ret_slots);
struct counted counters_of(const struct counter_maps *maps, unsigned slot);
uint64_t counters_guest_time(const struct counter_maps *maps);

struct overflow_row overflow_read(const struct counter_maps *maps, int cpu);

/*
 * Run the function in a thread of its own on this CPU, if that is online, and read the CPU's row
 * and the sum of its counts. Returns 1 if it was run, else 0.
 */
uint64_t overflow_on_cpu(const struct counter_maps *maps, int cpu, void (*function)(void),
			 struct overflow_row *ret_row, uint64_t *ret_sum);

/* The code that claimed a slot; false: none has. */
bool code_of(const struct counter_maps *maps, unsigned slot, uint64_t *ret_code);

/* Forget all entries, generations and epochs; a map of other counts, by 4-byte keys, likewise. */
void counters_clear(const struct counter_maps *maps);
void map_clear(int fd);

/* What the user side writes before attaching, and to reset maxima. */
void generation_begin(const struct counter_maps *maps);
void epoch_begin(const struct counter_maps *maps);
void epoch_set(const struct counter_maps *maps, uint16_t epoch);

#endif /* PMDAKVM_TESTS_BPF_COUNTERS_H */
