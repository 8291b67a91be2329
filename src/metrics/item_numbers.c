// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "metrics/item_numbers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/folder.h"

static const struct item trace_items[] = {
#define TRACE_ITEM(number, name, help) { number, #name, help, STAT_CUMULATIVE, METRIC_COUNT },
#include "metrics/tracepoint_items.def"
#undef TRACE_ITEM
};

static const struct item stat_items[] = {
#define STAT_ITEM(number, name, kind, units, help) \
	{ number, #name, help, STAT_##kind, METRIC_##units },
#include "metrics/stat_items.def"
#undef STAT_ITEM
};

const struct item_list items_known[ITEMS_GROUPS] = {
	[ITEMS_TRACE] = { trace_items, sizeof(trace_items) / sizeof(trace_items[0]) },
	[ITEMS_STAT] = { stat_items, sizeof(stat_items) / sizeof(stat_items[0]) },
};

/* First word of a group's lines in the file. */
static const char *const group_text[ITEMS_GROUPS] = {
	[ITEMS_TRACE] = "trace",
	[ITEMS_STAT] = "stat",
};

const struct item *items_find(enum item_group group, const char *name)
{
	const struct item_list *known = &items_known[group];

	for (size_t i = 0; i < known->n; i++) {
		if (strcmp(known->list[i].name, name) == 0)
			return &known->list[i];
	}
	return NULL;
}

/* Return the group of a line and the text after its first word; ITEMS_GROUPS: unknown word. */
static enum item_group line_group(const char *line, const char **ret_rest)
{
	int group;

	for (group = 0; group < ITEMS_GROUPS; group++) {
		size_t len = strlen(group_text[group]);

		if (strncmp(line, group_text[group], len) == 0 && line[len] == ' ') {
			*ret_rest = line + len;
			break;
		}
	}
	return (enum item_group)group;
}

/* The line must end with a newline: a last line without one may be truncated. */
static int line_parse(struct items *items, const char *line)
{
	const char *rest;
	enum item_group group = line_group(line, &rest);
	unsigned number;
	char name[128];
	char **where;
	int end = 0;

	if (group == ITEMS_GROUPS || sscanf(rest, " %4u %127s%n", &number, name, &end) != 2 ||
	    strcmp(rest + end, "\n") || number < ITEMS_FREE_FIRST || number > ITEMS_FREE_LAST)
		return -EINVAL;
	where = &items->names[group][number - ITEMS_FREE_FIRST];
	if (*where)
		return -EINVAL;
	*where = strdup(name);
	return *where ? 0 : -ENOMEM;
}

/* Forget the path of an unreadable file, so that its numbers are never overwritten. */
static void unreadable(struct items *items, struct report *report)
{
	report_add(report, REPORT_WARNING,
		   "%s: cannot read: %s; the item numbers in it are unknown", items->path,
		   strerror(errno));
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
				   "%s:%u: expected \"trace NUMBER NAME\" or \"stat NUMBER NAME\"; "
				   "line ignored",
				   path, number);
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

int items_number(struct items *items, enum item_group group, const char *name)
{
	const struct item *known = items_find(group, name);
	char **names = items->names[group], **vacant = NULL;

	if (known)
		return (int)known->number;
	for (char **where = names; where < names + ITEMS_FREE; where++) {
		if (*where && strcmp(*where, name) == 0)
			return ITEMS_FREE_FIRST + (int)(where - names);
		if (!*where && !vacant)
			vacant = where;
	}
	if (!vacant)
		return -ENOSPC;
	*vacant = strdup(name);
	if (!*vacant)
		return -ENOMEM;
	items->changed = true;
	return ITEMS_FREE_FIRST + (int)(vacant - names);
}

static void write_group(FILE *file, const char *word, char *const names[ITEMS_FREE])
{
	for (unsigned i = 0; i < ITEMS_FREE; i++) {
		if (names[i])
			fprintf(file, "%s %u %s\n", word, ITEMS_FREE_FIRST + i, names[i]);
	}
}

static int write_file(const struct items *items, const char *path)
{
	FILE *file = fopen(path, "we");
	int err = 0;

	if (!file)
		return -errno;
	for (int group = 0; group < ITEMS_GROUPS; group++)
		write_group(file, group_text[group], items->names[group]);
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
	folder_make_of(items->path);
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
	for (int group = 0; group < ITEMS_GROUPS; group++) {
		for (unsigned i = 0; i < ITEMS_FREE; i++)
			free(items->names[group][i]);
	}
	free(items->path);
	*items = (struct items){ 0 };
}
