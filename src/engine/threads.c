// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "engine/threads.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Inode numbers of the initial namespaces, from include/linux/proc_ns.h. */
#define FIRST_PID_NAMESPACE  "pid:[4026531836]"
#define FIRST_TIME_NAMESPACE "time:[4026531834]"

static bool link_is(const char *proc, const char *name, const char *target)
{
	char path[128], is[64] = "";

	snprintf(path, sizeof(path), "%s/%s", proc, name);
	return readlink(path, is, sizeof(is) - 1) > 0 && strcmp(is, target) == 0;
}

bool threads_show_all(const char *proc)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/1/stat", proc);
	return access(path, R_OK) == 0 && link_is(proc, "self/ns/pid", FIRST_PID_NAMESPACE) &&
	       (link_is(proc, "self/ns/time", FIRST_TIME_NAMESPACE) || errno == ENOENT);
}

/* Field 22 of stat is the start in hundredths of a second. */
bool thread_exists(const char *proc, uint32_t tgid, uint32_t tid, uint64_t start)
{
	char path[128], line[1024];
	unsigned long long found = 0;
	const char *after = NULL;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%u/task/%u/stat", proc, tgid, tid);
	file = fopen(path, "re");
	if (!file)
		return errno != ENOENT && errno != ESRCH;
	if (fgets(line, sizeof(line), file))
		after = strrchr(line, ')'); /* the command can contain any character */
	fclose(file);
	for (int field = 2; after && field < 22; field++)
		after = strchr(after + 1, ' ');
	if (!after || sscanf(after, "%llu", &found) != 1)
		return true;
	return found == start / 10000000;
}
