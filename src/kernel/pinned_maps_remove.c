// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Removing pinned maps: by their names in the BPF objects, under the folder's lock. */
#include "kernel/pinned_maps.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "kernel/pinned_chunks.h"
#include "kernel/pinned_maps_move.h"

/* How many of the files that stay are named. */
#define NAMES_MAX 8

static int remove_pin(const struct pins *pins, const char *name, struct report *report)
{
	int fd = pins_get(pins, name), err = 0;

	if (fd < 0 && fd != -ENOENT)
		report_add(report, REPORT_WARNING, "%s/%s: %s; not removed", pins->path, name,
			   fd == -EEXIST ? "not a pinned map" : strerror(-fd));
	if (fd < 0)
		return fd;
	if (unlinkat(pins->fd, name, 0)) {
		err = -errno;
		report_add(report, REPORT_WARNING, "%s/%s: cannot remove: %s", pins->path, name,
			   strerror(-err));
	}
	close(fd);
	return err;
}

/*
 * Remove a map's pin, the one that it had before it took another's place, and those of the chunks
 * of an array of maps. Counts them.
 */
static int remove_map(const struct pins *pins, const struct bpf_map *map, struct report *report,
		      size_t *ret_removed)
{
	int err = remove_pin(pins, bpf_map__name(map), report), last = err;
	char name[CHUNK_NAME_SIZE], fresh[FRESH_NAME_SIZE];

	*ret_removed += !err;
	fresh_name(bpf_map__name(map), fresh);
	err = remove_pin(pins, fresh, report);
	*ret_removed += !err;
	last = err && err != -ENOENT ? err : last;
	for (size_t i = 1; bpf_map__type(map) == BPF_MAP_TYPE_ARRAY_OF_MAPS; i++) {
		chunk_name(bpf_map__name(map), i, name);
		err = remove_pin(pins, name, report);
		if (err == -ENOENT)
			break;
		*ret_removed += !err;
		last = err ? err : last;
	}
	return last;
}

int pins_remove(const struct pins *pins, const char *family, struct bpf_object *object,
		struct report *report, size_t *ret_removed)
{
	struct bpf_map *map;
	int last = 0;

	bpf_object__for_each_map(map, object)
	{
		int err = pins_are_of(family, strlen(family), map) ?
				  remove_map(pins, map, report, ret_removed) :
				  -ENOENT;

		if (err != -ENOENT)
			last = err ? err : last;
	}
	return last;
}

void pins_remove_folder(const struct pins *pins, struct report *report)
{
	struct dirent *entry;
	size_t named = 0;
	DIR *dir;
	int fd;

	/* another error than ENOTEMPTY means that it is a mount point, or gone */
	if (rmdir(pins->path) == 0 || errno != ENOTEMPTY)
		return;
	fd = openat(pins->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir && fd >= 0)
		close(fd);
	while (dir && named < NAMES_MAX && (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		report_add(report, REPORT_INFO, "%s/%s: not a map of this version; not removed",
			   pins->path, entry->d_name);
		named++;
	}
	if (dir)
		closedir(dir);
}
