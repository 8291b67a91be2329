// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Columns' semantics and units, and instance domains. */
#include "fakes/support.h"

#include <string.h>

#include "metrics/metric_table.h"

static const struct metric *metric_find(const char *name)
{
	for (size_t i = 0; i < metrics_count; i++) {
		if (strcmp(metrics[i].name, name) == 0)
			return &metrics[i];
	}
	fail_msg("no metric %s", name);
	return NULL;
}

static struct snapshot_table *table_add(struct snapshot *snapshot, const char *name,
					const char *const *columns)
{
	struct snapshot_table *table;

	assert_int_equal(snapshot_add_table(snapshot, name, &table), 0);
	for (; *columns; columns++)
		assert_int_equal(snapshot_table_add_column(table, *columns), 0);
	return table;
}

/* A metric's own semantics and units override the column's; BY_COLUMN uses the column's. */
static void test_semantics_and_units(void **state)
{
	const struct metric *by_column = metric_find("kvm.vm.stat");
	const struct metric *own = metric_find("kvm.agent.family.attach_time");
	struct snapshot snapshot = { 0 };
	struct snapshot_table *table;

	(void)state;
	table = table_add(&snapshot, "t", (const char *const[]){ "a", "b", "c", NULL });
	snapshot_table_describe(table, 0, METRIC_COUNTER, METRIC_BYTES);
	snapshot_table_describe(table, 1, METRIC_DISCRETE, METRIC_COUNT);
	assert_int_equal(metric_semantics_of(by_column, table, 0), METRIC_COUNTER);
	assert_int_equal(metric_units_of(by_column, table, 0), METRIC_BYTES);
	assert_int_equal(metric_semantics_of(by_column, table, 1), METRIC_DISCRETE);
	assert_int_equal(metric_units_of(by_column, table, 1), METRIC_COUNT);
	assert_int_equal(metric_semantics_of(by_column, table, 2), METRIC_INSTANT);
	assert_int_equal(metric_units_of(by_column, table, 2), METRIC_NONE);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(metric_semantics_of(own, table, i), METRIC_INSTANT);
		assert_int_equal(metric_units_of(own, table, i), METRIC_NSEC);
	}
	snapshot_free(&snapshot);
}

/* Metrics of the agent itself, omitted in tables about guests. */
static void test_is_own(void **state)
{
	size_t own = 0;

	(void)state;
	for (size_t i = 0; i < metrics_count; i++) {
		const char *name = metrics[i].name;
		bool is = strncmp(name, "kvm.agent.", 10) == 0 ||
			  strncmp(name, "kvm.control.", 12) == 0 ||
			  strcmp(name, "kvm.trace.count") == 0;

		assert_int_equal(metric_is_own(&metrics[i]), is);
		own += is;
	}
	assert_true(own > 3);
}

/* The places visited, in order. */
struct places {
	size_t n;
	struct {
		char name[256];
		enum metric_semantics semantics;
		enum metric_units units;
	} at[16];
};

static int note(const struct metric_place *place, void *data)
{
	struct places *places = data;

	assert_true(places->n < ARRAY_SIZE(places->at));
	snprintf(places->at[places->n].name, sizeof(places->at[0].name), "%s", place->name);
	places->at[places->n].semantics = place->semantics;
	places->at[places->n++].units = place->units;
	return 0;
}

static void assert_place(const struct places *places, size_t i, const char *name,
			 enum metric_semantics semantics, enum metric_units units)
{
	assert_true(i < places->n);
	assert_string_equal(places->at[i].name, name);
	assert_int_equal(places->at[i].semantics, semantics);
	assert_int_equal(places->at[i].units, units);
}

