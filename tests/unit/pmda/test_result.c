// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The daemon's result of a fetch, against libpcp_pmda's. */
#include "fakes/fake_agent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pmda/result.h"

static struct kvm_agent *agent_here(void)
{
	return pmdaExtGetData(AGENT.ext);
}

/* Is it one of ours? */
static bool is_ours(const pmResult *result)
{
	return result == agent_here()->result;
}

static void value_write(const pmValueSet *set, const pmValue *value, FILE *file)
{
	const pmValueBlock *block = value->value.pval;

	fprintf(file, " %d=", value->inst);
	if (set->valfmt == PM_VAL_INSITU) {
		fprintf(file, "%d", value->value.lval);
		return;
	}
	fprintf(file, "%d:%d:", (int)block->vtype, (int)block->vlen);
	for (int i = 0; i < (int)block->vlen - PM_VAL_HDR_SIZE; i++)
		fprintf(file, "%02x", (unsigned char)block->vbuf[i]);
}

/* All of a result as text. */
static char *result_text(const pmResult *result)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	assert_non_null(file);
	fprintf(file, "%lld.%lld\n", (long long)result->timestamp.tv_sec,
		(long long)result->timestamp.tv_usec);
	for (int i = 0; i < result->numpmid; i++) {
		const pmValueSet *set = result->vset[i];

		fprintf(file, "%08x %d", set->pmid, set->numval);
		if (set->numval > 0)
			fprintf(file, " %d", set->valfmt);
		for (int j = 0; j < set->numval; j++)
			value_write(set, &set->vlist[j], file);
		fputc('\n', file);
	}
	fclose(file);
	return text;
}

/* All metrics, and one that there is not. */
static pmID *all_pmids(int *ret_n)
{
	const struct kvm_agent *agent = agent_here();
	pmID *pmids = calloc(agent->nmetrics + 1, sizeof(*pmids));

	assert_non_null(pmids);
	for (size_t i = 0; i < agent->nmetrics; i++)
		pmids[i + 1] = agent->metrics[i].m_desc.pmid;
	pmids[0] = agent_pmid(99, 0);
	*ret_n = (int)agent->nmetrics + 1;
	return pmids;
}

/* The text of a fetch of all metrics by the daemon or the DSO. */
static char *fetched_text(bool dso, bool ours)
{
	const pmResult *result;
	pmID *pmids;
	char *text;
	int n;

	agent_here()->dso = dso;
	pmids = all_pmids(&n);
	result = agent_fetch_list(pmids, n);
	assert_non_null(result);
	assert_int_equal(is_ours(result), ours);
	text = result_text(result);
	free(pmids);
	return text;
}

static void test_same(void **state)
{
	char *theirs = fetched_text(true, false), *ours;

	(void)state;
	/* the second is made in the memory of the first */
	for (int i = 0; i < 2; i++) {
		ours = fetched_text(false, true);
		assert_string_equal(ours, theirs);
		free(ours);
	}
	/* numbers of 32 and 64 bits, and text */
	assert_non_null(strstr(theirs, " 1 0 -1="));
	assert_non_null(strstr(theirs, "=3:12:"));
	assert_non_null(strstr(theirs, "=6:"));
	free(theirs);
}

/* A client that wants some instances, or none of a domain. */
static void test_profiles(void **state)
{
	int cpuid[] = { NUMBER_CPUID };
	pmInDomProfile some = { agent_indom(METRIC_INDOM_EXIT), PM_PROFILE_EXCLUDE, 1, cpuid };
	pmProfile one = { PM_PROFILE_INCLUDE, 1, &some }, none = { .state = PM_PROFILE_EXCLUDE };
	const pmValueSet *set;

	(void)state;
	agent_here()->dso = false;
	AGENT.profile(&one, AGENT.ext);
	set = agent_fetch(8, 2);
	assert_int_equal(set->numval, 1);
	assert_int_equal(set->vlist[0].inst, NUMBER_CPUID);
	AGENT.profile(&none, AGENT.ext);
	assert_int_equal(agent_fetch(8, 2)->numval, 0);
}

/* What is to be said to pmcd beside the values is said, once. */
static void test_news(void **state)
{
	pmID pmid = agent_pmid(8, 2);

	(void)state;
	agent_here()->dso = false;
	pmdaExtSetFlags(AGENT.ext, PMDA_EXT_NAMES_CHANGE);
	assert_true(agent_fetch_list(&pmid, 1)->timestamp.tv_sec != 0);
	assert_int_equal(agent_fetch_list(&pmid, 1)->timestamp.tv_sec, 0);
}

static void test_no_memory(void **state)
{
	pmID pmid = agent_pmid(8, 2);
	pmResult *result = NULL;

	(void)state;
	alloc_fail_at(0);
	assert_int_equal(kvm_result_make(agent_here(), 1, &pmid, &result), -ENOMEM);
	assert_true(alloc_failed());
	assert_null(result);
	assert_int_equal(kvm_result_make(agent_here(), 1, &pmid, &result), 0);
	assert_int_equal(result->numpmid, 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		agent_test(test_same),
		agent_test(test_profiles),
		agent_test(test_news),
		agent_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
