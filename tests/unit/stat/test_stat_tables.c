// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The stat family's tables, for a register of synthetic VMs. */
#include "fakes/fake_vms.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "families/stat/stat.h"
#include "vms/tables.h"
#include "vms/vm_tables.h"

/* Fixture: the family with an attached iterator; its tables, and the register's. */
static struct stat_family family;
static struct snapshot snapshot;
static struct owners owners;
static uint64_t scratch[VM_VALUES + VCPU_VALUES];
static bool seen[FAKE_BUCKETS];
static struct shown a, a0, a1, b;

#define TABLES (STAT_TABLES + 3)

static const struct table *table_at(size_t i)
{
	return i < STAT_TABLES ? &stat_tables[i] : &vm_tables[i - STAT_TABLES];
}

static void *state_at(size_t i)
{
	return i < STAT_TABLES ? (void *)&family : vms;
}

int __wrap_vms_attached(const struct vms *of, const char **ret_error);
int __wrap_vms_attached(const struct vms *of, const char **ret_error)
{
	assert_ptr_equal(of, vms);
	*ret_error = NULL;
	return family.source == STAT_ITERATOR ? 0 : -ENOENT;
}

static int sync_one(size_t i)
{
	return table_sync(table_at(i), state_at(i), &owners, NULL, snapshot.tables[i]);
}

static void owners_follow(void)
{
	assert_int_equal(owners_update(&owners, vms, &(struct cpus){ 0 }), 0);
}

static void sync(void)
{
	owners_follow();
	for (size_t i = 0; i < TABLES; i++)
		assert_int_equal(sync_one(i), 0);
}

static int read_one(size_t i)
{
	return table_fill(table_at(i), state_at(i), &owners, snapshot.tables[i]);
}

static void read_all(void)
{
	for (size_t i = 0; i < TABLES; i++)
		assert_int_equal(read_one(i), 0);
}

/* What a fetch does after a pass. */
static void refresh(void)
{
	stat_totals_sum(&family.totals, vms);
	sync();
	read_all();
}

static void count_ended(const struct vm *vm)
{
	stat_totals_ended(&family.totals, vm);
}

static int setup(void **state)
{
	struct snapshot_table *table;

	if (fakes_setup(state))
		return -1;
	snapshot = (struct snapshot){ 0 };
	owners = (struct owners){ 0 };
	family = (struct stat_family){ .env.vms = vms,
				       .source = STAT_ITERATOR,
				       .layout = &layout,
				       .scratch = scratch,
				       .seen = seen };
	if (vm_tables_count != TABLES - STAT_TABLES)
		return -1;
	for (size_t i = 0; i < TABLES; i++) {
		if (snapshot_add_table(&snapshot, table_at(i)->name, &table))
			return -1;
	}
	if (stat_totals_init(&layout, &family.totals) ||
	    stat_buckets_init(&layout, &family.buckets))
		return -1;
	when_ended = count_ended;
	a = shown_vm(100, 7);
	a0 = shown_vcpu(&a, 11, 0);
	a1 = shown_vcpu(&a, 22, 1);
	b = shown_vm(200, 8);
	for (int i = 0; i < VM_HIST; i++) {
		a.values[i] = 10 + (unsigned)i;
		a0.values[i] = 100 + (unsigned)i;
		a1.values[i] = 1000 + (unsigned)i;
	}
	return 0;
}

static int teardown(void **state)
{
	for (int i = 0; i < STAT_TABLES; i++)
		stat_columns_free(&family.columns[i]);
	stat_totals_free(&family.totals);
	stat_buckets_free(&family.buckets);
	snapshot_free(&snapshot);
	owners_free(&owners);
	return fakes_teardown(state);
}

static struct snapshot_table *table_of(const char *name)
{
	struct snapshot_table *table = snapshot_find_table(&snapshot, name);

	assert_non_null(table);
	return table;
}

/* The columns as "NAME:SEMANTICS:UNITS". */
static void assert_columns(const char *name, const char *text)
{
	const struct snapshot_table *table = table_of(name);
	char found[1024] = "";

	for (size_t i = 0; i < table->ncolumns; i++) {
		const struct snapshot_column *column = &table->columns[i];

		snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s%s:%s:%s",
			 i ? " " : "", column->name, metric_semantics_name(column->semantics),
			 metric_units_name(column->units));
	}
	assert_string_equal(found, text);
}

/* The rows' names, by instance number. */
static void assert_rows(const char *name, const char *text)
{
	const struct snapshot_table *table = table_of(name);
	char found[1024] = "";

	for (size_t i = 0; i < table->nrows; i++) {
		strcat(found, i ? " " : "");
		strcat(found, table->rows[i].name);
	}
	assert_string_equal(found, text);
}

static const struct snapshot_cell *cell_of(const char *name, const char *row, const char *column)
{
	const struct snapshot_table *table = table_of(name);
	int number = snapshot_table_column(table, column);

	assert_true(number >= 0);
	for (size_t i = 0; i < table->nrows; i++) {
		if (strcmp(table->rows[i].name, row) == 0)
			return snapshot_table_cell(table, i, (size_t)number);
	}
	fail_msg("%s has no row %s", name, row);
	return NULL;
}

static void assert_cell(const char *name, const char *row, const char *column, uint64_t expected)
{
	const struct snapshot_cell *cell = cell_of(name, row, column);

	assert_true(cell->present);
	assert_int_equal(cell->number, expected);
}

static void assert_absent(const char *name, const char *row, const char *column)
{
	assert_false(cell_of(name, row, column)->present);
}

