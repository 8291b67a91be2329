// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Stores to kvm.control.*: who may, what is accepted, and what they do. */
#include "fakes/fake_agent.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "pmda/store.h"

/* libpcp_pmda has it for pmdaMain() and pmcd. */
extern void __pmdaSetContext(int context);

enum { ROOT = 7, NOBODY, STRANGER, PCP };

/* kvm.control.attached, kvm.control.reset_max */
enum { ATTACHED, RESET_MAX };

static void user_is(int context, const char *uid)
{
	assert_int_equal(AGENT.attribute(context, PMDA_ATTR_USERID, uid, (int)strlen(uid) + 1,
					 AGENT.ext),
			 0);
}

static int setup(void **state)
{
	if (agent_setup(state))
		return -1;
	user_is(ROOT, "0");
	user_is(NOBODY, "65534");
	__pmdaSetContext(ROOT);
	return 0;
}

#define store_test(test) cmocka_unit_test_setup_teardown(test, setup, agent_teardown)

/* One value to be stored; of kvm.control.attached to a family, by its place in families[]. */
struct one {
	unsigned cluster, item;
	int inst, value;
};

/* Families' instances have numbers by name, or fixed ones: whatever the instance domain says. */
static int inst_of(const struct one *one)
{
	pmInResult *result;
	int inst = one->inst;

	if (one->cluster != 3 || one->item != ATTACHED || inst < 0 || inst >= FAKES)
		return inst;
	assert_true(AGENT.instance(agent_indom(METRIC_INDOM_FAMILY), PM_IN_NULL,
				   (char *)families[inst].name, &result, AGENT.ext) >= 0);
	inst = result->instlist[0];
	free(result->instlist);
	free(result);
	return inst;
}

static int store(const struct one *list, int n)
{
	pmValueSet sets[4];
	pmResult *result = calloc(1, sizeof(*result) + 4 * sizeof(pmValueSet *));
	int err;

	assert_true(n <= 4);
	assert_non_null(result);
	result->numpmid = n;
	for (int i = 0; i < n; i++) {
		sets[i] = (pmValueSet){ .pmid = agent_pmid(list[i].cluster, list[i].item),
					.numval = 1,
					.valfmt = PM_VAL_INSITU };
		sets[i].vlist[0].inst = inst_of(&list[i]);
		sets[i].vlist[0].value.lval = list[i].value;
		result->vset[i] = &sets[i];
	}
	err = AGENT.store(result, AGENT.ext);
	free(result);
	return err;
}

#define store_one(item, inst, value) store(&(struct one){ 3, item, inst, value }, 1)

static unsigned resets;

static int reset_max(void *fake)
{
	assert_ptr_equal(fake, &fakes[ALPHA]);
	resets++;
	return 0;
}

static void count_resets(void)
{
	resets = 0;
	((struct family_ops *)families[ALPHA].ops)->reset_max = reset_max;
}

/* --- who --- */

static void assert_may(int context, bool may)
{
	unsigned before;

	count_resets();
	before = resets;
	__pmdaSetContext(context);
	assert_int_equal(store_one(RESET_MAX, PM_IN_NULL, 1), may ? 0 : PM_ERR_PERMISSION);
	assert_int_equal(resets, before + may);
}

static void test_who(void **state)
{
	const struct passwd *pcp = getpwnam("pcp");
	char uid[16];

	(void)state;
	assert_may(ROOT, true);
	assert_may(NOBODY, false);
	assert_may(STRANGER, false); /* not on a Unix socket: no user is known */
	if (pcp) {
		snprintf(uid, sizeof(uid), "%u", pcp->pw_uid);
		user_is(PCP, uid);
		assert_may(PCP, true);
	}
	/* pmcd uses the number of a context that has ended again */
	AGENT.ext->e_endCallBack(ROOT);
	assert_may(ROOT, false);
	user_is(ROOT, "65534");
	assert_may(ROOT, false);
	user_is(ROOT, "0");
	assert_may(ROOT, true);
	assert_int_equal(AGENT.attribute(STRANGER, PMDA_ATTR_GROUPID, "0", 2, AGENT.ext), 0);
	assert_may(STRANGER, false);
}

