// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "vms/proc_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int proc_text_read(const char *proc, pid_t pid, const char *name, struct proc_text *ret_text)
{
	struct proc_text input = { 0 };
	char *path;
	FILE *file;
	int err = 0;

	if (asprintf(&path, "%s/%ld/%s", proc, (long)pid, name) < 0)
		return -ENOMEM;
	input.text = malloc(PROC_TEXT_MAX + 1);
	if (!input.text) {
		free(path);
		return -ENOMEM;
	}
	file = fopen(path, "re");
	if (file)
		input.size = fread(input.text, 1, PROC_TEXT_MAX, file);
	if (!file || ferror(file)) {
		err = errno == ENOMEM ? -ENOMEM : 0;
		input.err = errno;
		input.size = 0;
	}
	if (file)
		fclose(file);
	free(path);
	if (err) {
		free(input.text);
		return err;
	}
	input.text[input.size] = '\0';
	*ret_text = input;
	return 0;
}
