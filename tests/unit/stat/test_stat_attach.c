// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The stat family when attaching fails, or KVM is replaced by another one. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fakes/fake_maps.h"
#include "families/stat/stat.h"
#include "vms/tables.h"
#include "fakes/fake_stat_kernel.h"

extern const struct family_ops stat_family;

#define FALLS_BACK "stat: only host totals, from debugfs: "

/* Fixture: an open family on a host with a VM and a vCPU, and its tables. */
static struct config config;
static struct events events;
static struct report report;
static struct stat_family *family;
static struct snapshot snapshot;
static struct owners owners;
static struct shown a, a0;
static char *error;
static struct pins pins;

static int open_family(void)
{
	struct family_env env = {
		.config = &config,
		.events = &events,
		.vms = vms,
		.pins = &pins,
		.report = &report,
	};
	void *state = NULL;
	int err = stat_family.open(&env, &state, &error);

	kernel.pins = &pins;
	family = state;
	return err;
}

static void restart(void)
{
	stat_family.close(family);
	vms_detach(vms);
	vms_free(vms);
	assert_int_equal(vms_new("proc", NULL, &vms), 0);
	assert_int_equal(open_family(), 0);
}

static int setup(void **state)
{
	struct snapshot_table *table;

	if (fakes_setup(state) || config_init(&config))
		return -1;
	vms_free(vms);
	if (vms_new("proc", NULL, &vms))
		return -1;
	memset(&kernel, 0, sizeof(kernel));
	free(config.debugfs);
	config.debugfs = strdup("debug");
	config.vms = 16;
	events = (struct events){ 0 };
	report = (struct report){ 0 };
	snapshot = (struct snapshot){ 0 };
	owners = (struct owners){ 0 };
	error = NULL;
	a = shown_vm(100, 7);
	a0 = shown_vcpu(&a, 11, 0);
	a.values[VM_COUNT] = 2;
	a.values[VM_FLUSH] = 3;
	a.values[VM_GAUGE] = 4;
	a0.values[VCPU_EXITS] = 5;
	a0.values[VCPU_HIST] = 6;
	fake_maps_make(stat_totals_bytes(&layout), 16);
	show(&a, &a0);
	for (size_t i = 0; i < STAT_TABLES; i++) {
		if (snapshot_add_table(&snapshot, stat_tables[i].name, &table))
			return -1;
	}
	return open_family();
}

static int teardown(void **state)
{
	stat_family.close(family);
	vms_detach(vms);
	assert_int_equal(kernel.objects, 0);
	assert_false(kernel.linked);
	snapshot_free(&snapshot);
	owners_free(&owners);
	config_free(&config);
	report_clear(&report);
	free(error);
	fake_maps_free();
	return fakes_teardown(state);
}

static int attach(void)
{
	free(error);
	error = NULL;
	return kernel_attach(vms, family, &config, &report, &error);
}

static void assert_attached(enum stat_source source)
{
	assert_int_equal(attach(), 0);
	assert_null(error);
	assert_int_equal(family->source, source);
	assert_int_equal(kernel.linked, source == STAT_ITERATOR);
}

static void assert_fails(int err, const char *words)
{
	assert_int_equal(attach(), err);
	assert_non_null(error);
	assert_string_equal(error, words);
	assert_int_equal(family->source, STAT_NOWHERE);
	assert_false(kernel.linked);
}

static void assert_info(const char *text)
{
	assert_int_equal(report.n, 1);
	assert_string_equal(report.lines[0].text, text);
	assert_int_equal(report.lines[0].level, REPORT_INFO);
	report_clear(&report);
}

static void sync_and_read(void)
{
	assert_int_equal(owners_update(&owners, vms, &(struct cpus){ 0 }), 0);
	for (size_t i = 0; i < STAT_TABLES; i++) {
		assert_int_equal(
			table_sync(&stat_tables[i], family, &owners, NULL, snapshot.tables[i]), 0);
		assert_int_equal(table_fill(&stat_tables[i], family, &owners, snapshot.tables[i]),
				 0);
	}
}

/* The value in the table's only row, or -1 if it is absent. */
static long long host(const char *name, const char *column)
{
	const struct snapshot_table *table = snapshot_find_table(&snapshot, name);
	int at = snapshot_table_column(table, column);

	assert_true(at >= 0);
	assert_int_equal(table->nrows, 1);
	return table->cells[at].present ? (long long)table->cells[at].number : -1;
}

/* The iterator reads by typed loads where the kernel has them and takes them. */
static void test_typed_loads(void **state)
{
	static const struct {
		bool has, refuses, typed;
	} kernels[] = { { false, false, false }, { true, false, true }, { true, true, false } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kernels); i++) {
		kernel.typed_loads = kernels[i].has;
		kernel.typed_refused = kernels[i].refuses;
		assert_attached(STAT_ITERATOR);
		assert_int_equal(kernel.typed, kernels[i].typed);
		restart();
	}
}

