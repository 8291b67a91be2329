// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "kernel/pinned_maps_move.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/types.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/map_dump.h"
#include "kernel/pinned_chunks.h"

/* A copy under way. */
struct copying {
	int to; /* -1: entries are only counted */
	size_t n;
	int err;
};

static void entry_take(void *data, const void *key, void *value)
{
	struct copying *copying = data;

	copying->n++;
	if (copying->to >= 0 && !copying->err)
		copying->err = bpf_map_update_elem(copying->to, key, value, BPF_ANY);
}

/* The bytes of a value as user space reads it. */
static size_t value_bytes(const struct bpf_map *map)
{
	size_t bytes = bpf_map__value_size(map);

	if (bpf_map__type(map) != BPF_MAP_TYPE_PERCPU_HASH)
		return bytes;
	return (bytes + 7) / 8 * 8 * (size_t)libbpf_num_possible_cpus();
}

/* Go through a hash map; to -1: only count. Returns 0 or an error. */
static int hash_copy(int from, int to, const struct bpf_map *map, size_t *ret_n)
{
	struct copying copying = { .to = to };
	struct map_dump dump = { 0 };
	int err;

	if (bpf_map__key_size(map) > MAP_DUMP_KEY_MAX)
		return -E2BIG;
	err = map_dump_read(&dump, from, bpf_map__key_size(map), value_bytes(map), entry_take,
			    &copying);
	map_dump_free(&dump);
	*ret_n = copying.n;
	return err ? err : copying.err;
}

/* Copy an array to a larger one. */
static int array_copy(int from, int to, const struct bpf_map *map, __u32 n)
{
	void *value = malloc(value_bytes(map));
	int err = value ? 0 : -ENOMEM;

	for (__u32 i = 0; !err && i < n; i++) {
		err = bpf_map_lookup_elem(from, &i, value);
		if (!err)
			err = bpf_map_update_elem(to, &i, value, BPF_ANY);
	}
	free(value);
	return err;
}

/*
 * How many maps of an array of chunks hold something: without those at its end in which all is
 * free. The first one always counts.
 */
static size_t chunks_used(const struct pins *pins, int from, const struct bpf_map *map)
{
	size_t place, used = 1;
	int fd;

	for (place = 1; (fd = chunk_get(pins, bpf_map__name(map), from, place)) >= 0; place++) {
		if (chunk_is_zeroed(fd) != 1)
			used = place + 1;
		close(fd);
	}
	return used;
}

/* The new array of maps has the same chunks; the first one is the object's own. */
static int chunks_copy(const struct pins *pins, int from, const struct bpf_map *map)
{
	size_t most = bpf_map__max_entries(map) - 1, n = 0;
	int *fds = calloc(most + 1, sizeof(*fds)), shown;

	if (!fds)
		return -ENOMEM;
	while (n < most && (fds[n] = chunk_get(pins, bpf_map__name(map), from, n + 1)) >= 0)
		n++;
	shown = chunks_show(bpf_map__fd(map), 1, fds, n);
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
	free(fds);
	if (shown < 0)
		return shown;
	return (size_t)shown == n ? 0 : -ENOMEM;
}

/* What a map is filled with, for people. */
static const char *entries_of(const struct bpf_map *map)
{
	return bpf_map__type(map) == BPF_MAP_TYPE_ARRAY_OF_MAPS ? "chunks" : "entries";
}

/* The number of entries that a map has room for; 0: not known. */
static __u32 room_of(int fd)
{
	struct bpf_map_info info = { 0 };
	__u32 size = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &size) ? 0 : info.max_entries;
}

bool pin_can_move(const struct pins *pins, int fd, const struct bpf_map *map, struct report *report)
{
	enum bpf_map_type type = bpf_map__type(map);
	__u32 room = bpf_map__max_entries(map);
	size_t n = room_of(fd);

	if (type == BPF_MAP_TYPE_QUEUE)
		return true;
	if (type == BPF_MAP_TYPE_HASH || type == BPF_MAP_TYPE_PERCPU_HASH) {
		if (hash_copy(fd, -1, map, &n))
			return false;
	} else if (type == BPF_MAP_TYPE_ARRAY_OF_MAPS) {
		n = chunks_used(pins, fd, map);
	} else if (type != BPF_MAP_TYPE_ARRAY) {
		return false;
	}
	if (n > room)
		report_add(report, REPORT_WARNING,
			   "%s/%s holds %zu %s, more than the %u that there is room for now",
			   pins->path, bpf_map__name(map), n, entries_of(map), room);
	return n <= room;
}

void fresh_name(const char *map, char name[FRESH_NAME_SIZE])
{
	snprintf(name, FRESH_NAME_SIZE, "%s_new", map);
}

/* Put the pin of a map in the place of that of the map's name. */
static int pin_replace(const struct pins *pins, const struct bpf_map *map)
{
	const char *name = bpf_map__name(map);
	char fresh[FRESH_NAME_SIZE];
	int err;

	fresh_name(name, fresh);
	unlinkat(pins->fd, fresh, 0); /* of an agent that was killed */
	err = pins_put(pins, fresh, bpf_map__fd(map));
	if (!err && renameat(pins->fd, fresh, pins->fd, name)) {
		err = -errno;
		unlinkat(pins->fd, fresh, 0);
	}
	return err;
}

static int map_move(const struct pins *pins, const struct bpf_map *map, int from, __u32 room,
		    struct report *report)
{
	size_t n;
	int err;

	if (bpf_map__type(map) == BPF_MAP_TYPE_QUEUE)
		return pin_replace(pins, map);
	if (bpf_map__type(map) == BPF_MAP_TYPE_ARRAY)
		err = array_copy(from, bpf_map__fd(map), map, room);
	else if (bpf_map__type(map) == BPF_MAP_TYPE_ARRAY_OF_MAPS)
		err = chunks_copy(pins, from, map);
	else
		err = hash_copy(from, bpf_map__fd(map), map, &n);
	if (err) {
		report_add(report, REPORT_WARNING,
			   "%s/%s: cannot take over all that it holds (%s): counts are lost",
			   pins->path, bpf_map__name(map), strerror(-err));
		return err;
	}
	report_add(report, REPORT_INFO,
		   "%s/%s: has room for %u %s now, it was %u; what it holds is kept", pins->path,
		   bpf_map__name(map), bpf_map__max_entries(map), entries_of(map), room);
	return pin_replace(pins, map);
}

int pin_move(const struct pins *pins, const struct bpf_map *map, struct report *report)
{
	int from = pins_get(pins, bpf_map__name(map)), err = 0;
	__u32 room;

	if (from < 0)
		return from;
	room = room_of(from);
	if (room && room != bpf_map__max_entries(map))
		err = map_move(pins, map, from, room, report);
	close(from);
	return err;
}
