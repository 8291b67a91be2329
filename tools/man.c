// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * man PAGE: print a manual page with the list between its lines METRICS and END made anew from THE
 * table and the help texts. "make tables" puts that into the page.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metrics/metric_table.h"
#include "metrics/help.h"

#define BEGIN_LINE ".\\\" METRICS: made by \"make tables\", do not edit\n"
#define END_LINE   ".\\\" END\n"

/* Host totals of KVM's statistics, which the page has one paragraph for. */
#define STOCK_CLUSTER 0

/* "per vm" of an instance domain's labels; they are a JSON object. */
static void print_per(enum metric_indom indom)
{
	static const char key[] = "\"indom_name\":\"";
	const char *per;

	if (indom == METRIC_INDOM_NULL)
		return;
	per = strstr(metric_indoms[indom].labels, key);
	if (per)
		printf(", %.*s", (int)strcspn(per + strlen(key), "\""), per + strlen(key));
}

static int print_metric(const struct metric *metric)
{
	const char *units = metric_units_name(metric->units);
	const struct help *help = help_of(metric->name);

	if (!help) {
		fprintf(stderr, "man: the file help has no text for %s\n", metric->name);
		return -ENOENT;
	}
	printf(".TP\n\\fB%s\\fR (%s%s%s", metric->name, metric_semantics_name(metric->semantics),
	       *units ? ", " : "", units);
	print_per(metric->indom);
	printf(")\n%s.\n", help->oneline);
	return 0;
}

static int print_metrics(void)
{
	int err = 0;

	for (size_t i = 0; !err && i < metrics_count; i++) {
		if (!metric_is_subtree(&metrics[i]) && metrics[i].cluster != STOCK_CLUSTER)
			err = print_metric(&metrics[i]);
	}
	return err;
}

int main(int argc, char **argv)
{
	FILE *page = argc == 2 ? fopen(argv[1], "re") : NULL;
	bool inside = false, found = false;
	char line[4096];
	int err = 0;

	if (!page) {
		fprintf(stderr, "man: %s: %s\n", argc == 2 ? argv[1] : "usage: man PAGE",
			argc == 2 ? strerror(errno) : "one page is needed");
		return EXIT_FAILURE;
	}
	while (!err && fgets(line, sizeof(line), page)) {
		inside &= strcmp(line, END_LINE) != 0;
		if (!inside)
			fputs(line, stdout);
		if (strcmp(line, BEGIN_LINE) != 0)
			continue;
		inside = found = true;
		err = print_metrics();
	}
	fclose(page);
	if (!err && (!found || inside)) {
		fprintf(stderr, "man: %s: no list between METRICS and END\n", argv[1]);
		err = -EINVAL;
	}
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
