/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * The interface of a family: a group of tracepoints, the BPF object bpf/NAME.bpf.c that counts
 * them, and src/families/NAME with these hooks. The list of families is generated from the files in
 * bpf/.
 */
#ifndef PMDAKVM_FAMILY_H
#define PMDAKVM_FAMILY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/report.h"
#include "kernel/map_usage.h"
#include "vms/family_env.h"
#include "vms/tables.h"

struct family_ops {
	/*
	 * Load the object and take over pinned maps. Returns 0, -ENODATA if there is nothing to
	 * count, or another error, with a message for people in *ret_error, which the caller frees.
	 * A state is made even on error (except -ENOMEM), so that the tables can show what is
	 * missing.
	 */
	int (*open)(const struct family_env *env, void **ret_state, char **ret_error);
	/*
	 * Attach what is not attached yet, by the environment's current list of events. Returns 0
	 * if the family counts, or an error as for open; -ENOENT means that KVM is not loaded, and
	 * may be later. *ret_error can name a limitation even on success.
	 */
	int (*attach)(void *state, struct report *report, char **ret_error);
	/* Detach everything; counts stay. */
	void (*detach)(void *state);
	/* Detach and free; takes NULL. */
	void (*close)(void *state);
	/* Runs skipped by the kernel, over all programs. Returns 0 or -ENODATA. */
	int (*missed)(void *state, uint64_t *ret_missed);
	/* How often the family was attached since its maps were created. */
	uint64_t (*generation)(void *state);
	/* The map with this number, from 0. Returns 0, or -ENOENT past the last. May be NULL. */
	int (*map)(void *state, size_t number, struct map_usage *ret_usage);
	/*
	 * Called once before any of the tables that are read together: bit i of wanted is for
	 * tables[i]. Returns 1 if rows changed, so that every table needs sync; else 0 or -ENOMEM.
	 * May be NULL.
	 */
	int (*refresh)(void *state, uint64_t wanted);
	/*
	 * Called about once a second even without fetches, to catch short-lived state. May be NULL.
	 */
	void (*tick)(void *state, struct report *report);
	/* Begin a new epoch for maxima. Returns 0 or an error. May be NULL. */
	int (*reset_max)(void *state);
	/*
	 * Its programs write records of other families, whose maps it shares, so they are opened
	 * first. Two families are opened at a time: what the environment has is for reading then,
	 * but for kernel_types, and for what one family alone has.
	 */
	bool sharing;
	/* It attaches no program to what others count for it, so they are attached first. */
	bool last;
	const struct table *tables;
	size_t ntables;
};

struct family {
	const char *name;
	const struct family_ops *ops;
	const void *(*image)(size_t *ret_size); /* the BPF object file: it names the maps */
};

/* All families, sorted by name; generated. */
extern const struct family families[];
extern const size_t families_count;

#endif /* PMDAKVM_FAMILY_H */
