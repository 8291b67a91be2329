// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "kernel/pinned_maps.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/types.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fnv1a.h"
#include "bpf/pin.h"
#include "kernel/folder_lock.h"

static bool is_bpffs(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == BPF_FS_MAGIC;
}

/* Return a copy of the first BPF file system's mount point; NULL if none is mounted. */
static char *bpffs_mount(void)
{
	struct mntent *entry;
	char *path = NULL;
	FILE *mounts;

	if (is_bpffs("/sys/fs/bpf"))
		return strdup("/sys/fs/bpf");
	mounts = setmntent("/proc/self/mounts", "re");
	if (!mounts)
		return NULL;
	while (!path && (entry = getmntent(mounts))) {
		if (strcmp(entry->mnt_type, "bpf") == 0)
			path = strdup(entry->mnt_dir);
	}
	endmntent(mounts);
	return path;
}

static char *folder_path(const char *wanted)
{
	char *mount, *path = NULL;

	if (*wanted == '/')
		return strdup(wanted);
	mount = bpffs_mount();
	if (mount && asprintf(&path, "%s/%s", mount, wanted) < 0)
		path = NULL;
	free(mount);
	return path;
}

/*
 * Open the directory, check that only we can access it, and lock it. With create it is created if
 * it does not exist, and an agent that pmcd gave up is killed. Returns its fd.
 */
static int folder_open(const char *path, bool create, const char **ret_error)
{
	struct stat st;
	bool made = create && mkdir(path, 0700) == 0;
	int fd, err;

	if (create && !made && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (!is_bpffs(path)) {
		*ret_error = "not on a BPF file system";
		if (made)
			rmdir(path);
		err = -EINVAL;
		goto out;
	}
	if (fstat(fd, &st) || st.st_uid != geteuid() || (st.st_mode & 077)) {
		*ret_error = "must be owned by the agent's user, with mode 0700";
		err = -EPERM;
		goto out;
	}
	err = folder_lock(fd, create);
	if (err == -EWOULDBLOCK)
		*ret_error = "in use by another agent";
	if (!err)
		return fd;
out:
	close(fd);
	return err;
}

int pins_open(const char *wanted, struct report *report, struct pins **ret_pins)
{
	const char *error = NULL;
	struct pins *pins;
	int fd;

	*ret_pins = NULL;
	if (strcmp(wanted, "none") == 0)
		return 0;
	pins = calloc(1, sizeof(*pins));
	if (!pins)
		return -ENOMEM;
	pins->path = folder_path(wanted);
	if (!pins->path) {
		report_add(report, REPORT_INFO,
			   "no BPF file system is mounted: counters restart at 0 with the agent");
		free(pins);
		return 0;
	}
	fd = folder_open(pins->path, true, &error);
	if (fd < 0) {
		report_add(report, REPORT_WARNING, "%s: %s: counters restart at 0 with the agent",
			   pins->path, error ? error : strerror(-fd));
		free(pins->path);
		free(pins);
		return 0;
	}
	pins->fd = fd;
	*ret_pins = pins;
	return 0;
}

int pins_find(const char *wanted, struct report *report, struct pins **ret_pins)
{
	char *path = strcmp(wanted, "none") == 0 ? NULL : folder_path(wanted);
	const char *error = NULL;
	struct pins *pins;
	int fd;

	*ret_pins = NULL;
	if (!path)
		return 0;
	fd = folder_open(path, false, &error);
	if (fd < 0) {
		if (fd != -ENOENT)
			report_add(report, REPORT_WARNING, "%s: %s: nothing removed", path,
				   error ? error : strerror(-fd));
		free(path);
		return fd == -ENOENT ? 0 : fd;
	}
	pins = calloc(1, sizeof(*pins));
	if (!pins) {
		close(fd);
		free(path);
		return -ENOMEM;
	}
	*pins = (struct pins){ path, fd };
	*ret_pins = pins;
	return 0;
}

void pins_close(struct pins *pins)
{
	if (!pins)
		return;
	close(pins->fd);
	free(pins->path);
	free(pins);
}

#define META "_meta"

bool pins_are_of(const char *family, size_t length, const struct bpf_map *map)
{
	const char *name = bpf_map__name(map);

	return !bpf_map__is_internal(map) && strncmp(name, family, length) == 0 &&
	       name[length] == '_';
}

/* Is the map pinned with this object? */
static bool is_own(const struct pinned *pinned, const struct bpf_map *map)
{
	const char *meta = bpf_map__name(pinned->meta);

	return pins_are_of(meta, strlen(meta) - strlen(META), map);
}

/* FNV-1a hash of everything that must match for pinned maps to be reused. */
static __u64 layout_hash(const struct pinned *pinned)
{
	__u64 hash = HASH_START;
	struct bpf_map *map;
	char text[128];

	snprintf(text, sizeof(text), "%u", pinned->layout);
	hash = hash_text(hash, text);
	bpf_object__for_each_map(map, *pinned->skeleton->obj)
	{
		if (!is_own(pinned, map))
			continue;
		snprintf(text, sizeof(text), "%s %u %u %u %u %u", bpf_map__name(map),
			 bpf_map__type(map), bpf_map__key_size(map), bpf_map__value_size(map),
			 bpf_map__max_entries(map), bpf_map__map_flags(map));
		hash = hash_text(hash, text);
	}
	return hash;
}

/* A pinned object can also be a program or a link. */
static bool fd_is_map(int fd)
{
	char path[64], target[64] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return readlink(path, target, sizeof(target) - 1) > 0 && strstr(target, "bpf-map");
}

int pins_get(const struct pins *pins, const char *name)
{
	struct stat st;
	char *path;
	int fd;

	if (fstatat(pins->fd, name, &st, AT_SYMLINK_NOFOLLOW))
		return -errno;
	if (asprintf(&path, "%s/%s", pins->path, name) < 0)
		return -ENOMEM;
	fd = S_ISREG(st.st_mode) ? bpf_obj_get(path) : -EEXIST;
	free(path);
	if (fd >= 0 && !fd_is_map(fd)) {
		close(fd);
		fd = -EEXIST;
	}
	return fd;
}

void pins_drop(const struct pins *pins, const char *name)
{
	unlinkat(pins->fd, name, 0);
}

int pins_add(const struct pins *pins, const char *name, int fd)
{
	char *path;
	int err;

	if (asprintf(&path, "%s/%s", pins->path, name) < 0)
		return -ENOMEM;
	pins_drop(pins, name);
	err = bpf_obj_pin(fd, path);
	free(path);
	return err;
}

static bool map_matches(int fd, const struct bpf_map *map)
{
	struct bpf_map_info info = { 0 };
	__u32 size = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &size) == 0 && info.type == bpf_map__type(map) &&
	       info.key_size == bpf_map__key_size(map) &&
	       info.value_size == bpf_map__value_size(map) &&
	       info.max_entries == bpf_map__max_entries(map) &&
	       info.map_flags == bpf_map__map_flags(map);
}