/* Each place describes its own column, with nothing left of the previous one. */
static void test_places(void **state)
{
	struct snapshot snapshot = { 0 };
	struct places places = { 0 };
	struct snapshot_table *table;

	(void)state;
	table = table_add(&snapshot, "vm_stat",
			  (const char *const[]){ "exits", "pages", "plain", "time", NULL });
	snapshot_table_describe(table, 0, METRIC_COUNTER, METRIC_COUNT);
	snapshot_table_describe(table, 1, METRIC_INSTANT, METRIC_BYTES);
	snapshot_table_describe(table, 3, METRIC_DISCRETE, METRIC_NSEC);
	table = table_add(&snapshot, "trace", (const char *const[]){ "kvm_exit", NULL });
	snapshot_table_describe(table, 0, METRIC_INSTANT, METRIC_BYTES);
	table = table_add(&snapshot, "map", (const char *const[]){ "bytes", NULL });
	snapshot_table_describe(table, 0, METRIC_COUNTER, METRIC_COUNT);
	table = table_add(&snapshot, "vcpu_stat_hist", (const char *const[]){ "wait", NULL });
	snapshot_table_describe(table, 0, METRIC_COUNTER, METRIC_NSEC);
	assert_int_equal(metrics_each(&snapshot, note, &places), 0);
	assert_int_equal(places.n, 7);
	assert_place(&places, 0, "kvm.trace.kvm_exit", METRIC_COUNTER, METRIC_COUNT);
	assert_place(&places, 1, "kvm.agent.map.bytes", METRIC_INSTANT, METRIC_BYTES);
	assert_place(&places, 2, "kvm.vm.stat.exits", METRIC_COUNTER, METRIC_COUNT);
	assert_place(&places, 3, "kvm.vm.stat.pages", METRIC_INSTANT, METRIC_BYTES);
	assert_place(&places, 4, "kvm.vm.stat.plain", METRIC_INSTANT, METRIC_NONE);
	assert_place(&places, 5, "kvm.vm.stat.time", METRIC_DISCRETE, METRIC_NSEC);
	assert_place(&places, 6, "kvm.vcpu.stat.wait", METRIC_COUNTER, METRIC_NSEC);
	snapshot_free(&snapshot);
}

/* Only a subtree can be BY_COLUMN, and then its units are NONE. */
static void test_who_leaves_it_to_columns(void **state)
{
	(void)state;
	for (size_t i = 0; i < metrics_count; i++) {
		const struct metric *metric = &metrics[i];
		bool by_column = metric->semantics == METRIC_BY_COLUMN;

		assert_int_equal(by_column,
				 metric_is_subtree(metric) && metric->group == ITEMS_STAT);
		if (by_column)
			assert_int_equal(metric->units, METRIC_NONE);
	}
}

/* Archives identify a domain by its serial; serials never change. */
static void test_serials(void **state)
{
	static const struct {
		unsigned serial;
		const char *table;
	} indoms[METRIC_INDOMS] = {
		[METRIC_INDOM_CPU] = { 0, "trace" },
		[METRIC_INDOM_FAMILY] = { 1, "family" },
		[METRIC_INDOM_EVENT] = { 2, "event" },
		[METRIC_INDOM_VM] = { 3, "vm" },
		[METRIC_INDOM_VCPU] = { 4, "vcpu_thread" },
		[METRIC_INDOM_BUCKET] = { 5, "stat_hist" },
		[METRIC_INDOM_VM_BUCKET] = { 6, "vm_stat_hist" },
		[METRIC_INDOM_VCPU_BUCKET] = { 7, "vcpu_stat_hist" },
		[METRIC_INDOM_MAP] = { 8, "map" },
		[METRIC_INDOM_EXIT] = { 9, "exit" },
		[METRIC_INDOM_EXIT_BUCKET] = { 10, "exit_latency" },
		[METRIC_INDOM_VM_EXIT] = { 11, "vm_exit" },
		[METRIC_INDOM_VM_EXIT_BUCKET] = { 12, "vm_exit_latency" },
		[METRIC_INDOM_USERSPACE_EXIT] = { 13, "userspace_exit" },
		[METRIC_INDOM_VM_USERSPACE_EXIT] = { 14, "vm_userspace_exit" },
		[METRIC_INDOM_VCPU_EXIT] = { 15, "vcpu_exit" },
		[METRIC_INDOM_USERSPACE_EXIT_BUCKET] = { 16, "userspace_exit_latency" },
		[METRIC_INDOM_VM_USERSPACE_EXIT_BUCKET] = { 17, "vm_userspace_exit_latency" },
		[METRIC_INDOM_CAUSE] = { 18, "cause" },
		[METRIC_INDOM_VM_CAUSE] = { 19, "vm_cause" },
		[METRIC_INDOM_VM_HALT_BUCKET] = { 20, "vm_halt_time" },
		[METRIC_INDOM_VCPU_HALT_BUCKET] = { 21, "vcpu_halt_time" },
		[METRIC_INDOM_VCPU_SLOW] = { 25, "vcpu_slow" },
	};

	(void)state;
	for (size_t i = 0; i < METRIC_INDOMS; i++) {
		assert_non_null(indoms[i].table); /* add new domains here */
		assert_int_equal(metric_indoms[i].serial, indoms[i].serial);
		assert_string_equal(metric_indoms[i].table, indoms[i].table);
	}
}

