// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The stat family's tables, for a register of synthetic VMs. */
#include "fakes/fake_stat_tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void test_columns(void **state)
{
	(void)state;
	tables_sync();
	assert_columns("stock", "remote_tlb_flush:counter:count exits:counter:count "
				"guest_mode:instant:");
	assert_columns("stat", "count:counter:count both:counter:count gauge:instant:byte "
			       "peak:instant:count busy:counter:ns deep:instant:count");
	assert_columns("stat_hist", "page_hist:counter:count wait_hist:counter:count");
	assert_columns("vm_stat", "remote_tlb_flush:counter:count count:counter:count "
				  "both:counter:count gauge:instant:byte peak:instant:count "
				  "exits:counter:count guest_mode:instant: busy:counter:ns "
				  "deep:instant:count");
	assert_columns("vm_stat_hist", "page_hist:counter:count wait_hist:counter:count");
	assert_columns("vcpu_stat", "exits:counter:count guest_mode:instant: busy:counter:ns "
				    "both:counter:count deep:instant:count");
	assert_columns("vcpu_stat_hist", "wait_hist:counter:count");
	assert_rows("stock", "");
	assert_int_equal(table_of("stock")->nrows, 1);
	assert_int_equal(table_of("vm_stat")->nrows, 0);
	assert_rows("stat_hist", "0 1 2-3 4-7 4+ 8+");
}

/* A name in both lists is one column, the sum of both. */
static void test_values(void **state)
{
	(void)state;
	pass(&a, &a0, &a1, &b);
	tables_refresh();
	for (int i = 0; i < 2; i++) {
		assert_cell("vm_stat", "vmm-7", "remote_tlb_flush", 10);
		assert_cell("vm_stat", "vmm-7", "both", 12 + 103 + 1003);
		assert_cell("vm_stat", "vmm-7", "gauge", 13);
		assert_cell("vm_stat", "vmm-7", "exits", 1100);
		assert_cell("vm_stat", "vmm-7", "guest_mode", 1102);
		assert_cell("vm_stat", "vmm-7", "deep", 1004);
		assert_cell("vm_stat", "vmm-8", "both", 0);
		assert_cell("vcpu_stat", "vmm-7::vcpu0", "exits", 100);
		assert_cell("vcpu_stat", "vmm-7::vcpu1", "both", 1003);
		assert_cell("stock", "", "exits", 1100);
		assert_cell("stock", "", "remote_tlb_flush", 10);
		assert_cell("stat", "", "both", 12 + 103 + 1003);
		assert_cell("stat", "", "gauge", 13);
		tables_read(); /* the second call changes nothing */
	}
	b.values[VM_BOTH] = 7;
	pass(&a, &a0, &a1, &b);
	tables_refresh();
	assert_cell("stat", "", "both", 12 + 103 + 1003 + 7);
	assert_cell("vm_stat", "vmm-8", "both", 7);
}

static void test_rows(void **state)
{
	(void)state;
	pass(&a, &a0, &a1, &b);
	tables_refresh();
	assert_rows("vm", "vmm-7 vmm-8");
	assert_rows("vm_stat", "vmm-7 vmm-8");
	assert_rows("vcpu_stat", "vmm-7::vcpu0 vmm-7::vcpu1");
	assert_labels(table_of("vm")->rows[1].labels, "{\"vm\":\"vmm\",\"pid\":8}");
	assert_labels(table_of("vcpu_stat")->rows[1].labels,
		      "{\"vm\":\"vmm\",\"pid\":7,\"vcpu\":1}");
	pass(&a, &a1); /* absent once: their rows are hidden */
	tables_refresh();
	assert_rows("vm", "vmm-7");
	assert_rows("vcpu_stat", "vmm-7::vcpu1");
	assert_cell("vm_stat", "vmm-7", "exits", 1100);
	assert_cell("vm_stat", "vmm-7", "guest_mode", 1001);
	pass(&a, &a0, &a1, &b);
	tables_refresh();
	assert_rows("vm", "vmm-7 vmm-8");
	assert_rows("vcpu_stat", "vmm-7::vcpu0 vmm-7::vcpu1");
	assert_int_equal(table_of("vm")->rows[1].id >> 32, 2);
	pass(NULL);
	tables_refresh();
	assert_rows("vm", "");
	assert_rows("vm_stat", "");
	assert_rows("vcpu_stat", "");
	assert_cell("stock", "", "exits", 1100);
	assert_cell("stock", "", "guest_mode", 0);
}

