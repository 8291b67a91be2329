// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "kernel/map_dump.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/types.h>
#include <stdlib.h>
#include <string.h>

/* The first size of a batch: this many bytes, but at least so many entries. */
#define BATCH_BYTES   (256 * 1024)
#define BATCH_ENTRIES 16

/* What the kernel returns for a command that a map's type does not have; not in errno.h. */
#define ENOTSUPP 524

/* A read under way. */
struct reading {
	struct map_dump *dump;
	int fd;
	size_t key_size, value_size;
	void (*take)(void *data, const void *key, void *value);
	void *data;
};

/* Grow a buffer to n elements; its bytes stay. Returns 0 or -ENOMEM. */
static int room_make(void **buffer, size_t *bytes, size_t n, size_t size)
{
	void *grown;

	if (*bytes >= n * size)
		return 0;
	grown = reallocarray(*buffer, n, size);
	if (!grown)
		return -ENOMEM;
	*buffer = grown;
	*bytes = n * size;
	return 0;
}

static int rooms_make(const struct reading *reading, size_t keys, size_t values)
{
	struct map_dump *dump = reading->dump;
	int err = room_make(&dump->keys, &dump->keys_bytes, keys, reading->key_size);

	return err ? err :
		     room_make(&dump->values, &dump->values_bytes, values, reading->value_size);
}

/* --- one by one --- */

/* Read all keys: deleting while iterating can skip or repeat keys. */
static int keys_read(const struct reading *reading, size_t *ret_n)
{
	struct map_dump *dump = reading->dump;
	char key[MAP_DUMP_KEY_MAX];
	size_t n = 0;

	while (bpf_map_get_next_key(reading->fd, n ? key : NULL, key) == 0) {
		size_t room = dump->keys_bytes / reading->key_size;
		int err = n < room ? 0 : rooms_make(reading, room ? room * 2 : 64, 1);

		if (err)
			return err;
		memcpy((char *)dump->keys + n++ * reading->key_size, key, reading->key_size);
	}
	*ret_n = n;
	return 0;
}

static int read_one_by_one(const struct reading *reading)
{
	struct map_dump *dump = reading->dump;
	size_t n = 0;
	int err = rooms_make(reading, 0, 1);

	if (!err)
		err = keys_read(reading, &n);
	if (err)
		return err;
	for (size_t i = 0; i < n; i++) {
		const char *key = (char *)dump->keys + i * reading->key_size;

		if (bpf_map_lookup_elem(reading->fd, key, dump->values) == 0)
			reading->take(reading->data, key, dump->values);
	}
	return 0;
}

/* --- batches --- */

static void batch_take(const struct reading *reading, __u32 n)
{
	for (size_t i = 0; i < n; i++)
		reading->take(reading->data, (char *)reading->dump->keys + i * reading->key_size,
			      (char *)reading->dump->values + i * reading->value_size);
}

static size_t batch_entries(const struct reading *reading)
{
	size_t n = BATCH_BYTES / (reading->key_size + reading->value_size);

	return n < BATCH_ENTRIES ? BATCH_ENTRIES : n;
}

/*
 * A batch begins where the one before has ended. A hash map gives whole buckets: for a bucket that
 * is larger than the batch it gives -ENOSPC, and the same place again. The last batch gives -ENOENT
 * beside its entries. *ret_final: an error is final, as there is no memory, or entries were taken
 * and must not be taken again.
 */
static int read_batches(const struct reading *reading, bool *ret_final)
{
	char tokens[2][MAP_DUMP_KEY_MAX] = { 0 }; /* the place, in the kernel's own form */
	size_t room = batch_entries(reading);
	bool begun = false;

	for (;;) {
		__u32 n = (__u32)room;
		int err = rooms_make(reading, room, room);

		if (err) {
			*ret_final = true;
			return err;
		}
		err = bpf_map_lookup_batch(reading->fd, begun ? tokens[0] : NULL, tokens[1],
					   reading->dump->keys, reading->dump->values, &n, NULL);
		if (err == -ENOSPC) {
			room *= 2;
			continue;
		}
		if (err && err != -ENOENT)
			return err;
		batch_take(reading, n);
		*ret_final |= n > 0;
		if (err)
			return 0;
		memcpy(tokens[0], tokens[1], sizeof(tokens[0]));
		begun = true;
	}
}

int map_dump_read(struct map_dump *dump, int fd, size_t key_size, size_t value_size,
		  void (*take)(void *data, const void *key, void *value), void *data)
{
	struct reading reading = { dump, fd, key_size, value_size, take, data };
	bool final = false;
	int err;

	if (!dump->one_by_one) {
		err = read_batches(&reading, &final);
		if (!err || final)
			return err;
		/* unknown before 5.6 (-EINVAL), or not for this type of map */
		dump->one_by_one = err == -EINVAL || err == -ENOTSUPP;
	}
	return read_one_by_one(&reading);
}

void map_dump_free(struct map_dump *dump)
{
	free(dump->keys);
	free(dump->values);
	*dump = (struct map_dump){ 0 };
}
