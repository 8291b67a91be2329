// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "items.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const struct item items_known[] = {
#define TRACE_ITEM(number, name, help) { number, #name, help },
#include "items.def"
#undef TRACE_ITEM
};

const size_t items_known_count = sizeof(items_known) / sizeof(items_known[0]);

const struct item *items_find(const char *name)
{
	for (size_t i = 0; i < items_known_count; i++) {
		if (strcmp(items_known[i].name, name) == 0)
			return &items_known[i];
	}
	return NULL;
}

/* line has its newline; a last line that has none may have been cut */
static int line_parse(struct items *items, const char *line)
{
	unsigned number;
	char name[128];
	char **where;
	int end = 0;

	if (sscanf(line, "trace %4u %127s%n", &number, name, &end) != 2 ||
	    strcmp(line + end, "\n") || number < ITEMS_FREE_FIRST || number > ITEMS_FREE_LAST)
		return -EINVAL;
	where = &items->names[number - ITEMS_FREE_FIRST];
	if (*where)
		return -EINVAL;
	*where = strdup(name);
	return *where ? 0 : -ENOMEM;
}

/* What was not read must not be written over: its numbers stay those of their events. */
static void unreadable(struct items *items, struct report *report)
{
	report_add(report, REPORT_WARNING, "%s: %s; item numbers it remembers are unknown",
		   items->path, strerror(errno));
	free(items->path);
	items->path = NULL;
}

int items_load(const char *path, struct report *report, struct items *ret_items)
{
	struct items items = { 0 };
	unsigned number = 0;
	char *line = NULL;
	size_t size = 0;
	FILE *file;
	int err = 0;

	if (!path) {
		*ret_items = items;
		return 0;
	}
	items.path = strdup(path);
	if (!items.path)
		return -ENOMEM;
	file = fopen(path, "re");
	if (!file && errno != ENOENT)
		unreadable(&items, report);
	while (file && err != -ENOMEM && getline(&line, &size, file) >= 0) {
		number++;
		err = line_parse(&items, line);
		if (err == -EINVAL)
			report_add(report, REPORT_WARNING,
				   "%s:%u: not \"trace NUMBER NAME\"; passed over", path, number);
	}
	if (file && err != -ENOMEM && !feof(file))
		unreadable(&items, report);
	free(line);
	if (file)
		fclose(file);
	if (err == -ENOMEM) {
		items_free(&items);
		return err;
	}
	*ret_items = items;
	return 0;
}

int items_number(struct items *items, const char *name)
{
	const struct item *known = items_find(name);
	char **end = items->names + ITEMS_FREE_LAST - ITEMS_FREE_FIRST + 1, **vacant = NULL;

	if (known)
		return (int)known->number;
	for (char **where = items->names; where < end; where++) {
		if (*where && strcmp(*where, name) == 0)
			return ITEMS_FREE_FIRST + (int)(where - items->names);
		if (!*where && !vacant)
			vacant = where;
	}
	if (!vacant)
		return -ENOSPC;
	*vacant = strdup(name);
	if (!*vacant)
		return -ENOMEM;
	items->changed = true;
	return ITEMS_FREE_FIRST + (int)(vacant - items->names);
}

/* Make the folder that the file at path is in; its parent must be there. */
static void make_folder(const char *path)
{
	char *folder = strdup(path), *slash;

	if (!folder)
		return;
	slash = strrchr(folder, '/');
	if (slash && slash != folder) {
		*slash = '\0';
		mkdir(folder, 0755); /* if it fails, so does opening the file */
	}
	free(folder);
}

static int write_file(const struct items *items, const char *path)
{
	FILE *file = fopen(path, "we");
	int err = 0;

	if (!file)
		return -errno;
	for (unsigned i = 0; i <= ITEMS_FREE_LAST - ITEMS_FREE_FIRST; i++) {
		if (items->names[i])
			fprintf(file, "trace %u %s\n", ITEMS_FREE_FIRST + i, items->names[i]);
	}
	if (fflush(file) || fsync(fileno(file)))
		err = -errno;
	if (fclose(file) && !err)
		err = -errno;
	return err;
}

int items_save(struct items *items)
{
	char *fresh;
	int err;

	if (!items->changed || !items->path)
		return 0;
	if (asprintf(&fresh, "%s.new", items->path) < 0)
		return -ENOMEM;
	make_folder(items->path);
	err = write_file(items, fresh);
	if (!err && rename(fresh, items->path))
		err = -errno;
	if (err)
		unlink(fresh);
	else
		items->changed = false;
	free(fresh);
	return err;
}

void items_free(struct items *items)
{
	for (unsigned i = 0; i <= ITEMS_FREE_LAST - ITEMS_FREE_FIRST; i++)
		free(items->names[i]);
	free(items->path);
	*items = (struct items){ 0 };
}
