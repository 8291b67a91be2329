// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "kernel/pinned_chunks.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Maps in a batch, at most. */
#define BATCH_MAX 64

void chunk_name(const char *array, size_t place, char name[CHUNK_NAME_SIZE])
{
	snprintf(name, CHUNK_NAME_SIZE, "%s_%zu", array, place);
}

/* Is this map at the place? An array of maps tells ids. */
static bool is_at(int array_fd, size_t place, int fd)
{
	struct bpf_map_info info = { 0 };
	__u32 size = sizeof(info), key = (__u32)place, id;

	return bpf_map_lookup_elem(array_fd, &key, &id) == 0 &&
	       bpf_obj_get_info_by_fd(fd, &info, &size) == 0 && info.id == id;
}

int chunk_get(const struct pins *pins, const char *array, int array_fd, size_t place)
{
	char name[CHUNK_NAME_SIZE];
	int fd;

	chunk_name(array, place, name);
	fd = pins_get_mapped(pins, name);
	if (fd < 0 || is_at(array_fd, place, fd))
		return fd;
	close(fd);
	return -ESTALE;
}

int chunk_is_zeroed(int fd)
{
	struct bpf_map_info info = { 0 };
	__u32 size = sizeof(info);
	const char *memory;
	size_t bytes;
	int zeroed;

	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		return -errno;
	bytes = (size_t)(info.value_size + 7) / 8 * 8 * info.max_entries;
	memory = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	zeroed = !memory[0] && !memcmp(memory, memory + 1, bytes - 1);
	munmap((void *)memory, bytes);
	return zeroed;
}

/*
 * Each change of an array of maps waits until no program uses what was there before, some 15 ms;
 * since Linux 6.8 a batch of them waits once.
 */
static int batch_show(int array_fd, size_t place, const int *fds, __u32 n)
{
	__u32 keys[BATCH_MAX] = { 0 }, done = n;
	int err;

	for (size_t i = 0; i < n; i++)
		keys[i] = (__u32)(place + i);
	err = bpf_map_update_batch(array_fd, keys, fds, &done, NULL);
	if (!err)
		return (int)n;
	/* before Linux 5.19 there is no batch of these */
	for (done = 0; done < n; done++) {
		err = bpf_map_update_elem(array_fd, &keys[done], &fds[done], BPF_ANY);
		if (err)
			break;
	}
	return done ? (int)done : err;
}

int chunks_show(int array_fd, size_t place, const int *fds, size_t n)
{
	size_t shown = 0;
	int now = 0;

	while (shown < n) {
		size_t most = n - shown < BATCH_MAX ? n - shown : BATCH_MAX;

		now = batch_show(array_fd, place + shown, fds + shown, (__u32)most);
		if (now < 0)
			break;
		shown += (size_t)now;
		if ((size_t)now < most)
			break;
	}
	return shown || now >= 0 ? (int)shown : now;
}
