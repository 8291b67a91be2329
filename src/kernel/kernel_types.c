// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "kernel/kernel_types.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/core_types.h"
#include "kernel/prog_prepare.h"

/*
 * Since Linux 6.16 vmlinux can be mapped, which saves reading it page by page. NULL: this one
 * cannot, or is no type information.
 */
static struct btf *file_map(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct btf *btf = NULL;
	struct stat about;
	void *bytes;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &about) == 0 && about.st_size > 0 && about.st_size <= UINT32_MAX) {
		bytes = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (bytes != MAP_FAILED) {
			btf = btf__new(bytes, (__u32)about.st_size);
			munmap(bytes, (size_t)about.st_size);
		}
	}
	close(fd);
	return btf;
}

/* Read a file; base is NULL for vmlinux itself. */
static void file_read(const char *dir, struct btf *base, struct kernel_types_file *file)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, file->name);
	/* libbpf prints a warning for a file that does not exist */
	if (access(path, R_OK)) {
		file->err = -errno;
		return;
	}
	file->btf = base ? NULL : file_map(path);
	if (file->btf)
		return;
	errno = 0;
	file->btf = btf__parse_split(path, base);
	if (!file->btf)
		file->err = errno ? -errno : -EINVAL;
}

static int file_get(struct kernel_types *types, const char *name, struct btf *base,
		    struct btf **ret_btf)
{
	struct kernel_types_file *file;
	size_t i = 0;

	while (i < types->n && strcmp(types->files[i].name, name) != 0)
		i++;
	if (i == KERNEL_TYPES_FILES)
		return -ENOSPC;
	file = &types->files[i];
	if (i == types->n) {
		*file = (struct kernel_types_file){ .name = name };
		file_read(types->dir, base, file);
		types->n++;
	}
	if (file->err)
		return file->err;
	*ret_btf = file->btf;
	return 0;
}

/* Families that are opened at a time share what was read. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

int kernel_types_vmlinux(struct kernel_types *types, const struct btf **ret_btf)
{
	struct btf *btf;
	int err;

	pthread_mutex_lock(&lock);
	err = file_get(types, KERNEL_TYPES_VMLINUX, NULL, &btf);
	pthread_mutex_unlock(&lock);

	if (!err)
		*ret_btf = btf;
	return err;
}

int kernel_types_module(struct kernel_types *types, const char *name, const struct btf **ret_btf)
{
	struct btf *base, *btf;
	int err;

	pthread_mutex_lock(&lock);
	err = file_get(types, KERNEL_TYPES_VMLINUX, NULL, &base);
	if (!err)
		err = file_get(types, name, base, &btf);
	pthread_mutex_unlock(&lock);
	if (!err)
		*ret_btf = btf;
	return err;
}

static const char *core_get(struct kernel_types *types)
{
	/* those of another directory are not those of the kernel that loads the object */
	struct kernel_types others = { .dir = KERNEL_TYPES_DIR };
	bool own = strcmp(types->dir, others.dir) == 0;
	struct btf *kernel, *core = NULL;

	if (types->core[0])
		return types->core;
	if (file_get(own ? types : &others, KERNEL_TYPES_VMLINUX, NULL, &kernel) == 0) {
		prog_prepare_types(kernel);
		core = core_types_copy(kernel);
	}
	kernel_types_close(&others);
	if (!core)
		return NULL;
	types->core_fd = core_types_write(core);
	btf__free(core);
	if (types->core_fd < 0)
		return NULL;
	snprintf(types->core, sizeof(types->core), "/proc/self/fd/%d", types->core_fd);
	if (access(types->core, R_OK) == 0)
		return types->core;
	close(types->core_fd);
	types->core[0] = 0;
	return NULL;
}

const char *kernel_types_core(struct kernel_types *types)
{
	const char *path;

	pthread_mutex_lock(&lock);
	path = core_get(types);
	pthread_mutex_unlock(&lock);
	return path;
}

void kernel_types_close(struct kernel_types *types)
{
	/* modules refer to vmlinux, which is the first */
	for (size_t i = types->n; i > 0; i--)
		btf__free(types->files[i - 1].btf);
	if (types->n)
		malloc_trim(0); /* they took megabytes */
	types->n = 0;
	if (types->core[0])
		close(types->core_fd);
	types->core[0] = 0;
}
