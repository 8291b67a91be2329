// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The callbacks for values, instances and names of subtrees. */
#include "fakes/fake_agent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "metrics/item_numbers.h"
#include "metrics/past_names.h"

static uint64_t number_at(const pmValueSet *set, int i)
{
	pmAtomValue atom;

	assert_true(i < set->numval);
	assert_true(pmExtractValue(set->valfmt, &set->vlist[i], PM_TYPE_U64, &atom, PM_TYPE_U64) >=
		    0);
	return atom.ull;
}

/* The metric has these instances and values, in this order. */
static void assert_values(unsigned cluster, unsigned item, const uint64_t (*wants)[2], int n)
{
	const pmValueSet *set = agent_fetch(cluster, item);

	assert_non_null(set);
	assert_int_equal(set->numval, n);
	for (int i = 0; i < n; i++) {
		assert_int_equal((unsigned)set->vlist[i].inst, wants[i][0]);
		assert_int_equal(number_at(set, i), wants[i][1]);
	}
}

static unsigned event_item(const char *name)
{
	return items_find(ITEMS_TRACE, name)->number;
}

static void test_values(void **state)
{
	static const uint64_t total[][2] = { { (unsigned)PM_IN_NULL, 1 } };
	static const uint64_t count[][2] = { { NUMBER_CPUID, 1 }, { NUMBER_HLT, 101 } };
	static const uint64_t nsec[][2] = { { NUMBER_CPUID, 2 }, { NUMBER_HLT, 102 } };
	static const uint64_t event[][2] = { { 0, 2 }, { 1, 102 } };

	(void)state;
	assert_values(8, 0, total, 1);
	assert_values(8, 2, count, 2);
	assert_values(8, 3, nsec, 2);
	assert_values(1, event_item("kvm_exit"), event, 2);
}

/* What is not known has no value, not 0 and no error. */
static void test_no_values(void **state)
{
	(void)state;
	assert_values(8, 1, NULL, 0);  /* an absent cell */
	assert_values(8, 4, NULL, 0);  /* absent cells of two instances */
	assert_values(11, 0, NULL, 0); /* this host has no such table */
}

static void test_unknown_metrics(void **state)
{
	static const unsigned pmids[][2] = { { 8, 99 }, { 99, 0 }, { 1, 1023 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pmids); i++) {
		const pmValueSet *set = agent_fetch(pmids[i][0], pmids[i][1]);

		assert_non_null(set);
		assert_int_equal(set->numval, PM_ERR_PMID);
	}
}

static void test_types(void **state)
{
	const pmValueSet *set = agent_fetch(2, 0);
	pmAtomValue atom;

	(void)state;
	assert_int_equal(set->numval, 1);
	assert_true(pmExtractValue(set->valfmt, &set->vlist[0], PM_TYPE_STRING, &atom,
				   PM_TYPE_STRING) >= 0);
	assert_string_equal(atom.cp, PMDAKVM_VERSION);
	free(atom.cp);
	set = agent_fetch(3, 0);
	assert_int_equal(set->numval, FAKES);
	assert_true(pmExtractValue(set->valfmt, &set->vlist[0], PM_TYPE_U32, &atom, PM_TYPE_U32) >=
		    0);
	assert_int_equal(atom.ul, 1);
}

/* A fetch refreshes a family once, and reads the tables that were asked for, each once. */
static void test_what_is_read(void **state)
{
	pmID pmids[] = { agent_pmid(8, 2), agent_pmid(8, 3), agent_pmid(8, 0) };

	(void)state;
	agent_fetch(8, 0); /* ticks */
	fake_hooks(ALPHA);
	fakes[ALPHA].reads[0] = 0;
	agent_fetch(8, 0);
	assert_int_equal(fakes[ALPHA].reads[0], 1);
	assert_int_equal(fakes[ALPHA].refreshes, 1);
	assert_non_null(agent_fetch_list(pmids, 3));
	assert_int_equal(fakes[ALPHA].reads[0], 1 + 2 + 1);
	assert_int_equal(fakes[ALPHA].refreshes, 2);
	agent_fetch(2, 0);
	assert_int_equal(fakes[ALPHA].reads[0], 4);
	assert_int_equal(fakes[ALPHA].refreshes, 2);
}

