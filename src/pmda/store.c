// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "pmda/store.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "pmda/state.h"
#include "pmda/tick.h"

int kvm_attribute(int context, int attribute, const char *value, int length, pmdaExt *pmda)
{
	struct kvm_agent *agent = kvm_agent_of(pmda);
	struct kvm_client *clients;

	(void)length;
	if (attribute != PMDA_ATTR_USERID)
		return 0;
	kvm_end_context(context);
	clients = reallocarray(agent->clients, agent->nclients + 1, sizeof(*clients));
	if (!clients)
		return -ENOMEM;
	agent->clients = clients;
	clients[agent->nclients++] = (struct kvm_client){ context,
							  (uid_t)strtoul(value, NULL, 10) };
	return 0;
}

void kvm_end_context(int context)
{
	struct kvm_agent *agent = kvm_the_agent;

	for (size_t i = 0; i < agent->nclients; i++) {
		if (agent->clients[i].context == context) {
			agent->clients[i] = agent->clients[--agent->nclients];
			return;
		}
	}
}

/* Only root and PCP's own user may store; a client without a user ID may not. */
static bool may_store(const struct kvm_agent *agent, int context)
{
	const struct passwd *pcp = getpwnam("pcp");

	for (size_t i = 0; i < agent->nclients; i++) {
		if (agent->clients[i].context != context)
			continue;
		return agent->clients[i].uid == 0 || (pcp && agent->clients[i].uid == pcp->pw_uid);
	}
	return false;
}

enum control { CONTROL_NONE, CONTROL_ATTACHED, CONTROL_RESET_MAX };

/* The control that a store to this metric changes. */
static enum control control_of(const struct metric_ref *ref)
{
	if (strcmp(ref->metric->name, "kvm.control.attached") == 0)
		return CONTROL_ATTACHED;
	return strcmp(ref->metric->name, "kvm.control.reset_max") == 0 ? CONTROL_RESET_MAX :
									 CONTROL_NONE;
}

/* The family that is this instance, as its index in families[], or -1. */
static int family_of(const struct kvm_agent *agent, const struct metric_ref *ref, int inst)
{
	/* the table has a row for every family, in the order of families[] */
	return snapshot_table_row(collector_snapshot(agent->collector)->tables[ref->table],
				  (uint32_t)inst);
}

/* The value stored to one instance: 0, 1, or a PCP error. */
static int value_of(const struct kvm_agent *agent, const pmValueSet *set, int i)
{
	const struct metric_ref *ref = kvm_ref_find(agent, set->pmid);
	pmAtomValue atom;
	int err;

	if (control_of(ref) == CONTROL_ATTACHED && family_of(agent, ref, set->vlist[i].inst) < 0)
		return PM_ERR_INST;
	err = pmExtractValue(set->valfmt, &set->vlist[i], PM_TYPE_U32, &atom, PM_TYPE_U32);
	if (err < 0)
		return err;
	return atom.ul <= 1 ? (int)atom.ul : PM_ERR_BADSTORE;
}

static int check(const struct kvm_agent *agent, const pmResult *result, int context)
{
	for (int i = 0; i < result->numpmid; i++) {
		const pmValueSet *set = result->vset[i];
		const struct metric_ref *ref = kvm_ref_find(agent, set->pmid);

		if (!ref)
			return PM_ERR_PMID;
		if (control_of(ref) == CONTROL_NONE)
			return PM_ERR_PERMISSION;
		if (!may_store(agent, context))
			return PM_ERR_PERMISSION;
		for (int j = 0; j < set->numval; j++) {
			int value = value_of(agent, set, j);

			if (value < 0)
				return value;
		}
	}
	return 0;
}

static int reset_max(struct kvm_agent *agent, struct report *report)
{
	report_add(report, REPORT_INFO, "maximum times reset by a store to kvm.control.reset_max");
	return collector_reset_max(agent->collector);
}

static int attach(struct kvm_agent *agent, size_t family, bool attached, struct report *report)
{
	report_add(report, REPORT_INFO, "%s: %s by a store to kvm.control.attached",
		   families[family].name, attached ? "attach requested" : "detached");
	return collector_switch(agent->collector, family, attached, report);
}

/* Checks the whole request first: a bad value or a missing permission changes nothing. */
int kvm_store(pmResult *result, pmdaExt *pmda)
{
	struct kvm_agent *agent = kvm_agent_of(pmda);
	struct report report = { 0 };
	int err;

	err = check(agent, result, pmdaGetContext());
	for (int i = 0; !err && i < result->numpmid; i++) {
		const pmValueSet *set = result->vset[i];
		const struct metric_ref *ref = kvm_ref_find(agent, set->pmid);

		for (int j = 0; !err && j < set->numval; j++) {
			int value = value_of(agent, set, j), inst = set->vlist[j].inst;

			if (control_of(ref) == CONTROL_ATTACHED)
				err = attach(agent, (size_t)family_of(agent, ref, inst), value,
					     &report);
			else if (value)
				err = reset_max(agent, &report);
		}
	}
	kvm_show_report(&report);
	kvm_grown(agent);
	return err;
}
