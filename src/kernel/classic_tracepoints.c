// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "kernel/classic_tracepoints.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static FILE *file_open(const char *folder, const char *name)
{
	FILE *file;
	char *path;

	if (asprintf(&path, "%s/%s", folder, name) < 0)
		return NULL;
	file = fopen(path, "re");
	free(path);
	return file;
}

/* Is this line of a file "format" that field? "field:u32 reason; offset:8; size:4; signed:0;" */
static bool line_is(const char *line, const struct record_field *field)
{
	const char *text = strstr(line, "field:"), *end = text ? strchr(text, ';') : NULL;
	size_t len = strlen(field->name);
	unsigned offset, size;

	if (!end || (size_t)(end - text) <= len || strncmp(end - len, field->name, len) != 0 ||
	    end[-(long)len - 1] != ' ')
		return false;
	return sscanf(end, "; offset:%u; size:%u;", &offset, &size) == 2 &&
	       offset == field->offset && size == field->size;
}

bool record_has_fields(const char *folder, const struct record_field *fields)
{
	char line[512];
	bool has = true;
	FILE *file;

	if (!fields)
		return true;
	file = file_open(folder, "format");
	if (!file)
		return false;
	for (; has && fields->name; fields++) {
		has = false;
		rewind(file);
		while (!has && fgets(line, sizeof(line), file))
			has = line_is(line, fields);
	}
	fclose(file);
	return has;
}

static int id_read(const char *folder, unsigned long long *ret_id)
{
	FILE *file = file_open(folder, "id");
	bool read;

	if (!file)
		return -ENOENT;
	read = fscanf(file, "%llu", ret_id) == 1;
	fclose(file);
	return read ? 0 : -ENOENT;
}

int classic_tracepoint_open(const char *folder, int prog_fd)
{
	/*
	 * The program runs on every CPU, whichever the event is of. The event itself stays
	 * disabled: it would count, too.
	 */
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
		.sample_period = 1,
		.wakeup_events = 1,
		.disabled = 1,
	};
	unsigned long long id = 0;
	int fd, err = id_read(folder, &id);

	if (err)
		return err;
	attr.config = id;
	fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, PERF_EVENT_IOC_SET_BPF, prog_fd)) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}
