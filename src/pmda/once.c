// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "pmda/once.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/unpin.h"
#include "pmda/agent.h"

/* Warnings are for people who look for a fault, so they go where faults go. */
static void print_report(struct report *report)
{
	for (size_t i = 0; i < report->n; i++) {
		if (report->lines[i].level != REPORT_DEBUG)
			fprintf(report->lines[i].level == REPORT_WARNING ? stderr : stdout, "%s\n",
				report->lines[i].text);
	}
	report_clear(report);
}

static int load_config(const char *config_path, struct report *report, struct config *ret_config)
{
	char path[MAXPATHLEN];

	if (!config_path) {
		kvm_config_path(path, sizeof(path));
		config_path = path;
	}
	return config_load(config_path, report, ret_config);
}

int once_unpin(const char *config_path)
{
	struct report report = { 0 };
	struct config config;
	int err = load_config(config_path, &report, &config);

	/* that there is no kvm.conf, or what is wrong with its events, is of no interest here */
	report_clear(&report);
	if (err == -ENOMEM) {
		fprintf(stderr, "cannot remove pinned maps: %s\n", strerror(-err));
		return EXIT_FAILURE;
	}
	err = unpin(&config, &report);
	print_report(&report);
	config_free(&config);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* The line that the collector adds for a family that fails; it is told with the family. */
static bool is_line_of(const struct report_line *line, const struct collector_family *open)
{
	size_t len = strlen(open->family->name);

	return open->error && strncmp(line->text, open->family->name, len) == 0 &&
	       strncmp(line->text + len, ": ", 2) == 0 &&
	       strcmp(line->text + len + 2, open->error) == 0;
}

static void print_families(struct report *report, const struct collector_family *open)
{
	for (size_t i = 0; i < families_count; i++) {
		const char *error = open[i].error ? open[i].error : strerror(-open[i].err);

		for (size_t j = 0; j < report->n; j++) {
			if (is_line_of(&report->lines[j], &open[i]))
				report->lines[j].level = REPORT_DEBUG;
		}
		if (open[i].err)
			printf("%s: does not count: %s\n", open[i].family->name, error);
		else
			printf("%s: counts (attached in %.1f ms)%s%s\n", open[i].family->name,
			       (double)open[i].attach_time / 1e6, open[i].error ? ": " : "",
			       open[i].error ? error : "");
	}
}

/* How many families count, with everything said about them. */
static size_t try_families(const struct config *config, struct report *report)
{
	struct collector *collector = NULL;
	struct items items;
	size_t attached = 0;
	int err = items_load(NULL, report, &items); /* no file: numbers are of no interest here */

	if (!err)
		err = collector_open(config, &items, NULL, COLLECTOR_ALONE, report, &collector);
	if (err) {
		print_report(report);
		fprintf(stderr, "cannot load: %s\n", strerror(-err));
		return 0;
	}
	print_families(report, collector_families(collector));
	print_report(report);
	attached = collector_attached(collector);
	printf("%zu of %zu families count\n", attached, families_count);
	collector_close(collector);
	items_free(&items);
	return attached;
}

int once_tryload(const char *config_path)
{
	struct report report = { 0 };
	struct config config;
	size_t attached;
	int err = load_config(config_path, &report, &config);

	if (err == -ENOMEM) {
		fprintf(stderr, "cannot load: %s\n", strerror(-err));
		return EXIT_FAILURE;
	}
	attached = try_families(&config, &report);
	config_free(&config);
	return attached ? EXIT_SUCCESS : EXIT_FAILURE;
}
