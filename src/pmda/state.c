// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "pmda/state.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

struct kvm_agent *kvm_the_agent;

struct kvm_agent *kvm_agent_of(pmdaExt *pmda)
{
	return pmdaExtGetData(pmda);
}

static int key_compare(const void *key, const void *element)
{
	unsigned wanted = *(const unsigned *)key;
	const struct metric_ref *const *ref = element;

	return (wanted > (*ref)->key) - (wanted < (*ref)->key);
}

const struct metric_ref *kvm_ref_find(const struct kvm_agent *agent, pmID pmid)
{
	unsigned key = kvm_metric_key(pmID_cluster(pmid), pmID_item(pmid));
	const struct metric_ref **found;

	found = bsearch(&key, agent->index, agent->nmetrics, sizeof(*agent->index), key_compare);
	return found ? *found : NULL;
}

enum metric_indom kvm_indom_find(pmInDom indom)
{
	for (int i = 0; i < METRIC_INDOMS; i++) {
		if (metric_indoms[i].serial == pmInDom_serial(indom))
			return (enum metric_indom)i;
	}
	return METRIC_INDOM_NULL;
}

const char *kvm_ref_item(const struct metric_ref *ref)
{
	return metric_is_subtree(ref->metric) ? ref->name + strlen(ref->metric->name) + 1 : NULL;
}

/* The most lines logged in a minute; the errors of a whole bad kvm.conf must fit. */
#define LINES_A_MINUTE 512

/* Count a line against the limit; returns false beyond it. Logs once a minute how many were cut. */
static bool log_has_room(void)
{
	static time_t since;
	static unsigned lines;
	time_t now = time(NULL);

	if (now - since >= 60) {
		if (lines > LINES_A_MINUTE)
			pmNotifyErr(LOG_WARNING,
				    "%u log lines suppressed: more than %d in a minute",
				    lines - LINES_A_MINUTE, LINES_A_MINUTE);
		since = now;
		lines = 0;
	}
	return lines++ < LINES_A_MINUTE;
}

/* Debug lines are logged with -D appl0 only. */
void kvm_show_report(struct report *report)
{
	for (size_t i = 0; i < report->n; i++) {
		if ((report->lines[i].level > REPORT_DEBUG || pmDebugOptions.appl0) &&
		    log_has_room())
			pmNotifyErr(report->lines[i].level == REPORT_WARNING ? LOG_WARNING :
									       LOG_INFO,
				    "%s", report->lines[i].text);
	}
	report_clear(report);
}

void kvm_save_items(struct kvm_agent *agent, struct report *report)
{
	int err = items_save(&agent->items);

	if (err)
		report_add(report, REPORT_WARNING,
			   "cannot write %s (%s): new item numbers may change after a restart",
			   agent->items.path, strerror(-err));
}
