/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Chunks: the maps in an array of maps NAME, by their places. The one at place 0 belongs to the
 * object; further ones have pins of their own, NAME_1, NAME_2 ...
 */
#ifndef PMDAKVM_PINNED_CHUNKS_H
#define PMDAKVM_PINNED_CHUNKS_H

#include <linux/types.h>
#include <stddef.h>

#include "kernel/pinned_folder.h"

#define CHUNK_NAME_SIZE 64

/* The name of a chunk's pin. */
void chunk_name(const char *array, size_t place, char name[CHUNK_NAME_SIZE]);

/*
 * Open the pinned chunk that is at this place of an array of maps. Returns a descriptor; -ENOENT:
 * there is no such pin; -ESTALE: its map is not the one in the array; or an error.
 */
int chunk_get(const struct pins *pins, const char *array, int array_fd, size_t place);

/* Is all of a chunk, a memory-mapped array, zeroed, as what is free is? Returns 0, 1 or an error.
 */
int chunk_is_zeroed(int fd);

/*
 * Put n maps into an array of maps, from this place on: programs find them then. Returns how many
 * are there, or an error if none is.
 */
int chunks_show(int array_fd, size_t place, const int *fds, size_t n);

#endif /* PMDAKVM_PINNED_CHUNKS_H */