static void test_no_memory_for_a_user(void **state)
{
	(void)state;
	alloc_fail_at(0);
	assert_int_equal(AGENT.attribute(STRANGER, PMDA_ATTR_USERID, "0", 2, AGENT.ext), -ENOMEM);
	assert_true(alloc_failed());
	assert_may(STRANGER, false);
	assert_may(ROOT, true);
}

/* --- what --- */

static void test_attached(void **state)
{
	(void)state;
	assert_int_equal(store_one(ATTACHED, BETA, 0), 0);
	assert_int_equal(fakes[BETA].detaches, 1);
	assert_int_equal(fakes[ALPHA].detaches, 0);
	assert_int_equal(store_one(ATTACHED, BETA, 1), 0);
	assert_int_equal(fakes[BETA].attaches, 2);
	assert_int_equal(fakes[ALPHA].attaches, 1);
	fakes[BETA].attach_err = -EPERM;
	assert_int_equal(store_one(ATTACHED, BETA, 0), 0);
	assert_int_equal(store_one(ATTACHED, BETA, 1), -EPERM);
}

/* A store of 0 resets nothing. */
static void test_reset_max(void **state)
{
	(void)state;
	count_resets();
	assert_int_equal(store_one(RESET_MAX, PM_IN_NULL, 0), 0);
	assert_int_equal(resets, 0);
	assert_int_equal(store_one(RESET_MAX, PM_IN_NULL, 1), 0);
	assert_int_equal(resets, 1);
}

static void test_bad_stores(void **state)
{
	static const struct {
		struct one one;
		int err;
	} cases[] = {
		{ { 3, ATTACHED, ALPHA, 2 }, PM_ERR_BADSTORE },
		{ { 3, ATTACHED, ALPHA, -1 }, PM_ERR_BADSTORE },
		{ { 3, RESET_MAX, PM_IN_NULL, 2 }, PM_ERR_BADSTORE },
		{ { 3, ATTACHED, FAKES, 0 }, PM_ERR_INST },
		{ { 3, ATTACHED, PM_IN_NULL, 0 }, PM_ERR_INST },
		{ { 3, 2, PM_IN_NULL, 0 }, PM_ERR_PMID },
		{ { 99, 0, PM_IN_NULL, 0 }, PM_ERR_PMID },
		{ { 8, 0, PM_IN_NULL, 0 }, PM_ERR_PERMISSION },
		{ { 2, 1, ALPHA, 0 }, PM_ERR_PERMISSION },
	};

	(void)state;
	count_resets();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		/* a request is carried out as a whole or not at all */
		struct one both[] = { { 3, RESET_MAX, PM_IN_NULL, 1 }, cases[i].one };

		assert_int_equal(store(&cases[i].one, 1), cases[i].err);
		assert_int_equal(store(both, 2), cases[i].err);
	}
	assert_int_equal(resets, 0);
	for (int i = 0; i < FAKES; i++) {
		assert_int_equal(fakes[i].detaches, 0);
		assert_int_equal(fakes[i].attaches, 1);
	}
}

static void test_several(void **state)
{
	const struct one list[] = { { 3, RESET_MAX, PM_IN_NULL, 1 },
				    { 3, ATTACHED, GAMMA, 0 },
				    { 3, ATTACHED, DELTA, 0 } };

	(void)state;
	count_resets();
	assert_int_equal(store(list, 3), 0);
	assert_int_equal(resets, 1);
	assert_int_equal(fakes[GAMMA].detaches, 1);
	assert_int_equal(fakes[DELTA].detaches, 1);
	assert_int_equal(fakes[ALPHA].detaches, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		store_test(test_who),	     store_test(test_no_memory_for_a_user),
		store_test(test_attached),   store_test(test_reset_max),
		store_test(test_bad_stores), store_test(test_several),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