static bool layout_matches(const struct pins *pins, const struct pinned *pinned)
{
	int fd = pins_get(pins, bpf_map__name(pinned->meta));
	struct pin_meta value = { 0 };
	__u32 key = 0;
	bool same;

	if (fd < 0)
		return false;
	same = map_matches(fd, pinned->meta) && bpf_map_lookup_elem(fd, &key, &value) == 0 &&
	       value.layout == layout_hash(pinned);
	close(fd);
	return same;
}

/* Count an object's maps, their existing pins, and the pins with matching properties. */
static int pins_count(const struct pins *pins, const struct pinned *pinned, struct report *report,
		      size_t *ret_maps, size_t *ret_pins, size_t *ret_fit)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, *pinned->skeleton->obj)
	{
		int fd;

		if (!is_own(pinned, map))
			continue;
		++*ret_maps;
		fd = pins_get(pins, bpf_map__name(map));
		if (fd == -ENOENT)
			continue;
		if (fd < 0) {
			report_add(report, REPORT_WARNING,
				   "%s/%s: %s: counters restart at 0 with the agent", pins->path,
				   bpf_map__name(map),
				   fd == -EEXIST ? "not a pinned map" : strerror(-fd));
			return fd;
		}
		++*ret_pins;
		*ret_fit += map_matches(fd, map);
		close(fd);
	}
	return 0;
}

static void pins_unlink(const struct pins *pins, const struct pinned *pinned)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, *pinned->skeleton->obj)
	{
		if (is_own(pinned, map))
			unlinkat(pins->fd, bpf_map__name(map), 0);
	}
}

static int reuse_all(const struct pins *pins, const struct pinned *pinned)
{
	struct bpf_map *map;
	int err = 0;

	bpf_object__for_each_map(map, *pinned->skeleton->obj)
	{
		int fd;

		if (!is_own(pinned, map))
			continue;
		fd = pins_get(pins, bpf_map__name(map));
		if (fd < 0)
			return fd;
		err = bpf_map__reuse_fd(map, fd); /* duplicates fd */
		close(fd);
		if (err)
			return err;
	}
	return 0;
}

int pins_reuse(const struct pins *pins, const struct pinned *pinned, struct report *report)
{
	size_t maps = 0, found = 0, fit = 0;
	int err;

	err = pins_count(pins, pinned, report, &maps, &found, &fit);
	if (err)
		return err;
	if (found == maps && fit == maps && layout_matches(pins, pinned)) {
		err = reuse_all(pins, pinned);
		return err ? err : 1;
	}
	if (found) {
		report_add(report, REPORT_INFO,
			   "%s: replacing maps of another layout; counters restart at 0",
			   pins->path);
		pins_unlink(pins, pinned);
	}
	return 0;
}

int pins_pin(const struct pins *pins, const struct pinned *pinned, struct report *report)
{
	struct pin_meta value = { .layout = layout_hash(pinned) };
	struct bpf_map *map;
	__u32 key = 0;
	int err;

	err = bpf_map_update_elem(bpf_map__fd(pinned->meta), &key, &value, BPF_ANY);
	bpf_object__for_each_map(map, *pinned->skeleton->obj)
	{
		char *path;

		if (err || !is_own(pinned, map))
			continue;
		if (asprintf(&path, "%s/%s", pins->path, bpf_map__name(map)) < 0) {
			err = -ENOMEM;
			continue;
		}
		err = bpf_obj_pin(bpf_map__fd(map), path);
		free(path);
	}
	if (err) {
		report_add(report, REPORT_WARNING,
			   "%s: cannot pin maps (%s): counters restart at 0 with the agent",
			   pins->path, strerror(-err));
		pins_unlink(pins, pinned);
	}
	return err;
}

int pins_load(const struct pins *pins, const struct pinned *pinned, struct report *report)
{
	int reused = pins ? pins_reuse(pins, pinned, report) : -ENOENT;
	int err = bpf_object__load_skeleton(pinned->skeleton);

	if (!err && reused == 0)
		pins_pin(pins, pinned, report);
	return err;
}

uint64_t pins_generation(const struct bpf_map *meta, uint64_t step)
{
	struct pin_meta value = { 0 };
	__u32 key = 0;

	if (bpf_map_lookup_elem(bpf_map__fd(meta), &key, &value))
		return 0;
	value.generation += step;
	if (step)
		bpf_map_update_elem(bpf_map__fd(meta), &key, &value, BPF_ANY);
	return value.generation;
}
