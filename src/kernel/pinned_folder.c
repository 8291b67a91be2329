// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The directory for pinned maps: found, made, checked and locked. */
#define _GNU_SOURCE
#include "kernel/pinned_folder.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "kernel/folder_lock.h"

#define FOLDER_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

static const char not_bpffs[] = "not on a BPF file system";

static bool is_bpffs(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == BPF_FS_MAGIC;
}

static bool fd_is_bpffs(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == BPF_FS_MAGIC;
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

/* Split a path before its last name: what is before it, and the name, are parts of the path. */
static char *path_split(char *path, const char **ret_parent)
{
	char *end = path + strlen(path), *slash;

	while (end > path + 1 && end[-1] == '/')
		*--end = '\0';
	slash = strrchr(path, '/');
	*ret_parent = slash == path ? "/" : path;
	*slash = '\0';
	return slash + 1;
}

/* Make a directory, by its absolute path, on a BPF file system. Returns its fd. */
static int folder_make(const char *path, const char **ret_error)
{
	char *copy = strdup(path), *name;
	const char *parent;
	int at, fd;

	if (!copy)
		return -ENOMEM;
	name = path_split(copy, &parent);
	at = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (at < 0) {
		fd = -errno;
	} else if (!fd_is_bpffs(at)) {
		*ret_error = not_bpffs;
		fd = -EINVAL;
	} else if (mkdirat(at, name, 0700) && errno != EEXIST) {
		fd = -errno;
	} else {
		fd = openat(at, name, FOLDER_FLAGS);
		fd = fd < 0 ? -errno : fd;
	}
	if (at >= 0)
		close(at);
	free(copy);
	return fd;
}

/* What a directory is opened for. */
enum purpose { TO_PIN, TO_REMOVE, TO_READ };

/*
 * Open the directory, check that only we can access it, and lock it, but for reading. To pin, it is
 * created if it does not exist, and an agent that pmcd gave up is killed. Returns its fd. All that
 * is asked is asked of the fd: the path may be another directory's by then.
 */
static int folder_open(const char *path, enum purpose purpose, const char **ret_error)
{
	struct stat st;
	int fd, err;

	fd = open(path, FOLDER_FLAGS);
	fd = fd < 0 ? -errno : fd;
	if (fd == -ENOENT && purpose == TO_PIN)
		fd = folder_make(path, ret_error);
	if (fd < 0)
		return fd;
	if (!fd_is_bpffs(fd)) {
		*ret_error = not_bpffs;
		err = -EINVAL;
		goto out;
	}
	if (fstat(fd, &st) || st.st_uid != geteuid() || (st.st_mode & 077)) {
		*ret_error = "must be owned by the agent's user, with mode 0700";
		err = -EPERM;
		goto out;
	}
	err = purpose == TO_READ ? 0 : folder_lock(fd, purpose == TO_PIN);
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
	fd = folder_open(pins->path, TO_PIN, &error);
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
	fd = folder_open(path, TO_REMOVE, &error);
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
	*pins = (struct pins){ .path = path, .fd = fd };
	*ret_pins = pins;
	return 0;
}

bool pins_are_used(const struct pins *pins)
{
	return folder_is_locked(pins->fd);
}

int pins_watch(const char *wanted, struct report *report, struct pins **ret_pins)
{
	char *path = strcmp(wanted, "none") == 0 ? NULL : folder_path(wanted);
	struct pins *pins = path ? calloc(1, sizeof(*pins)) : NULL;
	const char *error = NULL;

	*ret_pins = NULL;
	if (!pins) {
		free(path);
		return path ? -ENOMEM : 0;
	}
	*pins = (struct pins){ .path = path, .reading = true };
	pins->fd = folder_open(path, TO_READ, &error);
	if (pins->fd >= 0 && pins_are_used(pins)) {
		*ret_pins = pins;
		return 0;
	}
	if (pins->fd < 0 && pins->fd != -ENOENT)
		report_add(report, REPORT_INFO, "%s: %s: the maps of an agent cannot be read", path,
			   error ? error : strerror(-pins->fd));
	pins_close(pins);
	return 0;
}

void pins_close(struct pins *pins)
{
	if (!pins)
		return;
	if (pins->fd >= 0)
		close(pins->fd);
	free(pins->path);
	free(pins);
}

/* --- single maps --- */

/*
 * The path of a pin in the directory that was opened and checked, wherever that is now: bpf() takes
 * no descriptor of a directory before Linux 6.5. NULL: no memory.
 */
static char *pin_path(const struct pins *pins, const char *name)
{
	char *path;

	return asprintf(&path, "/proc/self/fd/%d/%s", pins->fd, name) < 0 ? NULL : path;
}

/* A pinned object is a map, a program or a link. */
static bool fd_is(int fd, const char *kind)
{
	char path[64], target[64] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return readlink(path, target, sizeof(target) - 1) > 0 && strstr(target, kind);
}

int pins_put(const struct pins *pins, const char *name, int fd)
{
	char *path = pin_path(pins, name);
	int err;

	if (!path)
		return -ENOMEM;
	err = bpf_obj_pin(fd, path);
	free(path);
	return err;
}

void pins_drop(const struct pins *pins, const char *name)
{
	unlinkat(pins->fd, name, 0);
}

int pins_add(const struct pins *pins, const char *name, int fd)
{
	pins_drop(pins, name);
	return pins_put(pins, name, fd);
}

static int get(const struct pins *pins, const char *name, const char *kind, __u32 flags)
{
	LIBBPF_OPTS(bpf_obj_get_opts, opts, .file_flags = flags);
	struct stat st;
	char *path;
	int fd;

	if (fstatat(pins->fd, name, &st, AT_SYMLINK_NOFOLLOW))
		return -errno;
	path = pin_path(pins, name);
	if (!path)
		return -ENOMEM;
	fd = S_ISREG(st.st_mode) ? bpf_obj_get_opts(path, &opts) : -EEXIST;
	free(path);
	if (fd >= 0 && !fd_is(fd, kind)) {
		close(fd);
		fd = -EEXIST;
	}
	return fd;
}

int pins_get(const struct pins *pins, const char *name)
{
	return get(pins, name, "bpf-map", pins->reading ? BPF_F_RDONLY : 0);
}

int pins_get_mapped(const struct pins *pins, const char *name)
{
	return get(pins, name, "bpf-map", 0);
}

int pins_get_link(const struct pins *pins, const char *name)
{
	return get(pins, name, "bpf-link", 0);
}
