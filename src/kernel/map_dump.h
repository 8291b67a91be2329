/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Read all keys of a BPF map into an array. Deleting while iterating can skip or repeat keys, so
 * callers read all keys first.
 */
#ifndef PMDAKVM_MAP_KEYS_H
#define PMDAKVM_MAP_KEYS_H

#include <stddef.h>

/* Largest supported key size, in bytes. */
#define MAP_KEYS_SIZE_MAX 64

/* Initialize with { 0 }; reusable for further reads. */
struct map_keys {
	void *list; /* [n] keys of the map's key size */
	size_t n, room;
};

/*
 * Read the keys of the map with descriptor fd, unordered; size is the key size in bytes. Returns 0
 * or -ENOMEM, with no keys.
 */
int map_keys_read(int fd, size_t size, struct map_keys *keys);

void map_keys_free(struct map_keys *keys);

#endif /* PMDAKVM_MAP_KEYS_H */
