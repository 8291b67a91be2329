// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "command/textfile.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_beside(const char *beside, int (*print)(FILE *file, void *data), void *data)
{
	FILE *file = fopen(beside, "we");
	int err;

	if (!file)
		return -errno;
	err = print(file, data);
	/* whatever the umask is: the reader is another user */
	if (!err && fchmod(fileno(file), 0644) < 0)
		err = -errno;
	if (!err && fflush(file) < 0)
		err = -errno;
	if (fclose(file) < 0 && !err)
		err = -errno;
	return err;
}

int textfile_replace(const char *path, int (*print)(FILE *file, void *data), void *data)
{
	char *beside;
	int err;

	if (asprintf(&beside, "%s.new", path) < 0)
		return -ENOMEM;
	err = write_beside(beside, print, data);
	if (!err && rename(beside, path) < 0)
		err = -errno;
	if (err)
		unlink(beside);
	free(beside);
	return err;
}
