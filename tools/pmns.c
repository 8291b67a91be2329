// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Print the PMNS from src/metrics/metrics.def; "make tables" writes it to the file pmns. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "metrics/metric_table.h"

struct node {
	char path[128]; /* "kvm", "kvm.agent" */
	char lines[8192];
};

static struct node nodes[64];
static size_t nnodes;

static struct node *node_find(const char *path, size_t len)
{
	for (size_t i = 0; i < nnodes; i++) {
		if (strncmp(nodes[i].path, path, len) == 0 && !nodes[i].path[len])
			return &nodes[i];
	}
	return NULL;
}

static void line_add(struct node *node, const char *name, const char *what)
{
	size_t used = strlen(node->lines);

	snprintf(node->lines + used, sizeof(node->lines) - used, *what ? "\t%-26s%s\n" : "\t%s%s\n",
		 name, what);
}

/* Return the node of path without its last word; create missing nodes. */
static struct node *parent_of(const char *path)
{
	const char *dot = strrchr(path, '.');
	size_t len = dot ? (size_t)(dot - path) : 0;
	struct node *node = node_find(path, len);

	if (node || !len)
		return node;
	node = &nodes[nnodes++];
	snprintf(node->path, sizeof(node->path), "%.*s", (int)len, path);
	if (strchr(node->path, '.'))
		line_add(parent_of(node->path), strrchr(node->path, '.') + 1, "");
	return node;
}

int main(void)
{
	for (size_t i = 0; i < metrics_count; i++) {
		const struct metric *metric = &metrics[i];
		char what[32] = "KVM:*:*";

		/* the agent resolves names below a subtree; a subtree can have several rows */
		if (metrics_subtree_of(metric->name) ||
		    (i && metric_is_subtree(metric) &&
		     strcmp(metric->name, metrics[i - 1].name) == 0))
			continue;
		if (!metric_is_subtree(metric))
			snprintf(what, sizeof(what), "KVM:%u:%u", metric->cluster, metric->item);
		line_add(parent_of(metric->name), strrchr(metric->name, '.') + 1, what);
	}
	puts("/* SPDX-License-Identifier: GPL-2.0-or-later */\n"
	     "/* Copyright (c) 2026 The pmdakvm authors */\n"
	     "/* Made by \"make tables\" from src/metrics/metrics.def; do not edit. */");
	for (size_t i = 0; i < nnodes; i++)
		printf("\n%s {\n%s}\n", nodes[i].path, nodes[i].lines);
	return 0;
}