/* A domain's instances are the rows of a table used by one of its metrics. */
static void test_tables_of_indoms(void **state)
{
	(void)state;
	for (size_t i = 0; i < METRIC_INDOMS; i++) {
		size_t users = 0;

		for (size_t j = 0; j < i; j++) {
			assert_int_not_equal(metric_indoms[i].serial, metric_indoms[j].serial);
			assert_string_not_equal(metric_indoms[i].table, metric_indoms[j].table);
		}
		for (size_t j = 0; j < metrics_count; j++) {
			if (strcmp(metrics[j].table, metric_indoms[i].table) != 0)
				continue;
			assert_int_equal(metrics[j].indom, i);
			users++;
		}
		assert_true(users > 0);
	}
}

/* Numbers of instances by name, which archives keep as serials. */
static void test_instances(void **state)
{
	static const struct {
		enum metric_indom indom;
		const char *name;
		int number;
	} cases[] = {
		{ METRIC_INDOM_FAMILY, "exit", 0 },
		{ METRIC_INDOM_FAMILY, "stat", 1 },
		{ METRIC_INDOM_FAMILY, "trace", 2 },
		{ METRIC_INDOM_FAMILY, "userspace_exit", 3 },
		{ METRIC_INDOM_MAP, "exit_cells", 0 },
		{ METRIC_INDOM_MAP, "exit_latency", 1 },
		{ METRIC_INDOM_MAP, "exit_vm_latency", 2 },
		{ METRIC_INDOM_MAP, "exit_blocks", 3 },
		{ METRIC_INDOM_MAP, "stat_vms", 16 },
		{ METRIC_INDOM_MAP, "userspace_exit_cells", 48 },
		{ METRIC_INDOM_MAP, "userspace_exit_blocks", 49 },
		{ METRIC_INDOM_FAMILY, "stat_vms", -1 },
		{ METRIC_INDOM_MAP, "stat", -1 },
		{ METRIC_INDOM_MAP, "exit", -1 },
		{ METRIC_INDOM_MAP, "exit_cells2", -1 },
		{ METRIC_INDOM_MAP, "", -1 },
		{ METRIC_INDOM_NULL, "exit", -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(metric_instance(cases[i].indom, cases[i].name), cases[i].number);
}

static const struct instance {
	enum metric_indom indom;
	const char *name;
	int number;
} instances[] = {
#define INDOM(id, serial, table, labels, text)
#define INSTANCE(indom, name, number) { METRIC_INDOM_##indom, name, number },
#define METRIC(name, cluster, item, type, semantics, units, indom, table, column)
#define SUBTREE(name, cluster, group, type, semantics, units, indom, table)
#include "metrics/metrics.def"
#undef INDOM
#undef INSTANCE
#undef METRIC
#undef SUBTREE
};

/* Within a domain names and numbers are unique; numbers by name begin at bit 30. */
static void test_instances_are_unique(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(instances); i++) {
		assert_in_range(instances[i].number, 0, (1 << 30) - 1);
		assert_int_equal(metric_instance(instances[i].indom, instances[i].name),
				 instances[i].number);
		for (size_t j = 0; j < i; j++)
			assert_false(instances[j].indom == instances[i].indom &&
				     instances[j].number == instances[i].number);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_semantics_and_units),
		cmocka_unit_test(test_is_own),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_who_leaves_it_to_columns),
		cmocka_unit_test(test_serials),
		cmocka_unit_test(test_tables_of_indoms),
		cmocka_unit_test(test_instances),
		cmocka_unit_test(test_instances_are_unique),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
