/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * A family that has records alone, without blocks, which programs of other families write, too:
 * opening, attaching, detaching, its tick. A family's state begins with this struct.
 */
#ifndef PMDAKVM_RECORD_FAMILY_H
#define PMDAKVM_RECORD_FAMILY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/programs.h"
#include "engine/vm_counters.h"
#include "kernel/map_usage.h"
#include "kernel/record_links.h"
#include "vms/family_env.h"

#define RECORD_FAMILY_PROGRAMS 12
#define RECORD_FAMILY_MAPS     4

struct record_family;

/* What a family is. */
struct record_family_kind {
	const char *name;
	const char *cells;   /* the map of its records */
	const char *no_room; /* what becomes of vCPUs for which there is no memory */
	uint32_t layout;     /* NAME_LAYOUT */
	/*
	 * Open an object, record_family_load() it, list its programs and map its memory. Returns 0
	 * or an error: -ESTALE if an agent's maps are of another layout.
	 */
	int (*load)(struct record_family *family, struct report *report);
	/* Take what a record has; see struct vcpu_counters. */
	int (*retire)(void *family, uint32_t number);
	/* A record's thread has ended, and it stays; NULL: nothing is to be done. */
	int (*settle)(void *family, uint32_t number);
	/* What the flags of those that write are to be; 0: the family is not attached. */
	__u32 (*flag)(struct record_family *family);
};

/* A map that is mapped. */
struct record_memory {
	const struct bpf_map *map;
	void *memory;
};

struct record_family {
	const struct record_family_kind *kind;
	struct family_env env;
	struct record_links *links;			 /* those that write */
	struct vcpu_counters counters;			 /* records only */
	struct vm_counters records;			 /* whose they are */
	struct program programs[RECORD_FAMILY_PROGRAMS]; /* the first one sees threads end */
	size_t nprograms;
	struct record_memory memory[RECORD_FAMILY_MAPS];
	size_t nmemory;
	struct bpf_map *rows, *shared; /* the loaded object's */
	bool attached;
	bool no_room; /* no memory for more records, as was reported */
};

/* An object that is opened: what counts, the rows of events without a record, the global data. */
struct record_object {
	struct counters_object counters;
	struct bpf_map *rows, *shared;
};

/* That of the skeleton of family NAME, which destroy() destroys. */
#define RECORD_OBJECT(bpf, name)                                                         \
	.counters = { .family = (bpf),                                                   \
		      .destroy = destroy,                                                \
		      .skeleton = (bpf)->skeleton,                                       \
		      .records = { (bpf)->maps.name##_cells, (bpf)->maps.name##_cells_0, \
				   (bpf)->maps.name##_cells_free },                      \
		      .index = (bpf)->maps.name##_index,                                 \
		      .state = (bpf)->maps.name##_state,                                 \
		      .meta = (bpf)->maps.name##_meta,                                   \
		      .control = &(bpf)->data_shared->control,                           \
		      .hints = (bpf)->bss->hints },                                      \
	.rows = (bpf)->maps.name##_rows, .shared = (bpf)->maps.data_shared

/*
 * Load a family, or read the maps of the agent that runs; offer its maps to those that write. links
 * is one of the environment's. Returns 0, or an error with a message in *ret_error, which the
 * caller frees; record_family_detach() and record_family_free() in both cases.
 */
int record_family_open(struct record_family *family, const struct record_family_kind *kind,
		       const struct family_env *env, struct record_links *links, char **ret_error);

/* Load an object, which is destroyed on failure; see vcpu_counters_load(). */
int record_family_load(struct record_family *family, const struct record_object *object,
		       struct report *report);

/* The programs of the loaded object. */
void record_family_list(struct record_family *family, const struct program *programs, size_t n);

/* Map a map of the loaded object, until record_family_free(). NULL: refused. */
void *record_family_memory(struct record_family *family, const struct bpf_map *map);

/* Unmap one of those again. */
void record_family_forget(struct record_family *family, const void *memory);

/* Does kvm_exit fire here? On x86 not without a vendor's module (PVM). */
bool record_family_has_exits(const struct record_family *family);

/* Are the maps those of the agent that runs? Then nothing is written. */
bool record_family_reads(const struct record_family *family);

/*
 * Attach the programs whose event this kernel has; anew: have all begin anew even if they are
 * attached. Returns as struct family_ops attach().
 */
int record_family_attach(struct record_family *family, bool anew, char **ret_error);

/*
 * The flag of those that write now, the agent's if its maps are read; 0: they are detached. Pinned
 * memory has it.
 */
__u32 record_family_flag(const struct record_family *family);

/* Hooks, see family.h; they take the family's state. */
void record_family_detach(void *state);
int record_family_missed(void *state, uint64_t *ret_missed);
uint64_t record_family_generation(void *state);

/* The state of the map of records; dropped: events that found none. */
void record_family_map(const struct record_family *family, uint64_t dropped,
		       struct map_usage *ret_usage);

/* Once a second, if maps are not only read: take back what is over, make room for more. */
void record_family_tick(struct record_family *family, struct report *report);

/* Nobody writes any more; takes a zeroed struct. Whoever uses its memory is freed before. */
void record_family_free(struct record_family *family);

#endif /* PMDAKVM_RECORD_FAMILY_H */
