/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Counters of vCPU threads as if an object were loaded: records, blocks, queues and index in one
 * piece of memory, which the test fills in the programs' place. It can be copied and put back.
 */
#ifndef PMDAKVM_TESTS_FAKE_ENGINE_H
#define PMDAKVM_TESTS_FAKE_ENGINE_H

#include "engine/vcpu_counters.h"
#include "fakes/support.h"

#define FAKE_RECORDS 8	/* per chunk, of which there is one */
#define FAKE_BLOCKS  16 /* the same */
#define FAKE_CPUS    2

struct fake_record {
	struct record head;
	__u32 blocks[COUNTER_SLOTS_MAX];
};

/* All that outlives an agent. */
struct fake_engine {
	struct engine_control control;
	struct engine_state state;
	struct fake_record records[FAKE_RECORDS];
	struct block blocks[FAKE_BLOCKS];
	struct block ended[COUNTER_SLOTS_MAX];
	struct overflow_row rows[FAKE_CPUS];
	__u32 queues[2][FAKE_BLOCKS]; /* free records, free blocks; [n] each */
	__u32 nqueues[2];
	struct {
		struct record_key key;
		__u32 number; /* 0: no entry */
	} index[FAKE_RECORDS];
	__u64 codes[REASONS_SLOT_FIRST]; /* by slot; 0: not claimed */
};

extern struct fake_engine *fake_engine;

/* The unknown codes that were looked up so far, and other system calls. */
extern unsigned fake_engine_calls;

extern struct cpus fake_engine_cpus;

/* Load counters that were initialized, all of them empty, and fill the pools. */
void fake_engine_load(struct vcpu_counters *counters);

/* The agent is gone; the memory stays. Then free that, too. */
void fake_engine_unload(struct vcpu_counters *counters);
void fake_engine_free(void);

/* The memory is taken over, by counters that were initialized. */
void fake_engine_take_over(struct vcpu_counters *counters);

/* A thread's record, made as a program makes it; returns its number. vcpu 0: unknown. */
uint32_t fake_record(uint32_t tid, uint64_t vcpu, bool further);

/* Count pairs in a record, each of this time in ns and in this bucket. */
void fake_count(uint32_t number, unsigned slot, uint64_t count, uint64_t time, unsigned bucket);

/* How many entries the index has. */
unsigned fake_indexed(void);

/* Nothing is lost, leaked or used twice: each number is free or in use, once. */
void assert_pools(const struct vcpu_counters *counters);

#endif /* PMDAKVM_TESTS_FAKE_ENGINE_H */
