/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * A family: one group of tracepoints, the BPF object bpf/NAME.bpf.c that counts
 * them, and src/NAME.c with these hooks. The list of all families is generated
 * from the files in bpf/.
 */
#ifndef PMDAKVM_FAMILY_H
#define PMDAKVM_FAMILY_H

#include <stddef.h>
#include <stdint.h>

#include "base/config.h"
#include "kernel/cpus.h"
#include "kvm/tracepoints.h"
#include "metrics/item_numbers.h"
#include "kernel/pinned_maps.h"
#include "base/report.h"
#include "metrics/snapshot.h"
#include "vms/vm_register.h"

/* What a family may look at; all of it outlives the family's state. */
struct family_env {
	const struct config *config;
	const struct events *events;
	const struct cpus *cpus;
	struct items *items;
	struct vms *vms;	 /* which VMs there are; the stat family keeps it up to date */
	const struct pins *pins; /* NULL: maps are not pinned */
	const void *image;	 /* the BPF object, as clang made it */
	size_t image_size;
	struct report *report; /* only while open or attach runs */
};

/* A table of the snapshot that a family fills. */
struct family_table {
	const char *name;
	/*
	 * Make the rows and columns that are missing; called after open, after each
	 * attach, and when refresh says that rows have changed. Columns that are there
	 * stay where they are; rows of what is gone are removed. 0 or -ENOMEM.
	 */
	int (*sync)(void *state, struct snapshot_table *table);
	/* Fill in the present values. What cannot be read is made absent. */
	int (*read)(void *state, struct snapshot_table *table);
};

/* A map that has a limit, which kvm.conf can set. */
struct family_map {
	const char *name;
	uint64_t limit;	  /* entries that it can have */
	uint64_t used;	  /* that it has */
	uint64_t bytes;	  /* those take of the kernel's memory */
	uint64_t dropped; /* what found no room in it, since the start */
};

struct family_ops {
	/*
	 * Load, and take up pinned maps. Returns 0; -ENODATA if there is nothing
	 * for the family to count, or another error, with a text for people in
	 * *ret_why, to be freed. A state is made all the same (but for -ENOMEM),
	 * so that its tables can say what is missing.
	 */
	int (*open)(const struct family_env *env, void **ret_state, char **ret_error);
	/*
	 * Attach what is not attached yet, by the environment's list of events as
	 * it is now. Returns 0 if the family counts, or an error as open does:
	 * -ENOENT if it is for want of KVM, which may come. What it lacks although it
	 * counts may be in *ret_why too.
	 */
	int (*attach)(void *state, struct report *report, char **ret_error);
	/* Detach all. What was counted stays. */
	void (*detach)(void *state);
	/* Detach and free; takes NULL. */
	void (*close)(void *state);
	/* Runs that the kernel skipped, over all programs. 0, or -ENODATA. */
	int (*missed)(void *state, uint64_t *ret_missed);
	/* How often it was attached since its maps were made. */
	uint64_t (*generation)(void *state);
	/* The map of that number, from 0 on: 0, or -ENOENT past the last. May be NULL. */
	int (*map)(void *state, size_t number, struct family_map *ret_map);
	/*
	 * Before any of its tables are read, once for all that are read together. 1 if
	 * rows have changed, so that every table is to be shaped, 0, or -ENOMEM. May be
	 * NULL.
	 */
	int (*refresh)(void *state);
	/* About once a second, read or not, for what would be missed else. May be NULL. */
	void (*tick)(void *state, struct report *report);
	/* From now on look for highest values anew. 0 or an error. May be NULL. */
	int (*reset_max)(void *state);
	const struct family_table *tables;
	size_t ntables;
};

struct family {
	const char *name;
	const void *(*image)(size_t *ret_size);
	const struct family_ops *ops;
};

/* All of them, by name; generated. */
extern const struct family families[];
extern const size_t families_count;

#endif /* PMDAKVM_FAMILY_H */
