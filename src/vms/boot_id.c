// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "vms/boot_id.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int boot_id_read(const char *proc, char ret_boot[BOOT_ID_MAX])
{
	char *path;
	FILE *file;
	int err = 0;

	if (asprintf(&path, "%s/sys/kernel/random/boot_id", proc) < 0)
		return -ENOMEM;
	file = fopen(path, "re");
	if (!file)
		err = errno == ENOMEM ? -ENOMEM : 0;
	if (!file || !fgets(ret_boot, BOOT_ID_MAX, file))
		*ret_boot = '\0';
	ret_boot[strcspn(ret_boot, "\n")] = '\0';
	if (file)
		fclose(file);
	free(path);
	return err;
}
