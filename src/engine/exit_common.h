/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * State and code shared by the families exit and userspace_exit: exit.c and userspace_exit.c load
 * and attach, exit_common.c reads, exit_tables.c and exit_vm_tables.c fill the tables.
 */
#ifndef PMDAKVM_EXIT_COMMON_H
#define PMDAKVM_EXIT_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/programs.h"
#include "engine/vm_counters.h"
#include "kvm/exit_offsets.h"
#include "kernel/map_usage.h"
#include "vms/family_env.h"
#include "vms/tables.h"

#define EXITS_PROGRAMS 5
#define EXITS_EVENTS   4

struct exits {
	struct family_env env;
	const struct table *tables; /* [ntables], the family's */
	size_t ntables;
	struct vcpu_counters counters;
	struct vm_counters vms;
	struct program programs[EXITS_PROGRAMS];
	size_t nprograms;
	/* programs that alone count their event; by index in struct engine_control; or NULL */
	const struct program *events[EXITS_EVENTS];
	__u32 *counts;	 /* programs of perf's read it: 0: count nothing; NULL: there are none */
	uint64_t missed; /* by the programs of earlier objects */
	bool reasons;	 /* reasons are known; without them only totals are shown */
	bool nested;	 /* exits of nested guests are counted, or were */
	bool fires;	 /* this KVM fires the event; that the event exists is not enough */
	bool no_room;	 /* a pool could not grow, as was reported */
	uint64_t dropped, no_block; /* events that had found no room at the last tick */
	size_t seen;		    /* reasons and buckets that had rows at the last read */
	uint32_t taken;		    /* blocks taken then */
	uint64_t generation;	    /* of VMs' records then */
	struct exit_layout layout;  /* the loaded one; exit family only */
	bool has_layout;
	bool vendor_gone;   /* the vendor's module was there, and is not: exits have no reason */
	bool few_arguments; /* a kvm_exit of unknown types has less than EXIT_REASON_FIRST uses */
	char *no_reasons;   /* message for missing reasons; NULL: reasons are known */
};

/* What a family of exits is. */
struct exits_kind {
	const char *name;
	uint32_t layout; /* NAME_LAYOUT */
	unsigned nslots;
	enum reasons_isa isa;
	const struct table *tables;
	size_t ntables;
	unsigned no_reasons; /* how many of the slots, the last ones, stand for no reason */
};

/* Make a family's state with nothing loaded. Returns 0 or -ENOMEM. */
int exits_new(const struct family_env *env, const struct exits_kind *kind,
	      struct exits **ret_exits);

/* For an object's rodata: WITHOUT_CAUSES and others, of the families that are not there. */
uint32_t exits_without(const struct exits *exits);

/* Load an object, which is destroyed on failure; see vcpu_counters_load(). */
int exits_load_object(struct exits *exits, const struct counters_object *object,
		      struct report *report);

/*
 * Read the maps of the agent that runs (the environment's pins are for reading), with an object
 * that is opened, and destroyed on failure. Returns 0; -ENOENT if the agent has none; -ESTALE if
 * they are of another layout: then programs of our own are to be loaded, and pin nothing; or an
 * error.
 */
int exits_read(struct exits *exits, const struct counters_object *object, struct report *report);

/* Hooks of both families, see family.h. */
void exits_detach(void *state);
void exits_close(void *state);
int exits_missed(void *state, uint64_t *ret_missed);
uint64_t exits_generation(void *state);
int exits_refresh(void *state, uint64_t wanted);
int exits_reset_max(void *state);
void exits_tick(void *state, struct report *report);

/* Attach the programs that are not attached; if there are any, begin a new generation. */
int exits_attach(struct exits *exits);

/* Fill in the state of the maps of records and of blocks. */
void exits_records_map(const struct exits *exits, struct map_usage *ret_usage);
void exits_blocks_map(const struct exits *exits, struct map_usage *ret_usage);

/* Tables of the families exit and userspace_exit. */
#define EXIT_TABLES	      9
#define USERSPACE_EXIT_TABLES 5
extern const struct table exit_tables[EXIT_TABLES];
extern const struct table userspace_exit_tables[USERSPACE_EXIT_TABLES];

/* A table's variant: its rows are buckets. */
#define EXIT_BUCKET_ROWS 1

/* A row of a reason, or of its bucket. Return 0 or -ENOMEM. */
int exits_want_reason(struct exits *exits, unsigned slot, uint32_t number, struct table_sync *sync);
int exits_want_bucket(struct exits *exits, unsigned slot, unsigned bucket, uint32_t number,
		      struct table_sync *sync);

/* A key of a bucket's row: the reason's slot, and the bucket in the lower bits. */
#define EXIT_BUCKET_BITS 5

_Static_assert(EXIT_BUCKETS == 1 << EXIT_BUCKET_BITS, "a bucket does not fit into a key");

/* Columns of reasons. */
enum { REASON_COUNT, REASON_TIME, REASON_MAX };

/* Set a row's columns count, time and max; no max if no pair has ended in this epoch. */
void exits_sums_fill(const struct table_row *row, const struct slot_sums *sums);

/* Keys and values of tables of VMs and vCPUs. */
int exits_vm_total_fill(void *state, const struct table_row *row);
int exits_vm_nested_fill(void *state, const struct table_row *row);
int exits_vcpu_fill(void *state, const struct table_row *row);
int exits_owned_keys(void *state, const struct owner *owner, struct table_sync *sync);
int exits_owned_fill(void *state, const struct table_row *row);
int exits_vm_bucket_keys(void *state, const struct owner *owner, struct table_sync *sync);
int exits_vm_bucket_fill(void *state, const struct table_row *row);

/* Columns of exits_vm_nested_fill(), and of exits_vcpu_fill(). */
enum { NESTED_EXITS, NESTED_REFLECTED };
enum { VCPU_EXITS, VCPU_GUEST_TIME, VCPU_EXIT_TIME, VCPU_HALT_TIME };

#endif /* PMDAKVM_EXIT_COMMON_H */
