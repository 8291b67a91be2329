// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Tests what is answered from the tables alone, before anything is loaded. */
#include "fakes/support.h"

#include "metrics/item_numbers.h"
#include "pmda/known.h"
#include "pmda/metrics.h"

#define DOMAIN 95

static pmID pmid_of(const char *name)
{
	pmID pmid = PM_ID_NULL;

	assert_int_equal(kvm_known_pmid(DOMAIN, name, &pmid), 0);
	return pmid;
}

static void assert_desc(pmID pmid, enum metric_indom indom, int sem, pmUnits units)
{
	pmDesc desc;

	assert_int_equal(kvm_known_desc(DOMAIN, pmid, &desc), 0);
	assert_int_equal(desc.pmid, pmid);
	assert_int_equal(desc.type, PM_TYPE_U64);
	assert_int_equal(desc.indom, indom == METRIC_INDOM_NULL ?
					     PM_INDOM_NULL :
					     pmInDom_build(DOMAIN, metric_indoms[indom].serial));
	assert_int_equal(desc.sem, sem);
	assert_memory_equal(&desc.units, &units, sizeof(units));
}

static const pmUnits count = PMDA_PMUNITS(0, 0, 1, 0, 0, PM_COUNT_ONE);
static const pmUnits ns = PMDA_PMUNITS(0, 1, 0, 0, PM_TIME_NSEC, 0);

/* Each metric that has a PMID of its own, as it is after loading. */
static void test_metrics(void **state)
{
	(void)state;
	for (size_t i = 0; i < metrics_count; i++) {
		const struct metric *metric = &metrics[i];
		pmDesc desc, wanted;

		if (metric_is_subtree(metric))
			continue;
		wanted = kvm_desc(metric, DOMAIN, metric->item, metric->semantics, metric->units);
		assert_int_equal(kvm_known_desc(DOMAIN, wanted.pmid, &desc), 0);
		assert_memory_equal(&desc, &wanted, sizeof(desc));
		assert_int_equal(pmid_of(metric->name), wanted.pmid);
	}
}

static void test_subtrees(void **state)
{
	(void)state;
	assert_int_equal(pmID_cluster(pmid_of("kvm.vm.stat.halt_wait_ns")), 6);
	assert_desc(pmid_of("kvm.stat.halt_wait_ns"), METRIC_INDOM_NULL, PM_SEM_COUNTER, ns);
	assert_desc(pmid_of("kvm.vm.stat.halt_wait_ns"), METRIC_INDOM_VM, PM_SEM_COUNTER, ns);
	assert_desc(pmid_of("kvm.vm.stat.halt_wait_hist"), METRIC_INDOM_VM_BUCKET, PM_SEM_COUNTER,
		    count);
	assert_desc(pmid_of("kvm.vcpu.stat.exits"), METRIC_INDOM_VCPU, PM_SEM_COUNTER, count);
	assert_desc(pmid_of("kvm.vcpu.stat.guest_mode"), METRIC_INDOM_VCPU, PM_SEM_INSTANT, count);
	assert_desc(pmid_of("kvm.trace.kvm_exit"), METRIC_INDOM_CPU, PM_SEM_COUNTER, count);
}

/* What has a number of this host's own, or none. */
static void test_unknown(void **state)
{
	static const unsigned pmids[][2] = {
		{ 8, 99 }, { 99, 0 }, { 1, ITEMS_FREE_FIRST }, { 6, 1023 }
	};
	static const char *const names[] = { "kvm.vm.stat.made_up", "kvm.trace.kvm_made_up",
					     "kvm.trace", "kvm.nothing" };
	pmDesc desc;
	pmID pmid;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pmids); i++)
		assert_int_equal(
			kvm_known_desc(DOMAIN, pmID_build(DOMAIN, pmids[i][0], pmids[i][1]), &desc),
			PM_ERR_AGAIN);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_int_equal(kvm_known_pmid(DOMAIN, names[i], &pmid), PM_ERR_AGAIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_metrics),
		cmocka_unit_test(test_subtrees),
		cmocka_unit_test(test_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
