/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * The user side of the counters that vCPU threads write (bpf/engine.h, bpf/engine.bpf.h): loads
 * and sums them up. retire.h takes over those of an earlier agent, and takes back what is over;
 * vm_counters.h says whose counters they are.
 *
 * All of it is mapped memory. Nothing but loading, growing and taking back makes a system call.
 */
#ifndef PMDAKVM_VCPU_COUNTERS_H
#define PMDAKVM_VCPU_COUNTERS_H

#include <bpf/libbpf.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "bpf/engine.h"
#include "engine/pool.h"
#include "engine/reason_slots.h"
#include "kernel/record_links.h"
#include "kernel/cpus.h"
#include "kernel/kernel_types.h"
#include "kernel/pinned_maps.h"
#include "kvm/exit_reasons.h"

/*
 * A family's generated skeleton, and those of its members that count: the family opens it, the
 * counters load and destroy it.
 */
struct counters_object {
	void *family; /* struct NAME_bpf; NULL: nothing is loaded */
	void (*destroy)(void *family);
	struct bpf_object_skeleton *skeleton;
	struct pool_maps records, blocks;
	struct bpf_map *index; /* records by thread */
	struct bpf_map *ended; /* sums of retired blocks, by slot; NULL: records have no blocks */
	struct bpf_map *state; /* struct engine_state */
	struct bpf_map *rows;  /* what found no room, by CPU */
	struct bpf_map *codes; /* unknown codes, by slot */
	struct bpf_map *meta;
	struct bpf_map *events;		   /* the trace family's rows */
	struct bpf_map *causes[LINK_MAPS]; /* the cause family's; NULL: the object has none */
	struct bpf_map *ledger[LINK_MAPS]; /* the same of the ledger family's */
	struct bpf_map *slow[LINK_MAPS];   /* the same of the slow family's */
	struct engine_control *control;	   /* the programs' global data */
	__u32 *hints;			   /* of them, for programs alone */
};

/* A field with the maps of another family that the object of its programs has, too. */
#define COUNTERS_LINKS(bpf, field, name)                   \
	.field[LINK_FIRST] = (bpf)->maps.name##_cells_0,   \
	.field[LINK_CELLS] = (bpf)->maps.name##_cells,     \
	.field[LINK_FREE] = (bpf)->maps.name##_cells_free, \
	.field[LINK_INDEX] = (bpf)->maps.name##_index,     \
	.field[LINK_ROWS] = (bpf)->maps.name##_rows,       \
	.field[LINK_SHARED] = (bpf)->maps.name##_shared

