// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Host totals from debugfs, for kernels without BTF for KVM. debugfs has a file per statistic and a
 * folder per VM.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "metrics/item_numbers.h"
#include "families/stat/stat.h"

static int folder_open(const char *dir)
{
	char *path;
	int fd;

	if (asprintf(&path, "%s/kvm", dir) < 0)
		return -ENOMEM;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(path);
	return fd < 0 ? -errno : fd;
}

/* Read a file that contains one number. */
static int number_read(int folder, const char *name, uint64_t *ret_number)
{
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC), err;
	char text[32] = "", *end;
	unsigned long long number;
	ssize_t got;

	if (fd < 0)
		return -errno;
	got = read(fd, text, sizeof(text) - 1);
	err = got < 0 ? -errno : 0;
	close(fd);
	if (err)
		return err;
	number = strtoull(text, &end, 10);
	if (end == text || (*end && *end != '\n'))
		return -EINVAL;
	*ret_number = number;
	return 0;
}

/* Add a statistic for the file, if the file can be read and contains a number. */
static int stat_add_file(int folder, const char *name, struct stat_list *list)
{
	const struct item *item = items_find(ITEMS_STAT, name);
	struct statistic *grown;
	uint64_t number;
	int err;

	/* such a file shows only the first bucket of a histogram */
	if (strlen(name) >= STAT_NAME_SIZE || (item && item->kind >= STAT_LINEAR_HIST))
		return 0;
	err = number_read(folder, name, &number);
	if (err)
		return err == -EPERM || err == -EACCES ? err : 0;
	grown = reallocarray(list->list, list->n + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	list->list = grown;
	grown[list->n] = (struct statistic){
		.kind = item ? item->kind : STAT_INSTANT,
		.units = item ? item->units : METRIC_COUNT,
		.scale = 1,
		.size = sizeof(uint64_t),
		.buckets = 1,
		.first = list->nvalues++,
	};
	strcpy(grown[list->n].name, name);
	list->n++;
	return 0;
}

static int by_name(const struct dirent **left, const struct dirent **right)
{
	return strcmp((*left)->d_name, (*right)->d_name);
}

static int is_file(const struct dirent *entry)
{
	return entry->d_type == DT_REG;
}

int stat_debugfs_layout(const char *dir, struct stat_layout *ret_layout)
{
	struct stat_layout layout = { 0 };
	struct dirent **entries;
	int folder = folder_open(dir), n, err = 0;

	if (folder < 0)
		return folder;
	/* sorted, so that equal folders give equal layouts */
	n = scandirat(folder, ".", &entries, is_file, by_name);
	if (n < 0)
		err = -errno;
	for (int i = 0; i < n; i++) {
		if (!err)
			err = stat_add_file(folder, entries[i]->d_name, &layout.vm);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	close(folder);
	if (!err && !layout.vm.n)
		err = -ENOENT;
	if (err) {
		stat_layout_free(&layout);
		return err;
	}
	*ret_layout = layout;
	return 0;
}

void stat_debugfs_read(const char *dir, const struct stat_layout *layout, uint64_t *values)
{
	int folder = folder_open(dir);

	if (folder < 0)
		return;
	for (size_t i = 0; i < layout->vm.n; i++)
		number_read(folder, layout->vm.list[i].name, &values[layout->vm.list[i].first]);
	close(folder);
}
