/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * The cause family's pinned memory in one piece, of which a test writes what a vCPU's thread
 * writes. It can be copied and put back.
 */
#ifndef PMDAKVM_TESTS_FAKE_CAUSES_H
#define PMDAKVM_TESTS_FAKE_CAUSES_H

#include "families/cause/cause_sums.h"
#include "fakes/support.h"

#define FAKE_CAUSE_RECORDS 4
#define FAKE_CAUSE_SUMS	   9

struct fake_causes {
	struct cause_record records[FAKE_CAUSE_RECORDS];
	struct cause_sum sums[FAKE_CAUSE_SUMS + 1];
	struct cause_ended ended;
};

/* The records of this memory, as a pool; there is one at a time. */
const struct pool *fake_causes_pool(struct fake_causes *memory);

/* An agent takes the memory over. */
void fake_causes_open(struct fake_causes *memory, struct cause_sums *sums);

/* A slot counts so many exits, each one access and one trip of these times. */
void fake_causes_count(struct cause_record *record, unsigned slot, uint64_t count);

/* A slot starts with a key; what it had goes to other. */
void fake_causes_start(struct cause_record *record, unsigned slot, uint64_t key);

/* The published values, with their parts added up, by key; of the host: all records and ended. */
struct cause_counts fake_causes_of(const struct cause_sums *sums, uint32_t number, uint64_t key);
struct cause_counts fake_causes_of_host(const struct cause_sums *sums, uint64_t key);

/* All keys, none and other of the host. */
struct cause_counts fake_causes_total(const struct cause_sums *sums);

/* The counts are those of so many exits. */
void assert_causes(struct cause_counts counts, uint64_t n);

#endif /* PMDAKVM_TESTS_FAKE_CAUSES_H */