/* Those of the skeleton of family NAME, which destroy() destroys. */
#define COUNTERS_OBJECT(bpf, name)                                            \
	.family = (bpf), .destroy = destroy, .skeleton = (bpf)->skeleton,     \
	.records = { (bpf)->maps.name##_cells, (bpf)->maps.name##_cells_0,    \
		     (bpf)->maps.name##_cells_free },                         \
	.blocks = { (bpf)->maps.name##_blocks, (bpf)->maps.name##_blocks_0,   \
		    (bpf)->maps.name##_blocks_free },                         \
	.index = (bpf)->maps.name##_index, .ended = (bpf)->maps.name##_ended, \
	.state = (bpf)->maps.name##_state, .rows = (bpf)->maps.name##_rows,   \
	.codes = (bpf)->maps.name##_codes, .meta = (bpf)->maps.name##_meta,   \
	.events = (bpf)->maps.trace_rows, .control = &(bpf)->bss->control,    \
	.hints = (bpf)->bss->hints, COUNTERS_LINKS(bpf, causes, cause),       \
	COUNTERS_LINKS(bpf, ledger, ledger), COUNTERS_LINKS(bpf, slow, slow)

/* Largest numbers of records and of blocks. */
struct counters_limits {
	uint32_t records, blocks;
};

struct slot_sums {
	uint64_t count, time, max;
};

struct vcpu_counters {
	const char *name;	   /* of the family */
	uint32_t layout;	   /* layout version of its pinned maps */
	unsigned nslots;	   /* keys per record */
	struct reason_slots slots; /* their instruction set is that of the last record read */
	const struct cpus *cpus;
	const char *proc;
	struct counters_object object;
	struct pool records, blocks;
	struct block *ended;		     /* mapped, [nslots] */
	struct engine_state *state;	     /* mapped */
	const struct overflow_row *overflow; /* mapped, [cpus->n]; NULL: not loaded */
	int index_fd;
	uint32_t walked;   /* blocks_taken when slots were looked for last, plus 1; 0: never */
	uint32_t reaped;   /* the record that was looked up in /proc last */
	uint16_t *slot_of; /* [nseen] slot of each block in use; NO_SLOT: of the others */
	uint32_t *seen;	   /* [nseen] buckets of each block that are not empty */
	size_t nseen;
	bool changed; /* a block has a bucket that it had not before the last read of them */
	uint16_t strays[COUNTER_SLOTS_MAX]; /* [nstrays] slots that are not their own home */
	unsigned nstrays;
	struct slot_sums total[COUNTER_SLOTS_MAX]; /* of the host as last read, by home */
	uint64_t latency[COUNTER_SLOTS_MAX][EXIT_BUCKETS];
	bool sleeps[COUNTER_SLOTS_MAX]; /* reasons in which the vCPU may sleep */
	bool reading;		 /* an agent's maps are read: what is mapped is not written */
	__u32 nrecords, nblocks; /* in use, as last read of those */
	/*
	 * Of a family whose records have more than blocks: takes that from a record that is being
	 * retired, of which it may be called again after a kill. Returns 0 or -ENOMEM. Or NULL.
	 */
	int (*retire)(void *data, uint32_t number);
	/* A record's thread has ended, and it stays; called once, or NULL. */
	int (*settle)(void *data, uint32_t number);
	void *retire_data; /* of both */
};

/* Initialize with nothing loaded; the arguments must outlive it. */
void vcpu_counters_init(struct vcpu_counters *counters, const char *name, uint32_t layout,
			unsigned nslots, enum reasons_isa isa, const struct cpus *cpus,
			const char *proc);

/* Free everything, including the object; takes a zeroed struct. */
void vcpu_counters_free(struct vcpu_counters *counters);

/*
 * Load an object; counters own it from then on, and it is destroyed on failure. It reuses the maps
 * of its predecessor if there is one, else the pinned maps, and the map events_fd of the trace
 * family's rows (-1: none). Nothing is attached; retire_recover()
 * comes next. Returns 0 or the error from loading, which leaves the state unchanged.
 *
 * With pins that are for reading nothing is loaded, and the maps are those of the agent; see
 * pins_read() for errors, and reading.h. Only reading is allowed then.
 */
int vcpu_counters_load(struct vcpu_counters *counters, const struct counters_object *object,
		       const struct counters_limits *limits, int events_fd, const struct pins *pins,
		       struct kernel_types *types, struct report *report);

/*
 * Let records and blocks sleep until programs take some, see pool_sleep(); after retire_recover().
 * What looks at them calls vcpu_counters_wake() first: after it has read how many are taken, so
 * that it finds those. Returns 0 or an error: then some that are taken are not seen.
 */
void vcpu_counters_sleep(struct vcpu_counters *counters);
int vcpu_counters_wake(struct vcpu_counters *counters);

/* Call it before attaching: it invalidates open pairs of exit and entry. */
void vcpu_counters_begin(struct vcpu_counters *counters);

/* Begin a new epoch: max of each reason starts again. */
void vcpu_counters_reset_max(struct vcpu_counters *counters);

/* Set the instruction set from a record's isa field (enum reasons_isa + 1). */
void vcpu_counters_set_isa(struct vcpu_counters *counters, uint32_t isa);

/*
 * Before summing up: find the homes of slots that are new, and the slot of each block. Returns 0 or
 * -ENOMEM.
 */
int vcpu_counters_walk(struct vcpu_counters *counters);

/* How many events have found no record, and how many a record but no block. */
void vcpu_counters_overflow(const struct vcpu_counters *counters, uint64_t *ret_dropped,
			    uint64_t *ret_no_block);

/* Memory of the records, with their entries in the index, bytes. */
uint64_t vcpu_counters_records_bytes(const struct vcpu_counters *counters);

/* Sum up the host: sets total. */
void vcpu_counters_read(struct vcpu_counters *counters);

/*
 * Sum up the host's histograms: sets latency and seen. Returns 1 if a block has a bucket that it
 * had not before, 0, or -ENOMEM.
 */
int vcpu_counters_read_buckets(struct vcpu_counters *counters);

/* A block is given back: it is nobody's until the next walk. */
void vcpu_counters_forget(struct vcpu_counters *counters, uint32_t block);

/* The record of a number; NULL: it is free. Numbers are 1 to pool_end(&counters->records) - 1. */
struct record *vcpu_counters_record(const struct vcpu_counters *counters, uint32_t number);

/* The numbers of a record's blocks, [nslots]; 0: none. */
static inline __u32 *record_blocks(struct record *record)
{
	return (__u32 *)(record + 1);
}

/*
 * The next slot from slot on of which the record has a block; nslots, a multiple of 8, if there is
 * none. Most slots have none, so it looks at 8 at a time.
 */
static inline unsigned record_next(struct record *record, unsigned slot, unsigned nslots)
{
	const __u32 *blocks = record_blocks(record);

	while (slot < nslots) {
		uint64_t eight[4];

		if (slot % 8 == 0) {
			memcpy(eight, blocks + slot, sizeof(eight));
			if (!(eight[0] | eight[1] | eight[2] | eight[3])) {
				slot += 8;
				continue;
			}
		}
		if (blocks[slot])
			return slot;
		slot++;
	}
	return nslots;
}

/* For each slot of which the record, which may be NULL, has a block. */
#define for_each_slot(counters, record, slot)                                        \
	for (unsigned slot = (record) ? record_next(record, 0, (counters)->nslots) : \
					(counters)->nslots;                          \
	     slot < (counters)->nslots; slot = record_next(record, slot + 1, (counters)->nslots))

/* Its block of a slot; NULL: none. */
const struct block *vcpu_counters_block(const struct vcpu_counters *counters, struct record *record,
					unsigned slot);

/* Add a block to another; of their maxima that of this epoch counts. */
void block_add(struct block *to, const struct block *from, uint32_t epoch);

/* Add what a block has to sums: max is a time if it is of this epoch. */
void slot_sums_add(struct slot_sums *sums, const struct block *block, uint32_t epoch);

static inline uint64_t block_bucket(const struct block *block, unsigned bucket)
{
	return block->bucket[(bucket + EXIT_BUCKETS - BUCKET_FIRST) % EXIT_BUCKETS];
}

#endif /* PMDAKVM_VCPU_COUNTERS_H */