static void test_no_memory(void **state)
{
	(void)state;
	fakes[ALPHA].read_err = -ENOMEM;
	assert_null(agent_fetch(8, 0));
	fakes[ALPHA].read_err = 0;
	assert_non_null(agent_fetch(8, 0));
}

/* A DSO has no loop: a fetch ticks, once a second. */
static void test_a_fetch_ticks(void **state)
{
	unsigned updates = machine.updates;

	(void)state;
	agent_later(1);
	agent_fetch(8, 0);
	agent_fetch(8, 0);
	assert_int_equal(machine.updates, updates + 1);
	agent_later(1);
	agent_fetch(8, 0);
	assert_int_equal(machine.updates, updates + 2);
}

/* --- instances --- */

static void in_result_free(pmInResult *result)
{
	for (int i = 0; result->namelist && i < result->numinst; i++)
		free(result->namelist[i]);
	free(result->namelist);
	free(result->instlist);
	free(result);
}

static void test_instances(void **state)
{
	pmInResult *result;

	(void)state;
	agent_fetch(8, 0); /* ticks */
	fakes[ALPHA].reads[0] = 0;
	assert_true(AGENT.instance(agent_indom(METRIC_INDOM_EXIT), PM_IN_NULL, NULL, &result,
				   AGENT.ext) >= 0);
	assert_int_equal(result->numinst, 2);
	assert_int_equal(fakes[ALPHA].reads[0], 0); /* no value is read for a name */
	assert_int_equal(result->instlist[0], NUMBER_CPUID);
	assert_string_equal(result->namelist[0], "cpuid");
	assert_int_equal(result->instlist[1], NUMBER_HLT);
	assert_string_equal(result->namelist[1], "hlt");
	in_result_free(result);
	assert_true(AGENT.instance(agent_indom(METRIC_INDOM_EXIT), PM_IN_NULL, (char *)"hlt",
				   &result, AGENT.ext) >= 0);
	assert_int_equal(result->instlist[0], NUMBER_HLT);
	in_result_free(result);
	/* this host has no such table */
	assert_true(AGENT.instance(agent_indom(METRIC_INDOM_USERSPACE_EXIT), PM_IN_NULL, NULL,
				   &result, AGENT.ext) >= 0);
	assert_int_equal(result->numinst, 0);
	in_result_free(result);
	assert_int_equal(AGENT.instance(pmInDom_build(95, 200), PM_IN_NULL, NULL, &result,
					AGENT.ext),
			 PM_ERR_INDOM);
	assert_int_equal(AGENT.instance(agent_indom(METRIC_INDOM_EXIT), PM_IN_NULL, (char *)"none",
					&result, AGENT.ext),
			 PM_ERR_INST);
}

/* The instances of exits, as "NAME:NUMBER " each. */
static void assert_listed(const char *expected)
{
	pmInResult *result;
	char found[256] = "";

	assert_true(AGENT.instance(agent_indom(METRIC_INDOM_EXIT), PM_IN_NULL, NULL, &result,
				   AGENT.ext) >= 0);
	for (int i = 0; i < result->numinst; i++)
		sprintf(found + strlen(found), "%s:%d ", result->namelist[i], result->instlist[i]);
	in_result_free(result);
	assert_string_equal(found, expected);
}

