/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Pinned maps: they outlive the agent, so that a restarted one goes on counting
 * where the last one was. A folder of the BPF file system holds them, and only one
 * agent at a time uses it. Links are never pinned: an agent that is gone must not
 * keep a kernel module from going, or a guest paying.
 */
#ifndef PMDAKVM_PINS_H
#define PMDAKVM_PINS_H

#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/report.h"

struct pins {
	char *path;
	int fd; /* the folder, locked */
};

/*
 * Open the folder, made if it is missing (mode 0700): wanted is a path, a name below
 * the BPF file system's mount, or "none". Where it cannot be had a line in the report
 * says why, and maps are not pinned. Returns 0 with *ret_pins NULL for no folder, or
 * -ENOMEM.
 */
int pins_open(const char *wanted, struct report *report, struct pins **ret_pins);

/* Let the folder go, with what is in it left there; takes NULL. */
void pins_close(struct pins *pins);

/*
 * Before an object is loaded: take up the maps that an agent of the same layout has
 * left, all of them or none. The layout is the family's version and the maps' shapes. Others of
 * their names are removed, which is said; what is no map is left alone. Returns 1 if they were
 * taken up, 0 if they are to be made and pinned, or an error if they are not to be pinned.
 */
int pins_reuse(const struct pins *pins, struct bpf_object *object, uint32_t layout,
	       struct report *report);

/* After loading, where pins_reuse gave 0: pin the maps. 0 or an error, which is said. */
int pins_pin(const struct pins *pins, struct bpf_object *object, uint32_t layout,
	     struct report *report);

/*
 * Load an object with its maps taken up from the pins, or made and pinned there; pins may
 * be NULL. Returns what loading gave.
 */
int pins_load(const struct pins *pins, struct bpf_object *object, uint32_t layout,
	      struct report *report);

/*
 * The object's generation: how often its family has been attached since its maps were
 * made. Kept in the map NAME_meta, beside the stamp of the layout. Add step and return
 * the new one.
 */
uint64_t pins_generation(struct bpf_object *object, uint64_t step);

#endif /* PMDAKVM_PINS_H */
