/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* The directory of pinned maps, and single maps in it. */
#ifndef PMDAKVM_PINNED_FOLDER_H
#define PMDAKVM_PINNED_FOLDER_H

#include <bpf/libbpf.h>
#include <stdbool.h>

#include "base/report.h"

struct pins {
	char *path;
	int fd;	      /* the directory, locked with flock() but for reading */
	bool reading; /* an agent's that runs: its maps are opened for reading, and nothing changes
		       */
};

/*
 * Open the directory and create it if missing (mode 0700). wanted is an absolute path, a name
 * below the BPF file system's mount point, or "none". On failure a report line says why and maps
 * are not pinned. Returns 0, with *ret_pins NULL if there is no directory, or -ENOMEM.
 */
int pins_open(const char *wanted, struct report *report, struct pins **ret_pins);

/*
 * Open the directory as pins_open does, but to remove pins: it is not created, and no other agent
 * is killed. Returns 0, with *ret_pins NULL if there is no such directory; -ENOMEM; or an error,
 * which is reported.
 */
int pins_find(const char *wanted, struct report *report, struct pins **ret_pins);

/*
 * Open the directory of an agent that runs, to read its maps: it is neither created nor locked.
 * Returns 0, with *ret_pins NULL if there is none, or no agent holds its lock, or it cannot be
 * opened, which is reported; or -ENOMEM.
 */
int pins_watch(const char *wanted, struct report *report, struct pins **ret_pins);

/* Does an agent use the directory? */
bool pins_are_used(const struct pins *pins);

/* Unlock the directory and keep its pins. Accepts NULL. */
void pins_close(struct pins *pins);

/*
 * Single maps, by the names of their pins. pins_put() fails with -EEXIST if there is a file of that
 * name; pins_add() replaces it. pins_get() returns a descriptor that the caller closes, -ENOENT,
 * -EEXIST if the file is not a pinned map, or an error.
 */
int pins_put(const struct pins *pins, const char *name, int fd);
int pins_add(const struct pins *pins, const char *name, int fd);
int pins_get(const struct pins *pins, const char *name);

/*
 * As pins_get(), for memory that is to be mapped: the kernel maps none by a descriptor that is for
 * reading alone. So of pins that are for reading such a map is not protected from us by more than
 * that it is mapped for reading.
 */
int pins_get_mapped(const struct pins *pins, const char *name);
void pins_drop(const struct pins *pins, const char *name);

/* A pinned link. Returns a descriptor that the caller closes, -ENOENT, or another error. */
int pins_get_link(const struct pins *pins, const char *name);

#endif /* PMDAKVM_PINNED_FOLDER_H */
