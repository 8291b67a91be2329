// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "kernel/cpus.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Far above any kernel's NR_CPUS; a larger number makes the list invalid. */
#define CPUS_LIMIT 65536UL

/* Mark the CPUs of a list such as "0-3,8" in set[CPUS_LIMIT]. */
static int list_parse(const char *list, bool *set)
{
	const char *p = list;

	while (*p && *p != '\n') {
		unsigned long first, last;
		char *end;

		first = last = strtoul(p, &end, 10);
		if (end == p)
			return -EINVAL;
		if (*end == '-') {
			p = end + 1;
			last = strtoul(p, &end, 10);
			if (end == p)
				return -EINVAL;
		}
		if (first > last || last >= CPUS_LIMIT)
			return -EINVAL;
		for (; first <= last; first++)
			set[first] = true;
		if (*end == ',')
			end++;
		else if (*end && *end != '\n')
			return -EINVAL;
		p = end;
	}
	return 0;
}

/* Read the list in DIR/NAME into a new ret_set[CPUS_LIMIT]. */
static int list_read(const char *dir, const char *name, bool **ret_set)
{
	char *path = NULL, *line = NULL;
	FILE *file = NULL;
	size_t size = 0;
	bool *set = NULL;
	int err;

	set = calloc(CPUS_LIMIT, sizeof(*set));
	if (!set || asprintf(&path, "%s/%s", dir, name) < 0) {
		path = NULL;
		err = -ENOMEM;
		goto out;
	}
	file = fopen(path, "re");
	if (!file) {
		err = -errno;
		goto out;
	}
	errno = 0;
	if (getline(&line, &size, file) < 0) {
		err = errno ? -errno : -EINVAL;
		goto out;
	}
	err = list_parse(line, set);
	if (err)
		goto out;
	*ret_set = set;
	set = NULL;
out:
	if (file)
		fclose(file);
	free(line);
	free(path);
	free(set);
	return err;
}

int cpus_read(const char *dir, struct cpus *ret_cpus)
{
	struct cpus cpus = { 0 };
	bool *set;
	int err;

	err = list_read(dir, "possible", &set);
	if (err)
		return err;
	for (size_t i = 0; i < CPUS_LIMIT; i++) {
		if (set[i])
			cpus.n = i + 1;
	}
	free(set);
	if (!cpus.n)
		return -EINVAL;
	cpus.present = calloc(cpus.n, sizeof(*cpus.present));
	if (!cpus.present)
		return -ENOMEM;
	err = cpus_update(dir, &cpus);
	if (err < 0) {
		cpus_free(&cpus);
		return err;
	}
	*ret_cpus = cpus;
	return 0;
}

int cpus_update(const char *dir, struct cpus *cpus)
{
	int fresh = 0, err;
	bool *set;

	err = list_read(dir, "online", &set);
	if (err)
		return err;
	for (size_t i = 0; i < cpus->n; i++) {
		if (set[i] && !cpus->present[i]) {
			cpus->present[i] = true;
			fresh = 1;
		}
	}
	free(set);
	return fresh;
}

void cpus_free(struct cpus *cpus)
{
	free(cpus->present);
	*cpus = (struct cpus){ 0 };
}
