/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* All keys of a BPF map, read before anything is done with them: they move when some go. */
#ifndef PMDAKVM_MAP_KEYS_H
#define PMDAKVM_MAP_KEYS_H

#include <stddef.h>

#define MAP_KEYS_SIZE_MAX 64

/* Begins empty, as { 0 }; can be read into again. */
struct map_keys {
	void *list; /* [n], each of the map's key size */
	size_t n, room;
};

/* Read the keys, of so many bytes, of the map; in no order. 0, or -ENOMEM: there are none. */
int map_keys_read(int fd, size_t size, struct map_keys *keys);

void map_keys_free(struct map_keys *keys);

#endif /* PMDAKVM_MAP_KEYS_H */
