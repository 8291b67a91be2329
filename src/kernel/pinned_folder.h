/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* The directory of pinned maps, and single maps in it. */
#ifndef PMDAKVM_PINNED_FOLDER_H
#define PMDAKVM_PINNED_FOLDER_H

#include <bpf/libbpf.h>

#include "base/report.h"

struct pins {
	char *path;
	int fd; /* the directory, locked with flock() */
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

/* Unlock the directory and keep its pins. Accepts NULL. */
void pins_close(struct pins *pins);

/* Pin a map by a name. Returns 0; -EEXIST if there is a file of that name; or an error. */
int pins_put(const struct pins *pins, const char *name, int fd);

/* Open a map's pin. Returns a descriptor, -ENOENT, -EEXIST if the file is not a pinned map, or an
 * error. */
int pins_open_map(const struct pins *pins, const struct bpf_map *map);

#endif /* PMDAKVM_PINNED_FOLDER_H */
