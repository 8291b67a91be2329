// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * stat_items.def against the statistics of released kernels, recorded by
 * tests/data/statistics/record: a name missing there would get a different number on each host.
 */
#include "fakes/support.h"

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "metrics/item_numbers.h"

#define LISTS_MIN  5  /* the initial number of lists */
#define STATS_MIN  20 /* arm64's list, the shortest */
#define STATS_MAX  512
#define FIELD_SIZE 64

/* Kinds and units as written in the lists. */
static const char *const kind_text[] = {
	[STAT_CUMULATIVE] = "CUMULATIVE",   [STAT_INSTANT] = "INSTANT",	  [STAT_PEAK] = "PEAK",
	[STAT_LINEAR_HIST] = "LINEAR_HIST", [STAT_LOG_HIST] = "LOG_HIST",
};
static const char *const units_text[] = {
	[METRIC_NONE] = "NONE",
	[METRIC_COUNT] = "COUNT",
	[METRIC_NSEC] = "NSEC",
	[METRIC_BYTES] = "BYTES",
};

struct recorded {
	char owner[FIELD_SIZE], name[FIELD_SIZE], kind[FIELD_SIZE], units[FIELD_SIZE];
};

/* One file of the directory. */
struct list {
	const char *file;
	char title[512];
	struct recorded stats[STATS_MAX];
	size_t n;
};

/* The path of a list, or of the directory for "". Valid until the next call. */
static const char *list_path(const char *name)
{
	static char path[PATH_MAX];
	const char *top = getenv("TOP");

	snprintf(path, sizeof(path), "%s/tests/data/statistics/%s", top && *top ? top : ".", name);
	return path;
}

static void line_parse(struct list *list, const char *line)
{
	struct recorded *stat = &list->stats[list->n];
	int end = 0;

	if (list->n == STATS_MAX)
		fail_msg("%s: more than %d statistics", list->file, STATS_MAX);
	if (sscanf(line, "%63s %63s %63s %63s%n", stat->owner, stat->name, stat->kind, stat->units,
		   &end) != 4 ||
	    strcmp(line + end, "\n") != 0)
		fail_msg("%s: not \"vm|vcpu NAME KIND UNIT\": %s", list->file, line);
	if (strcmp(stat->owner, "vm") != 0 && strcmp(stat->owner, "vcpu") != 0)
		fail_msg("%s: neither vm nor vcpu: %s", list->file, line);
	list->n++;
}

static void list_read(const char *name, struct list *list)
{
	FILE *file = fopen(list_path(name), "re");
	char line[512];

	if (!file)
		fail_msg("cannot open %s", list_path(name));
	*list = (struct list){ .file = name };
	assert_non_null(fgets(list->title, sizeof(list->title), file));
	while (fgets(line, sizeof(line), file))
		line_parse(list, line);
	fclose(file);
}

static int is_list(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot && strcmp(dot, ".txt") == 0;
}

/* Check every list. check prints what is wrong and returns the number of errors. */
static void each_list(unsigned (*check)(const struct list *list))
{
	static struct list list;
	struct dirent **names = NULL;
	int n = scandir(list_path(""), &names, is_list, alphasort);
	unsigned wrong = 0;

	if (n < LISTS_MIN)
		fail_msg("%s: %d lists, at least %d expected", list_path(""), n, LISTS_MIN);
	for (int i = 0; i < n; i++) {
		list_read(names[i]->d_name, &list);
		wrong += check(&list);
		free(names[i]);
	}
	free(names);
	assert_int_equal(wrong, 0);
}

/* The title names the kernel; a truncated list is invalid. */
static unsigned check_whole(const struct list *list)
{
	if (strncmp(list->title, "# ", 2) == 0 && strchr(list->title, '\n') && list->n >= STATS_MIN)
		return 0;
	print_error("%s: no title, or less than %d statistics\n", list->file, STATS_MIN);
	return 1;
}

static void test_whole(void **state)
{
	(void)state;
	each_list(check_whole);
}

/* No known kernel has the same name for a VM and a vCPU statistic. */
static unsigned check_unique(const struct list *list)
{
	unsigned wrong = 0;

	for (size_t i = 0; i < list->n; i++) {
		for (size_t j = 0; j < i; j++) {
			if (strcmp(list->stats[i].name, list->stats[j].name) != 0)
				continue;
			print_error("%s: %s stands twice\n", list->file, list->stats[i].name);
			wrong++;
		}
	}
	return wrong;
}

static void test_unique(void **state)
{
	(void)state;
	each_list(check_unique);
}

static unsigned check_known(const struct list *list)
{
	unsigned wrong = 0;

	for (size_t i = 0; i < list->n; i++) {
		if (items_find(ITEMS_STAT, list->stats[i].name))
			continue;
		print_error("%s: %s is not in stat_items.def\n", list->file, list->stats[i].name);
		wrong++;
	}
	return wrong;
}

static void test_known(void **state)
{
	(void)state;
	each_list(check_known);
}

/* A kernel that reports neither kind nor units has - for both. */
static bool is_described(const struct recorded *stat)
{
	return strcmp(stat->kind, "-") != 0 || strcmp(stat->units, "-") != 0;
}

static unsigned check_described(const struct list *list)
{
	unsigned wrong = 0;

	for (size_t i = 0; i < list->n; i++) {
		const struct recorded *stat = &list->stats[i];
		const struct item *item = items_find(ITEMS_STAT, stat->name);

		if (!item || !is_described(stat))
			continue;
		if (strcmp(kind_text[item->kind], stat->kind) == 0 &&
		    strcmp(units_text[item->units], stat->units) == 0)
			continue;
		print_error("%s: %s is %s, %s; stat_items.def says %s, %s\n", list->file,
			    stat->name, stat->kind, stat->units, kind_text[item->kind],
			    units_text[item->units]);
		wrong++;
	}
	return wrong;
}

static void test_described(void **state)
{
	(void)state;
	each_list(check_described);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_unique),
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_described),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
