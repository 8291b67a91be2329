/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Read all entries of a BPF map: many by one system call where the kernel has batches for the
 * map's type (hashes and arrays since Linux 5.6), else one by one.
 */
#ifndef PMDAKVM_MAP_DUMP_H
#define PMDAKVM_MAP_DUMP_H

#include <stdbool.h>
#include <stddef.h>

/* Largest supported key size, in bytes. */
#define MAP_DUMP_KEY_MAX 64

/* Buffers, reused from one read to the next. Initialize with { 0 }. */
struct map_dump {
	void *keys, *values; /* of one batch; or all keys, and one value */
	size_t keys_bytes, values_bytes;
	bool one_by_one; /* there are no batches, as the first read has found */
};

/*
 * Call take() for each entry of the map with descriptor fd, in no order. Sizes are in bytes; that
 * of a per-CPU value is 8-byte slots of all possible CPUs. take() may change its copy of the value,
 * and may update and delete this entry in the map; an entry that another process adds or deletes
 * meanwhile can be missed. Returns 0; or -ENOMEM or the kernel's error, and then entries are
 * missing.
 */
int map_dump_read(struct map_dump *dump, int fd, size_t key_size, size_t value_size,
		  void (*take)(void *data, const void *key, void *value), void *data);

void map_dump_free(struct map_dump *dump);

#endif /* PMDAKVM_MAP_DUMP_H */