static void test_words(void **state)
{
	(void)state;
	kernel.kvm_err = -ENOENT;
	assert_fails(-ENOENT, "KVM is not loaded");
	kernel.kvm_err = -ENODATA;
	assert_fails(-ENOENT, "this kernel has no type information (BTF) for KVM");
	kernel.kvm_err = 0;
	kernel.layout_err = -ENOENT;
	assert_fails(-ENOENT, "this kernel has no type information (BTF) for KVM");
	kernel.layout_err = -EINVAL;
	assert_fails(-EINVAL, "KVM's types have an unknown layout");
	kernel.layout_err = -EIO;
	assert_fails(-EIO, strerror(EIO));
	kernel.layout_err = 0;
	kernel.load_err = -ENOSYS;
	assert_fails(-ENOSYS, "this kernel does not support bpf()");
	kernel.load_err = 0;
	kernel.link_err = -E2BIG;
	assert_fails(-E2BIG, "cannot load the BPF object: Argument list too long");
	assert_int_equal(report.n, 0);
	assert_vms("");
	kernel.link_err = 0;
	assert_attached(STAT_ITERATOR);
	assert_vms("vmm-7#1");
	assert_int_equal(report.n, 0);
	sync_and_read();
	assert_int_equal(host("stock", "exits"), 5);
}

static void test_debugfs(void **state)
{
	(void)state;
	make_folders("debug/kvm");
	write_text("debug/kvm/exits", "11\n");
	write_text("debug/kvm/largepages", "13\n");
	kernel.layout_err = -EINVAL;
	assert_attached(STAT_DEBUGFS);
	assert_info(FALLS_BACK "KVM's types have an unknown layout");
	assert_attached(STAT_DEBUGFS);
	assert_int_equal(report.n, 0); /* it was reported before */
	sync_and_read();
	assert_int_equal(host("stock", "exits"), 11);
	assert_int_equal(host("stock", "largepages"), 13);
	/* a VM is destroyed; debugfs no longer includes its counts */
	write_text("debug/kvm/exits", "4\n");
	write_text("debug/kvm/largepages", "2\n");
	assert_int_equal(kernel_refresh(vms, family), 0);
	sync_and_read();
	assert_int_equal(host("stock", "exits"), 11);
	assert_int_equal(host("stock", "largepages"), 2);
	write_text("debug/kvm/exits", "5\n");
	kernel.ns = 5000000000;
	stat_family.tick(family, &report);
	sync_and_read();
	assert_int_equal(host("stock", "exits"), 12);
	stat_family.detach(family);
	kernel_refresh(vms, family);
	sync_and_read();
	assert_int_equal(host("stock", "exits"), 12);
	assert_int_equal(host("stock", "largepages"), -1);
	write_text("debug/kvm/exits", "6\n");
	assert_attached(STAT_DEBUGFS);
	sync_and_read();
	assert_int_equal(host("stock", "exits"), 13);
	assert_int_equal(stat_family.generation(family), 0);
	assert_int_equal(stat_family.map(family, 0, NULL), -ENOENT);
}

/* The iterator's KVM is unloaded, and the next attempts are refused: columns follow. */
static void test_falls_back_later(void **state)
{
	(void)state;
	assert_attached(STAT_ITERATOR);
	sync_and_read();
	kernel.layout_name = "recent";
	kernel.load_err = -ENOSYS;
	make_folders("debug/kvm");
	write_text("debug/kvm/exits", "5\n");
	assert_attached(STAT_DEBUGFS);
	assert_info(FALLS_BACK "this kernel does not support bpf()");
	/* a fetch can come before the columns are remade */
	for (size_t i = 0; i < STAT_TABLES; i++)
		assert_int_equal(table_fill(&stat_tables[i], family, &owners, snapshot.tables[i]),
				 0);
	sync_and_read();
	/* a VM's or a vCPU's: debugfs does not distinguish them */
	assert_int_equal(host("stock", "exits"), 10);
	assert_int_equal(host("stock", "remote_tlb_flush"), -1);
	kernel.load_err = 0;
	assert_attached(STAT_ITERATOR);
	sync_and_read();
	assert_int_equal(host("stock", "exits"), 10);
	assert_int_equal(host("stock", "remote_tlb_flush"), 3);
	assert_int_equal(kernel.objects, 1);
}

/* A new layout can reuse the address of a freed one; columns belong to the current one. */
static void test_layouts_in_a_row(void **state)
{
	static const char *const names[] = { "one", "two", "three", "four", "five", "six" };

	(void)state;
	assert_attached(STAT_ITERATOR);
	sync_and_read();
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		kernel.layout_name = names[i];
		kernel.layout_err = i % 2 ? -EINVAL : 0;
		make_folders("debug/kvm");
		write_text("debug/kvm/exits", "7\n");
		attach();
		for (int j = 0; j < STAT_TABLES; j++)
			assert_int_equal(family->columns[j].n, 0);
		assert_int_equal(owners_update(&owners, vms, &(struct cpus){ 0 }), 0);
		for (size_t j = 0; j < STAT_TABLES; j++)
			assert_int_equal(table_fill(&stat_tables[j], family, &owners,
						    snapshot.tables[j]),
					 0);
	}
	report_clear(&report);
}

