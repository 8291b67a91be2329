// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "pmda/tick.h"

#include <time.h>

#include "pmda/metrics.h"

void kvm_grown(struct kvm_agent *agent)
{
	struct report report = { 0 };
	size_t before = agent->nmetrics;

	agent->outdated = kvm_make_metrics(agent) != 0;
	if (agent->outdated)
		return; /* the next tick tries again */
	if (agent->nmetrics != before)
		pmdaExtSetFlags(agent->pmda, PMDA_EXT_NAMES_CHANGE);
	kvm_save_items(agent, &report);
	kvm_show_report(&report);
}

void kvm_tick(struct kvm_agent *agent)
{
	struct report report = { 0 };
	time_t now = time(NULL);

	if (now == agent->ticked)
		return;
	agent->ticked = now;
	if (collector_tick(agent->collector, &report) || agent->outdated)
		kvm_grown(agent);
	kvm_show_report(&report);
}
