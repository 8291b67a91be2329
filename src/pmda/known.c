// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "pmda/known.h"

#include <string.h>

#include "pmda/metrics.h"

static bool is_histogram(const struct item *item)
{
	return item->kind >= STAT_LINEAR_HIST;
}

/* Are the metrics of this subtree histograms? Two subtrees share a name and a cluster. */
static bool has_histograms(const struct metric *subtree)
{
	size_t len = strlen(subtree->table);

	return len > 5 && strcmp(subtree->table + len - 5, "_hist") == 0;
}

static const struct item *item_numbered(enum item_group group, unsigned number)
{
	for (size_t i = 0; i < items_known[group].n; i++) {
		if (items_known[group].list[i].number == number)
			return &items_known[group].list[i];
	}
	return NULL;
}

/* A histogram's values are counts, whatever units it sorts. */
static pmDesc subtree_desc(const struct metric *subtree, int domain, const struct item *item)
{
	bool counter = item->kind == STAT_CUMULATIVE || is_histogram(item);

	if (subtree->semantics != METRIC_BY_COLUMN)
		return kvm_desc(subtree, domain, item->number, subtree->semantics, subtree->units);
	return kvm_desc(subtree, domain, item->number, counter ? METRIC_COUNTER : METRIC_INSTANT,
			is_histogram(item) ? METRIC_COUNT : item->units);
}

int kvm_known_desc(int domain, pmID pmid, pmDesc *ret_desc)
{
	for (size_t i = 0; i < metrics_count; i++) {
		const struct metric *metric = &metrics[i];
		const struct item *item;

		if (metric->cluster != pmID_cluster(pmid))
			continue;
		if (!metric_is_subtree(metric)) {
			if (metric->item != pmID_item(pmid))
				continue;
			*ret_desc = kvm_desc(metric, domain, metric->item, metric->semantics,
					     metric->units);
			return 0;
		}
		item = item_numbered(metric->group, pmID_item(pmid));
		if (item && is_histogram(item) == has_histograms(metric)) {
			*ret_desc = subtree_desc(metric, domain, item);
			return 0;
		}
	}
	return PM_ERR_AGAIN;
}

int kvm_known_pmid(int domain, const char *name, pmID *ret_pmid)
{
	const struct metric *subtree = metrics_subtree_of(name);
	const struct item *item;

	for (size_t i = 0; i < metrics_count; i++) {
		if (!metric_is_subtree(&metrics[i]) && strcmp(metrics[i].name, name) == 0) {
			*ret_pmid = pmID_build((unsigned)domain, metrics[i].cluster,
					       metrics[i].item);
			return 0;
		}
	}
	item = subtree ? items_find(subtree->group, name + strlen(subtree->name) + 1) : NULL;
	if (!item)
		return PM_ERR_AGAIN;
	*ret_pmid = pmID_build((unsigned)domain, subtree->cluster, item->number);
	return 0;
}
