// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The callbacks for labels of instance domains, metrics and instances. */
#include "fakes/fake_agent.h"

#include <string.h>

/* The labels of one thing, at this level; "": none. */
static void assert_labels(int ident, int type, const char *json)
{
	pmLabelSet *sets = NULL;
	int n = AGENT.label(ident, type, &sets, AGENT.ext);

	assert_int_equal(n, *json ? 1 : 0);
	if (n) {
		assert_true(sets[0].nlabels > 0);
		assert_string_equal(sets[0].json, json);
		for (int i = 0; i < sets[0].nlabels; i++)
			assert_true(sets[0].labels[i].flags & type);
	}
	pmFreeLabelSets(sets, n);
}

static void test_instance_domains(void **state)
{
	pmLabelSet *sets;

	(void)state;
	for (int i = 0; i < METRIC_INDOMS; i++)
		assert_labels((int)agent_indom((enum metric_indom)i), PM_LABEL_INDOM,
			      metric_indoms[i].labels);
	assert_int_equal(AGENT.label((int)pmInDom_build(95, 200), PM_LABEL_INDOM, &sets, AGENT.ext),
			 PM_ERR_INDOM);
}

static void test_metrics(void **state)
{
	unsigned event = items_find(ITEMS_TRACE, "kvm_exit")->number;

	(void)state;
	assert_labels((int)agent_pmid(1, event), PM_LABEL_ITEM, "{\"event\":\"kvm_exit\"}");
	assert_labels((int)agent_pmid(8, 0), PM_LABEL_ITEM, "");
	assert_labels((int)agent_pmid(99, 0), PM_LABEL_ITEM, "");
}

static void assert_instance(enum metric_indom indom, unsigned inst, const char *json)
{
	pmLabelSet *set = NULL;
	int n = AGENT.ext->e_labelCallBack(agent_indom(indom), inst, &set);

	assert_int_equal(n, *json ? 1 : 0);
	if (n)
		assert_string_equal(set->json, json);
	pmFreeLabelSets(set, n);
}

static void test_instances(void **state)
{
	(void)state;
	assert_instance(METRIC_INDOM_EXIT, NUMBER_CPUID, "{\"reason\":\"cpuid\"}");
	assert_instance(METRIC_INDOM_EXIT, NUMBER_HLT, "{\"reason\":\"hlt\"}");
	assert_instance(METRIC_INDOM_EXIT, 1, "");
	assert_instance(METRIC_INDOM_USERSPACE_EXIT, 1, ""); /* this host has no such table */
}

/* A request for the labels of all instances brings them up to date first. */
static void test_instances_follow(void **state)
{
	pmLabelSet *sets = NULL;
	unsigned before;
	int n;

	(void)state;
	agent_fetch(8, 0); /* ticks */
	fake_hooks(ALPHA);
	before = fakes[ALPHA].refreshes;
	n = AGENT.label((int)agent_indom(METRIC_INDOM_EXIT), PM_LABEL_INSTANCES, &sets, AGENT.ext);
	assert_int_equal(n, 2);
	assert_int_equal(fakes[ALPHA].refreshes, before + 1);
	pmFreeLabelSets(sets, n);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		agent_test(test_instance_domains),
		agent_test(test_metrics),
		agent_test(test_instances),
		agent_test(test_instances_follow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