/* A bucket gets a row once it is non-empty, and keeps it. */
/* A vCPU that was absent has its buckets again. */
static void test_detached(void **state)
{
	(void)state;
	pass(&a, &a0, &a1, &b);
	tables_refresh();
	family.source = STAT_NOWHERE;
	tables_sync();
	tables_read();
	assert_cell("stock", "", "exits", 1100);
	assert_absent("stock", "", "guest_mode");
	assert_cell("stat", "", "both", 12 + 103 + 1003);
	assert_absent("stat", "", "gauge");
	assert_absent("stat", "", "peak");
	assert_cell("stat_hist", "0", "wait_hist", 0);
	assert_rows("vm_stat", "vmm-7 vmm-8");
	assert_absent("vm_stat", "vmm-7", "both");
	assert_absent("vcpu_stat", "vmm-7::vcpu0", "exits");
	assert_rows("vm", "vmm-7 vmm-8");
	family.source = STAT_ITERATOR;
	pass(&a, &a0, &a1, &b);
	tables_refresh();
	assert_cell("stock", "", "guest_mode", 1102);
	assert_rows("vm", "vmm-7 vmm-8");
}

static void test_vms(void **state)
{
	(void)state;
	strcpy(b.record.comm, "my vm");
	pass(&a, &a0, &a1, &b);
	tables_refresh();
	assert_cell("vms", "", "vms", 2);
	assert_cell("vms", "", "vcpus", 2);
	assert_cell("vm", "vmm-7", "vcpus", 2);
	assert_cell("vm", "my_vm-8", "vcpus", 0);
	assert_cell("vm", "my_vm-8", "pid", 8);
	assert_string_equal(cell_of("vm", "my_vm-8", "name")->text, "my vm");
	pass(&a, &a1);
	tables_refresh();
	assert_cell("vms", "", "vms", 1);
	assert_cell("vms", "", "vcpus", 1);
	assert_cell("vm", "vmm-7", "vcpus", 1);
	/* host totals alone have no VMs */
	family.source = STAT_DEBUGFS;
	tables_read();
	assert_absent("vms", "", "vms");
	assert_absent("vms", "", "vcpus");
}

/* Never attached: the tables exist, and are empty. */
static void test_no_layout(void **state)
{
	(void)state;
	family.layout = NULL;
	family.source = STAT_NOWHERE;
	stat_buckets_free(&family.buckets);
	assert_int_equal(stat_buckets_count(&family), 0);
	tables_sync();
	tables_read();
	assert_columns("stock", "");
	assert_int_equal(table_of("stock")->nrows, 1);
	assert_columns("vms", "vms:by column: vcpus:by column:");
	assert_absent("vms", "", "vms");
	assert_rows("stat_hist", "");
}

/* KVM comes back with other statistics: columns keep their place, and new ones are added. */
static void test_other_columns(void **state)
{
	struct stat_layout other;

	(void)state;
	a0.values[VCPU_HIST] = 3;
	pass(&a, &a0, &a1, &b);
	tables_refresh();
	assert_int_equal(fake_other_layout("recent", &other), 0);
	other.vm.list[3].kind = STAT_CUMULATIVE; /* "gauge" has another meaning now */
	when_ended = NULL; /* totals of another layout are not the tables' business */
	vms_end_all(vms);
	stat_layout_free(&layout);
	layout = other; /* the same column as before */
	for (int i = 0; i < STAT_TABLES; i++)
		family.columns[i].layout = NULL;
	pass(&b);
	stat_totals_sum(&family.totals, vms);
	tables_sync();
	tables_read();
	assert_columns("stat", "count:counter:count both:counter:count gauge:counter:byte "
			       "peak:instant:count busy:counter:ns deep:instant:count "
			       "recent:counter:count");
	assert_absent("stat", "", "count");
	assert_cell("stat", "", "recent", 0);
	assert_cell("vm_stat", "vmm-8.2", "recent", 0);
	assert_absent("vm_stat", "vmm-8.2", "count");
	assert_rows("vm_stat_hist", "");
}

/* sync is retried after a lack of memory. */
static void test_no_memory(void **state)
{
	(void)state;
	a0.values[VCPU_HIST] = a.values[VM_HIST] = 3;
	pass(&a, &a0, &a1, &b);
	stat_totals_sum(&family.totals, vms);
	owners_follow();
	for (size_t i = 0; i < TABLES; i++) {
		unsigned n;

		for (n = 0;; n++) {
			int err;

			alloc_fail_at(n);
			err = sync_one(i);
			if (!alloc_failed())
				break;
			assert_int_equal(err, -ENOMEM);
		}
		assert_true(n > 0);
	}
	tables_read();
	assert_rows("vcpu_stat", "vmm-7::vcpu0 vmm-7::vcpu1");
	assert_cell("vm_stat", "vmm-7", "both", 12 + 103 + 1003);
	assert_cell("vm_stat_hist", "vmm-7::0", "page_hist", 3);
	assert_cell("stock", "", "exits", 1100);
	/* a name without memory for it is absent */
	free(table_of("vm")->cells[2].text);
	table_of("vm")->cells[2].text = NULL;
	alloc_fail_at(0);
	assert_int_equal(read_one(STAT_TABLES + 1), -ENOMEM);
	assert_true(alloc_failed());
	assert_absent("vm", "vmm-7", "name");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		stat_tables_test(test_columns),	      stat_tables_test(test_values),
		stat_tables_test(test_rows),	      stat_tables_test(test_detached),
		stat_tables_test(test_vms),	      stat_tables_test(test_no_layout),
		stat_tables_test(test_other_columns), stat_tables_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
