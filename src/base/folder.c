// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "base/folder.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void folder_make_of(const char *path)
{
	char *folder = strdup(path), *slash;

	if (!folder)
		return;
	slash = strrchr(folder, '/');
	if (slash && slash != folder) {
		*slash = '\0';
		mkdir(folder, 0755);
	}
	free(folder);
}