/* KVM is reloaded with other statistics: counts continue by name. */
static void test_other_kvm(void **state)
{
	(void)state;
	assert_attached(STAT_ITERATOR);
	sync_and_read();
	kernel.kvm_err = -ENOENT;
	assert_fails(-ENOENT, "KVM is not loaded");
	sync_and_read();
	assert_int_equal(host("stock", "exits"), 5);
	assert_int_equal(host("stat", "gauge"), -1);
	kernel.kvm_err = 0;
	kernel.layout_name = "recent";
	a0.values[VCPU_EXITS] = 1;
	a.values[VM_FLUSH] = 1;
	show(&a, &a0);
	assert_attached(STAT_ITERATOR);
	assert_int_equal(kernel.objects, 1);
	assert_int_equal(kernel.describes, 2);
	assert_vms("vmm-7.2#2");
	sync_and_read();
	assert_int_equal(host("stock", "exits"), 6);
	assert_int_equal(host("stock", "remote_tlb_flush"), 4);
	assert_int_equal(host("stat", "recent"), 2);
	assert_int_equal(host("stat", "count"), -1);
	assert_int_equal(fake_maps_vms(), 1);
	assert_int_equal(fake_maps_ended_value()[1 + VM_FLUSH], 3);
	assert_int_equal(report.n, 0);
}

/* An agent follows another one, with the same statistics or others. */
static void test_restarts(void **state)
{
	(void)state;
	assert_attached(STAT_ITERATOR);
	restart();
	show(NULL);
	assert_attached(STAT_ITERATOR);
	sync_and_read();
	assert_int_equal(host("stock", "exits"), 5);
	assert_int_equal(fake_maps_vms(), 0);
	restart();
	kernel.layout_name = "recent";
	assert_attached(STAT_ITERATOR);
	assert_info("stat: pinned totals have other statistics: discarded, starting at 0");
	sync_and_read();
	assert_int_equal(host("stock", "exits"), 0);
}

/* An agent whose first load failed takes over the maps as well. */
static void test_restart_that_fails_first(void **state)
{
	(void)state;
	assert_attached(STAT_ITERATOR);
	restart();
	kernel.load_err = -ENOSYS;
	assert_fails(-ENOSYS, "this kernel does not support bpf()");
	kernel.load_err = 0;
	show(NULL);
	assert_attached(STAT_ITERATOR);
	sync_and_read();
	assert_int_equal(host("stock", "exits"), 5);
	/* and only once */
	kernel.layout_name = "recent";
	assert_attached(STAT_ITERATOR);
	kernel.layout_name = NULL;
	assert_attached(STAT_ITERATOR);
	sync_and_read();
	assert_int_equal(host("stock", "exits"), 5);
}

static void test_open_without_memory(void **state)
{
	unsigned n;

	(void)state;
	stat_family.close(family);
	for (n = 0;; n++) {
		int err;

		alloc_fail_at(n);
		err = open_family();
		if (!alloc_failed())
			break;
		assert_int_equal(err, -ENOMEM);
		assert_null(family);
	}
	assert_int_equal(n, 1);
}

/* Attaching, for the first time or to another KVM, can be retried. */
static void test_attach_without_memory(void **state)
{
	unsigned n;

	(void)state;
	for (int again = 0; again < 2; again++) {
		for (n = 0;; n++) {
			int err;

			alloc_fail_at(n);
			err = attach();
			if (!alloc_failed())
				break;
			assert_true(err == 0 || err == -ENOMEM || err == -ENOENT);
			assert_int_equal(!err, family->source == STAT_ITERATOR);
			if (family->source == STAT_ITERATOR && !err) {
				/* the next pass delivers what there was no memory for */
				kernel_refresh(vms, family);
				assert_int_equal(vms->n, 1);
				stat_family.detach(family);
				vms_end_all(vms);
				family->source = STAT_NOWHERE;
			}
			sync_and_read();
		}
		assert_true(n > 5);
		assert_int_equal(family->source, STAT_ITERATOR);
		assert_int_equal(report.n, 0);
		kernel.layout_name = "recent";
	}
	assert_true(vm_at(100)->id > 1);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		test(test_typed_loads),
		test(test_words),
		test(test_debugfs),
		test(test_falls_back_later),
		test(test_layouts_in_a_row),
		test(test_other_kvm),
		test(test_restarts),
		test(test_restart_that_fails_first),
		test(test_open_without_memory),
		test(test_attach_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