/* Whoever got a value just before its VM ended gets its name, from the list, or by its number. */
static void test_instances_that_are_gone(void **state)
{
	struct kvm_agent *agent = pmdaExtGetData(AGENT.ext);
	size_t number = agent->indom_tables[METRIC_INDOM_EXIT];
	struct snapshot_table *table = collector_snapshot(agent->collector)->tables[number];
	pmInResult *result;

	(void)state;
	assert_non_null(table->past);
	/* rows that are no instances have no need of it */
	assert_null(snapshot_find_table(collector_snapshot(agent->collector), "exit_total")->past);
	past_names_add(table->past, table, 4711, strdup("vm-1::x"));
	past_names_add(table->past, table, NUMBER_HLT, strdup("other")); /* one that is there */
	past_names_add(table->past, table, 4711, strdup("vm-1::x"));
	past_names_add(table->past, &number, 4712, strdup("of another table"));
	assert_listed("cpuid:371 hlt:377 vm-1::x:4711 ");
	assert_int_equal(
		AGENT.instance(agent_indom(METRIC_INDOM_EXIT), 4711, NULL, &result, AGENT.ext), 0);
	assert_int_equal(result->numinst, 1);
	assert_string_equal(result->namelist[0], "vm-1::x");
	assert_null(result->instlist);
	in_result_free(result);
	assert_true(AGENT.instance(agent_indom(METRIC_INDOM_EXIT), NUMBER_HLT, NULL, &result,
				   AGENT.ext) >= 0);
	assert_string_equal(result->namelist[0], "hlt");
	in_result_free(result);
	assert_int_equal(AGENT.instance(agent_indom(METRIC_INDOM_EXIT), 4712, NULL, &result,
					AGENT.ext),
			 PM_ERR_INST);
	/* by its name it is not there: it will have no value */
	assert_int_equal(AGENT.instance(agent_indom(METRIC_INDOM_EXIT), PM_IN_NULL,
					(char *)"vm-1::x", &result, AGENT.ext),
			 PM_ERR_INST);
}

/* --- names of subtrees --- */

static void test_names(void **state)
{
	pmID pmid, want = agent_pmid(1, event_item("kvm_exit"));
	char **names;

	(void)state;
	assert_int_equal(AGENT.pmid("kvm.trace.kvm_exit", &pmid, AGENT.ext), 0);
	assert_int_equal(pmid, want);
	assert_int_equal(AGENT.pmid("kvm.trace.kvm_nonsense", &pmid, AGENT.ext), PM_ERR_NAME);
	assert_int_equal(AGENT.name(want, &names, AGENT.ext), 1);
	assert_string_equal(names[0], "kvm.trace.kvm_exit");
	free(names);
	assert_int_equal(AGENT.name(agent_pmid(1, 1023), &names, AGENT.ext), PM_ERR_PMID);
}

static void test_children(void **state)
{
	char **kids;
	int *status;

	(void)state;
	assert_int_equal(AGENT.children("kvm.trace", 0, &kids, &status, AGENT.ext), 3);
	assert_string_equal(kids[0], "count"); /* in a subtree's name space, though a metric */
	assert_string_equal(kids[1], "kvm_entry");
	assert_string_equal(kids[2], "kvm_exit");
	for (int i = 0; i < 3; i++)
		assert_int_equal(status[i], PMNS_LEAF_STATUS);
	free(kids);
	free(status);
	/* a subtree that has no metric here exists all the same */
	assert_int_equal(AGENT.children("kvm.vcpu.stat", 0, &kids, &status, AGENT.ext), 0);
	assert_null(kids);
	assert_null(status);
	assert_int_equal(AGENT.children("kvm.nonsense", 0, &kids, &status, AGENT.ext), PM_ERR_NAME);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		agent_test(test_values),
		agent_test(test_no_values),
		agent_test(test_unknown_metrics),
		agent_test(test_types),
		agent_test(test_what_is_read),
		agent_test(test_no_memory),
		agent_test(test_a_fetch_ticks),
		agent_test(test_instances),
		agent_test(test_instances_that_are_gone),
		agent_test(test_names),
		agent_test(test_children),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