static void test_columns(void **state)
{
	(void)state;
	sync();
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
	refresh();
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
		read_all(); /* the second call changes nothing */
	}
	b.values[VM_BOTH] = 7;
	pass(&a, &a0, &a1, &b);
	refresh();
	assert_cell("stat", "", "both", 12 + 103 + 1003 + 7);
	assert_cell("vm_stat", "vmm-8", "both", 7);
}

static void test_rows(void **state)
{
	(void)state;
	pass(&a, &a0, &a1, &b);
	refresh();
	assert_rows("vm", "vmm-7 vmm-8");
	assert_rows("vm_stat", "vmm-7 vmm-8");
	assert_rows("vcpu_stat", "vmm-7::vcpu0 vmm-7::vcpu1");
	assert_labels(table_of("vm")->rows[1].labels, "{\"vm\":\"vmm\",\"pid\":8}");
	assert_labels(table_of("vcpu_stat")->rows[1].labels,
		      "{\"vm\":\"vmm\",\"pid\":7,\"vcpu\":1}");
	pass(&a, &a1); /* absent once: their rows are hidden */
	refresh();
	assert_rows("vm", "vmm-7");
	assert_rows("vcpu_stat", "vmm-7::vcpu1");
	assert_cell("vm_stat", "vmm-7", "exits", 1100);
	assert_cell("vm_stat", "vmm-7", "guest_mode", 1001);
	pass(&a, &a0, &a1, &b);
	refresh();
	assert_rows("vm", "vmm-7 vmm-8");
	assert_rows("vcpu_stat", "vmm-7::vcpu0 vmm-7::vcpu1");
	assert_int_equal(table_of("vm")->rows[1].id >> 32, 2);
	pass(NULL);
	refresh();
	assert_rows("vm", "");
	assert_rows("vm_stat", "");
	assert_rows("vcpu_stat", "");
	assert_cell("stock", "", "exits", 1100);
	assert_cell("stock", "", "guest_mode", 0);
}

/* A bucket gets a row once it is non-empty, and keeps it. */
static void test_buckets(void **state)
{
	(void)state;
	pass(&a, &a0, &a1, &b);
	refresh();
	assert_rows("vm_stat_hist", "");
	assert_rows("vcpu_stat_hist", "");
	assert_cell("stat_hist", "0", "wait_hist", 0);
	a1.values[VCPU_HIST + 3] = 5;
	b.values[VM_HIST + 1] = 7;
	pass(&a, &a0, &a1, &b);
	stat_totals_sum(&family.totals, vms);
	assert_int_equal(stat_buckets_count(&family), 3);
	refresh();
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
	refresh();
	assert_rows("vm_stat_hist", "vmm-7::4+ vmm-7::8+ vmm-8::1");
	assert_cell("vm_stat_hist", "vmm-7::8+", "page_hist", 11);
	assert_cell("vm_stat_hist", "vmm-7::4+", "wait_hist", 6);
	pass(&a, &a0, &b);
	refresh();
	assert_rows("vcpu_stat_hist", "");
	assert_cell("vm_stat_hist", "vmm-7::4+", "wait_hist", 6);
	pass(&b);
	refresh();
	assert_rows("vm_stat_hist", "vmm-8::1");
	assert_cell("stat_hist", "4+", "wait_hist", 6);
	pass(&b);
	pass(&a, &a0, &a1, &b); /* another VM has other buckets */
	refresh();
	assert_rows("vm_stat_hist", "vmm-7.2::4+ vmm-7.2::8+ vmm-8::1");
}

/* A vCPU that was absent has its buckets again. */
static void test_buckets_after_a_miss(void **state)
{
	(void)state;
	a1.values[VCPU_HIST] = 5;
	pass(&a, &a1);
	refresh();
	assert_rows("vcpu_stat_hist", "vmm-7::vcpu1::0");
	pass(&a);
	refresh();
	assert_rows("vcpu_stat_hist", "");
	pass(&a, &a1);
	refresh();
	assert_rows("vcpu_stat_hist", "vmm-7::vcpu1::0");
	assert_cell("vcpu_stat_hist", "vmm-7::vcpu1::0", "wait_hist", 5);
}

static void test_detached(void **state)
{
	(void)state;
	pass(&a, &a0, &a1, &b);
	refresh();
	family.source = STAT_NOWHERE;
	sync();
	read_all();
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
	refresh();
	assert_cell("stock", "", "guest_mode", 1102);
	assert_rows("vm", "vmm-7 vmm-8");
}

static void test_vms(void **state)
{
	(void)state;
	strcpy(b.record.comm, "my vm");
	pass(&a, &a0, &a1, &b);
	refresh();
	assert_cell("vms", "", "vms", 2);
	assert_cell("vms", "", "vcpus", 2);
	assert_cell("vm", "vmm-7", "vcpus", 2);
	assert_cell("vm", "my_vm-8", "vcpus", 0);
	assert_cell("vm", "my_vm-8", "pid", 8);
	assert_string_equal(cell_of("vm", "my_vm-8", "name")->text, "my vm");
	pass(&a, &a1);
	refresh();
	assert_cell("vms", "", "vms", 1);
	assert_cell("vms", "", "vcpus", 1);
	assert_cell("vm", "vmm-7", "vcpus", 1);
	/* host totals alone have no VMs */
	family.source = STAT_DEBUGFS;
	read_all();
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
	sync();
	read_all();
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
	refresh();
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
	sync();
	read_all();
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
	read_all();
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

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		test(test_columns),
		test(test_values),
		test(test_rows),
		test(test_buckets),
		test(test_buckets_after_a_miss),
		test(test_detached),
		test(test_vms),
		test(test_no_layout),
		test(test_other_columns),
		test(test_no_memory),
		test(test_buckets_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
