// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The stat family's tables of histograms, for a register of synthetic VMs. */
#include "fakes/fake_stat_tables.h"

#include <errno.h>
#include <string.h>

static void test_buckets(void **state)
{
	(void)state;
	pass(&a, &a0, &a1, &b);
	tables_refresh();
	assert_rows("vm_stat_hist", "");
	assert_rows("vcpu_stat_hist", "");
	assert_cell("stat_hist", "0", "wait_hist", 0);
	a1.values[VCPU_HIST + 3] = 5;
	b.values[VM_HIST + 1] = 7;
	pass(&a, &a0, &a1, &b);
	stat_totals_sum(&family.totals, vms);
	assert_int_equal(stat_buckets_count(&family), 3);
	tables_refresh();
	assert_rows("vm_stat_hist", "vmm-7::4+ vmm-8::1");
	assert_rows("vcpu_stat_hist", "vmm-7::vcpu1::4+");
	assert_cell("vm_stat_hist", "vmm-7::4+", "wait_hist", 5);
	assert_absent("vm_stat_hist", "vmm-7::4+", "page_hist"); /* which has no such bucket */
	assert_cell("vm_stat_hist", "vmm-8::1", "page_hist", 7);
	assert_cell("vm_stat_hist", "vmm-8::1", "wait_hist", 0);
	assert_cell("vcpu_stat_hist", "vmm-7::vcpu1::4+", "wait_hist", 5);
	assert_cell("stat_hist", "4+", "wait_hist", 5);
	assert_cell("stat_hist", "1", "page_hist", 7);
	assert_cell("stat_hist", "1", "wait_hist", 0);
	assert_absent("stat_hist", "8+", "wait_hist");
	a.values[VM_HIST + 4] = 11;
	a1.values[VCPU_HIST + 3] = 6;
	pass(&a, &a0, &a1, &b);
	tables_refresh();
	assert_rows("vm_stat_hist", "vmm-7::4+ vmm-7::8+ vmm-8::1");
	assert_cell("vm_stat_hist", "vmm-7::8+", "page_hist", 11);
	assert_cell("vm_stat_hist", "vmm-7::4+", "wait_hist", 6);
	pass(&a, &a0, &b);
	tables_refresh();
	assert_rows("vcpu_stat_hist", "");
	assert_cell("vm_stat_hist", "vmm-7::4+", "wait_hist", 6);
	pass(&b);
	tables_refresh();
	assert_rows("vm_stat_hist", "vmm-8::1");
	assert_cell("stat_hist", "4+", "wait_hist", 6);
	pass(&b);
	pass(&a, &a0, &a1, &b); /* another VM has other buckets */
	tables_refresh();
	assert_rows("vm_stat_hist", "vmm-7.2::4+ vmm-7.2::8+ vmm-8::1");
}

static void test_buckets_after_a_miss(void **state)
{
	(void)state;
	a1.values[VCPU_HIST] = 5;
	pass(&a, &a1);
	tables_refresh();
	assert_rows("vcpu_stat_hist", "vmm-7::vcpu1::0");
	pass(&a);
	tables_refresh();
	assert_rows("vcpu_stat_hist", "");
	pass(&a, &a1);
	tables_refresh();
	assert_rows("vcpu_stat_hist", "vmm-7::vcpu1::0");
	assert_cell("vcpu_stat_hist", "vmm-7::vcpu1::0", "wait_hist", 5);
}

static void test_buckets_without_memory(void **state)
{
	struct stat_buckets made;
	unsigned n;

	(void)state;
	for (n = 0;; n++) {
		int err;

		untouched_fill(&made, sizeof(made));
		alloc_fail_at(n);
		err = stat_buckets_init(&layout, &made);
		if (!alloc_failed())
			break;
		assert_int_equal(err, -ENOMEM);
		assert_untouched(&made, sizeof(made));
	}
	assert_int_equal(n, 3);
	assert_int_equal(made.n, FAKE_BUCKETS);
	stat_buckets_free(&made);
	stat_buckets_free(&made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		stat_tables_test(test_buckets),
		stat_tables_test(test_buckets_after_a_miss),
		stat_tables_test(test_buckets_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
