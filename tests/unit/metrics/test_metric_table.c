// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/support.h"

#include <ctype.h>
#include <jansson.h>
#include <string.h>

#include "metrics/item_numbers.h"
#include "metrics/metric_table.h"

/* A PMID has 12 bits for the cluster and 10 for the item. */
#define CLUSTER_MAX 4095
#define ITEM_MAX    1023

/* The stock agent's names below kvm, by item number in cluster 0. */
static const char *const stock[] = {
	"efer_reload",
	"exits",
	"fpu_reload",
	"halt_attempted_poll",
	"halt_exits",
	"halt_successful_poll",
	"halt_wakeup",
	"host_state_reload",
	"hypercalls",
	"insn_emulation",
	"insn_emulation_fail",
	"invlpg",
	"io_exits",
	"irq_exits",
	"irq_injections",
	"irq_window",
	"largepages",
	"mmio_exits",
	"mmu_cache_miss",
	"mmu_flooded",
	"mmu_pde_zapped",
	"mmu_pte_updated",
	"mmu_pte_write",
	"mmu_recycled",
	"mmu_shadow_zapped",
	"mmu_unsync",
	"nmi_injections",
	"nmi_window",
	"pf_fixed",
	"pf_guest",
	"remote_tlb_flush",
	"request_irq",
	"signal_exits",
	"tlb_flush",
	"irq_window_exits",
	"nmi_window_exits",
	"l1d_flush",
	"request_irq_exits",
	"req_event",
	"nested_run",
	"directed_yield_attempted",
	"directed_yield_successful",
	"guest_mode",
};

/* The gauges among them. */
static const char *const gauges[] = { "largepages", "mmu_unsync", "guest_mode" };

static bool is_gauge(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(gauges); i++) {
		if (strcmp(gauges[i], name) == 0)
			return true;
	}
	return false;
}

static void test_stock_names_and_pmids(void **state)
{
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < metrics_count; i++) {
		const struct metric *metric = &metrics[i];

		if (metric->cluster != 0)
			continue;
		assert_true(n < ARRAY_SIZE(stock));
		assert_int_equal(strncmp(metric->name, "kvm.", 4), 0);
		assert_string_equal(metric->name + 4, stock[n]);
		assert_int_equal(metric->item, n);
		assert_int_equal(metric->type, METRIC_U64);
		assert_int_equal(metric->units, METRIC_COUNT);
		assert_int_equal(metric->indom, METRIC_INDOM_NULL);
		assert_int_equal(metric->semantics,
				 is_gauge(stock[n]) ? METRIC_INSTANT : METRIC_COUNTER);
		n++;
	}
	assert_int_equal(n, 43);
}

/* kvm.trace.count and the subtree kvm.trace are also the stock agent's. */
static void test_cluster_1(void **state)
{
	const struct metric *count = NULL, *trace = metrics_subtree_of("kvm.trace.kvm_exit");

	(void)state;
	for (size_t i = 0; i < metrics_count; i++) {
		if (strcmp(metrics[i].name, "kvm.trace.count") == 0)
			count = &metrics[i];
	}
	assert_non_null(count);
	assert_int_equal(count->cluster, 1);
	assert_int_equal(count->item, 0);
	assert_int_equal(count->type, METRIC_U64);
	assert_int_equal(count->semantics, METRIC_DISCRETE);
	assert_int_equal(count->indom, METRIC_INDOM_NULL);
	assert_non_null(trace);
	assert_string_equal(trace->name, "kvm.trace");
	assert_int_equal(trace->cluster, 1);
	assert_int_equal(trace->type, METRIC_U64);
	assert_int_equal(trace->semantics, METRIC_COUNTER);
	assert_int_equal(trace->units, METRIC_COUNT);
	assert_int_equal(trace->indom, METRIC_INDOM_CPU);
}

/* Metrics of clusters 2 and 3; their PMIDs never change. */
static void test_the_agents_own(void **state)
{
	static const struct {
		const char *name;
		unsigned cluster, item;
		enum metric_type type;
		enum metric_indom indom;
	} rows[] = {
		{ "kvm.agent.version", 2, 0, METRIC_STRING, METRIC_INDOM_NULL },
		{ "kvm.agent.family.attached", 2, 1, METRIC_U32, METRIC_INDOM_FAMILY },
		{ "kvm.agent.family.status", 2, 2, METRIC_STRING, METRIC_INDOM_FAMILY },
		{ "kvm.agent.family.missed", 2, 3, METRIC_U64, METRIC_INDOM_FAMILY },
		{ "kvm.agent.family.attach_time", 2, 4, METRIC_U64, METRIC_INDOM_FAMILY },
		{ "kvm.agent.event.attached", 2, 5, METRIC_U32, METRIC_INDOM_EVENT },
		{ "kvm.agent.event.status", 2, 6, METRIC_STRING, METRIC_INDOM_EVENT },
		{ "kvm.agent.event.missed", 2, 7, METRIC_U64, METRIC_INDOM_EVENT },
		{ "kvm.agent.family.generation", 2, 8, METRIC_U64, METRIC_INDOM_FAMILY },
		{ "kvm.agent.map.limit", 2, 9, METRIC_U64, METRIC_INDOM_MAP },
		{ "kvm.agent.map.used", 2, 10, METRIC_U64, METRIC_INDOM_MAP },
		{ "kvm.agent.map.bytes", 2, 11, METRIC_U64, METRIC_INDOM_MAP },
		{ "kvm.agent.map.dropped", 2, 12, METRIC_U64, METRIC_INDOM_MAP },
		{ "kvm.control.attached", 3, 0, METRIC_U32, METRIC_INDOM_FAMILY },
		{ "kvm.control.reset_max", 3, 1, METRIC_U32, METRIC_INDOM_NULL },
		{ "kvm.nvms", 4, 0, METRIC_U32, METRIC_INDOM_NULL },
		{ "kvm.nvcpus", 4, 1, METRIC_U32, METRIC_INDOM_NULL },
		{ "kvm.vm.vcpus", 4, 2, METRIC_U32, METRIC_INDOM_VM },
		{ "kvm.vm.pid", 4, 3, METRIC_U32, METRIC_INDOM_VM },
		{ "kvm.vm.name", 4, 4, METRIC_STRING, METRIC_INDOM_VM },
		{ "kvm.vcpu.tid", 4, 5, METRIC_U32, METRIC_INDOM_VCPU },
		{ "kvm.exit.total", 8, 0, METRIC_U64, METRIC_INDOM_NULL },
		{ "kvm.exit.total_time", 8, 1, METRIC_U64, METRIC_INDOM_NULL },
		{ "kvm.exit.count", 8, 2, METRIC_U64, METRIC_INDOM_EXIT },
		{ "kvm.exit.time", 8, 3, METRIC_U64, METRIC_INDOM_EXIT },
		{ "kvm.exit.max", 8, 4, METRIC_U64, METRIC_INDOM_EXIT },
		{ "kvm.exit.latency", 8, 5, METRIC_U64, METRIC_INDOM_EXIT_BUCKET },
		{ "kvm.vm.exit.total", 9, 0, METRIC_U64, METRIC_INDOM_VM },
		{ "kvm.vm.exit.count", 9, 1, METRIC_U64, METRIC_INDOM_VM_EXIT },
		{ "kvm.vm.exit.time", 9, 2, METRIC_U64, METRIC_INDOM_VM_EXIT },
		{ "kvm.vm.exit.latency", 9, 3, METRIC_U64, METRIC_INDOM_VM_EXIT_BUCKET },
		{ "kvm.vm.exit.max", 9, 4, METRIC_U64, METRIC_INDOM_VM_EXIT },
		{ "kvm.vm.nested.exits", 9, 5, METRIC_U64, METRIC_INDOM_VM },
		{ "kvm.vm.nested.reflected", 9, 6, METRIC_U64, METRIC_INDOM_VM },
		{ "kvm.vcpu.exits", 10, 0, METRIC_U64, METRIC_INDOM_VCPU },
		{ "kvm.vcpu.guest_time", 10, 1, METRIC_U64, METRIC_INDOM_VCPU },
		{ "kvm.vcpu.exit_time", 10, 2, METRIC_U64, METRIC_INDOM_VCPU },
		{ "kvm.vcpu.halt_time", 10, 3, METRIC_U64, METRIC_INDOM_VCPU },
		{ "kvm.vcpu.run_delay", 10, 4, METRIC_U64, METRIC_INDOM_VCPU },
		{ "kvm.vcpu.exit.count", 10, 5, METRIC_U64, METRIC_INDOM_VCPU_EXIT },
		{ "kvm.vcpu.exit.time", 10, 6, METRIC_U64, METRIC_INDOM_VCPU_EXIT },
		{ "kvm.vcpu.exit.max", 10, 7, METRIC_U64, METRIC_INDOM_VCPU_EXIT },
		{ "kvm.userspace_exit.count", 11, 0, METRIC_U64, METRIC_INDOM_USERSPACE_EXIT },
		{ "kvm.userspace_exit.time", 11, 1, METRIC_U64, METRIC_INDOM_USERSPACE_EXIT },
		{ "kvm.userspace_exit.max", 11, 2, METRIC_U64, METRIC_INDOM_USERSPACE_EXIT },
		{ "kvm.userspace_exit.latency", 11, 3, METRIC_U64,
		  METRIC_INDOM_USERSPACE_EXIT_BUCKET },
		{ "kvm.vm.userspace_exit.count", 12, 0, METRIC_U64,
		  METRIC_INDOM_VM_USERSPACE_EXIT },
		{ "kvm.vm.userspace_exit.time", 12, 1, METRIC_U64, METRIC_INDOM_VM_USERSPACE_EXIT },
		{ "kvm.vm.userspace_exit.max", 12, 2, METRIC_U64, METRIC_INDOM_VM_USERSPACE_EXIT },
		{ "kvm.vm.userspace_exit.latency", 12, 3, METRIC_U64,
		  METRIC_INDOM_VM_USERSPACE_EXIT_BUCKET },
		{ "kvm.vm.userspace_exit.total", 12, 4, METRIC_U64, METRIC_INDOM_VM },
		{ "kvm.cause.accesses", 14, 0, METRIC_U64, METRIC_INDOM_CAUSE },
		{ "kvm.cause.count", 14, 1, METRIC_U64, METRIC_INDOM_CAUSE },
		{ "kvm.cause.time", 14, 2, METRIC_U64, METRIC_INDOM_CAUSE },
		{ "kvm.cause.userspace_count", 14, 3, METRIC_U64, METRIC_INDOM_CAUSE },
		{ "kvm.cause.userspace_time", 14, 4, METRIC_U64, METRIC_INDOM_CAUSE },
		{ "kvm.cause.device", 14, 5, METRIC_STRING, METRIC_INDOM_CAUSE },
		{ "kvm.vm.cause.accesses", 15, 0, METRIC_U64, METRIC_INDOM_VM_CAUSE },
		{ "kvm.vm.cause.count", 15, 1, METRIC_U64, METRIC_INDOM_VM_CAUSE },
		{ "kvm.vm.cause.time", 15, 2, METRIC_U64, METRIC_INDOM_VM_CAUSE },
		{ "kvm.vm.cause.userspace_count", 15, 3, METRIC_U64, METRIC_INDOM_VM_CAUSE },
		{ "kvm.vm.cause.userspace_time", 15, 4, METRIC_U64, METRIC_INDOM_VM_CAUSE },
		{ "kvm.vm.cause.device", 15, 5, METRIC_STRING, METRIC_INDOM_VM_CAUSE },
		{ "kvm.time.guest", 16, 0, METRIC_U64, METRIC_INDOM_NULL },
		{ "kvm.time.kvm", 16, 1, METRIC_U64, METRIC_INDOM_NULL },
		{ "kvm.time.poll", 16, 2, METRIC_U64, METRIC_INDOM_NULL },
		{ "kvm.time.halted", 16, 3, METRIC_U64, METRIC_INDOM_NULL },
		{ "kvm.time.vmm", 16, 4, METRIC_U64, METRIC_INDOM_NULL },
		{ "kvm.time.ready", 16, 5, METRIC_U64, METRIC_INDOM_NULL },
		{ "kvm.time.unknown", 16, 6, METRIC_U64, METRIC_INDOM_NULL },
		{ "kvm.time.total", 16, 7, METRIC_U64, METRIC_INDOM_NULL },
		{ "kvm.vm.time.guest", 17, 0, METRIC_U64, METRIC_INDOM_VM },
		{ "kvm.vm.time.kvm", 17, 1, METRIC_U64, METRIC_INDOM_VM },
		{ "kvm.vm.time.poll", 17, 2, METRIC_U64, METRIC_INDOM_VM },
		{ "kvm.vm.time.halted", 17, 3, METRIC_U64, METRIC_INDOM_VM },
		{ "kvm.vm.time.vmm", 17, 4, METRIC_U64, METRIC_INDOM_VM },
		{ "kvm.vm.time.ready", 17, 5, METRIC_U64, METRIC_INDOM_VM },
		{ "kvm.vm.time.unknown", 17, 6, METRIC_U64, METRIC_INDOM_VM },
		{ "kvm.vm.time.total", 17, 7, METRIC_U64, METRIC_INDOM_VM },
		{ "kvm.vm.open.guest", 17, 8, METRIC_S64, METRIC_INDOM_VM },
		{ "kvm.vm.open.kvm", 17, 9, METRIC_S64, METRIC_INDOM_VM },
		{ "kvm.vm.open.halted", 17, 10, METRIC_S64, METRIC_INDOM_VM },
		{ "kvm.vm.open.vmm", 17, 11, METRIC_S64, METRIC_INDOM_VM },
		{ "kvm.vm.open.unknown", 17, 12, METRIC_S64, METRIC_INDOM_VM },
		{ "kvm.vm.open.total", 17, 13, METRIC_S64, METRIC_INDOM_VM },
		{ "kvm.vcpu.time.guest", 18, 0, METRIC_U64, METRIC_INDOM_VCPU },
		{ "kvm.vcpu.time.kvm", 18, 1, METRIC_U64, METRIC_INDOM_VCPU },
		{ "kvm.vcpu.time.poll", 18, 2, METRIC_U64, METRIC_INDOM_VCPU },
		{ "kvm.vcpu.time.halted", 18, 3, METRIC_U64, METRIC_INDOM_VCPU },
		{ "kvm.vcpu.time.vmm", 18, 4, METRIC_U64, METRIC_INDOM_VCPU },
		{ "kvm.vcpu.time.ready", 18, 5, METRIC_U64, METRIC_INDOM_VCPU },
		{ "kvm.vcpu.time.unknown", 18, 6, METRIC_U64, METRIC_INDOM_VCPU },
		{ "kvm.vcpu.time.total", 18, 7, METRIC_U64, METRIC_INDOM_VCPU },
		{ "kvm.vcpu.time.open", 18, 8, METRIC_S64, METRIC_INDOM_VCPU },
		{ "kvm.vcpu.state", 18, 9, METRIC_U32, METRIC_INDOM_VCPU },
		{ "kvm.vcpu.open.guest", 18, 10, METRIC_S64, METRIC_INDOM_VCPU },
		{ "kvm.vcpu.open.kvm", 18, 11, METRIC_S64, METRIC_INDOM_VCPU },
		{ "kvm.vcpu.open.halted", 18, 12, METRIC_S64, METRIC_INDOM_VCPU },
		{ "kvm.vcpu.open.vmm", 18, 13, METRIC_S64, METRIC_INDOM_VCPU },
		{ "kvm.vcpu.open.unknown", 18, 14, METRIC_S64, METRIC_INDOM_VCPU },
		{ "kvm.vm.wake.latency", 19, 0, METRIC_U64, METRIC_INDOM_VM_HALT_BUCKET },
		{ "kvm.vm.halt.polled", 19, 1, METRIC_U64, METRIC_INDOM_VM_HALT_BUCKET },
		{ "kvm.vm.halt.waited", 19, 2, METRIC_U64, METRIC_INDOM_VM_HALT_BUCKET },
		{ "kvm.vm.halt.poll_time", 19, 3, METRIC_U64, METRIC_INDOM_VM },
		{ "kvm.vm.halt.poll_attempts", 19, 4, METRIC_U64, METRIC_INDOM_VM },
		{ "kvm.vcpu.wake.latency", 20, 0, METRIC_U64, METRIC_INDOM_VCPU_HALT_BUCKET },
		{ "kvm.vcpu.timer.late", 20, 1, METRIC_U64, METRIC_INDOM_VCPU_HALT_BUCKET },
		{ "kvm.vcpu.slow.when", 23, 0, METRIC_U64, METRIC_INDOM_VCPU_SLOW },
		{ "kvm.vcpu.slow.duration", 23, 1, METRIC_U64, METRIC_INDOM_VCPU_SLOW },
		{ "kvm.vcpu.slow.reason", 23, 2, METRIC_STRING, METRIC_INDOM_VCPU_SLOW },
		{ "kvm.vcpu.slow.cause", 23, 3, METRIC_STRING, METRIC_INDOM_VCPU_SLOW },
		{ "kvm.vcpu.slow.guest", 23, 4, METRIC_U64, METRIC_INDOM_VCPU_SLOW },
		{ "kvm.vcpu.slow.kvm", 23, 5, METRIC_U64, METRIC_INDOM_VCPU_SLOW },
		{ "kvm.vcpu.slow.poll", 23, 6, METRIC_U64, METRIC_INDOM_VCPU_SLOW },
		{ "kvm.vcpu.slow.halted", 23, 7, METRIC_U64, METRIC_INDOM_VCPU_SLOW },
		{ "kvm.vcpu.slow.vmm", 23, 8, METRIC_U64, METRIC_INDOM_VCPU_SLOW },
		{ "kvm.vcpu.slow.ready", 23, 9, METRIC_U64, METRIC_INDOM_VCPU_SLOW },
		{ "kvm.vm.slow_count", 23, 10, METRIC_U64, METRIC_INDOM_VM },
	};
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < metrics_count; i++) {
		const struct metric *metric = &metrics[i];

		if (metric->cluster < 2 || metric_is_subtree(metric))
			continue;
		assert_true(n < ARRAY_SIZE(rows));
		assert_string_equal(metric->name, rows[n].name);
		assert_int_equal(metric->cluster, rows[n].cluster);
		assert_int_equal(metric->item, rows[n].item);
		assert_int_equal(metric->type, rows[n].type);
		assert_int_equal(metric->indom, rows[n].indom);
		assert_non_null(metric->table);
		n++;
	}
	assert_int_equal(n, ARRAY_SIZE(rows));
}

static void test_pmids_and_names_are_unique(void **state)
{
	(void)state;
	for (size_t i = 0; i < metrics_count; i++) {
		const struct metric *one = &metrics[i];

		assert_true(one->cluster <= CLUSTER_MAX);
		assert_true(one->item <= ITEM_MAX);
		for (size_t j = 0; j < i; j++) {
			const struct metric *other = &metrics[j];

			/* rows of a subtree share a cluster and differ in table */
			if (metric_is_subtree(one) && strcmp(one->name, other->name) == 0) {
				assert_true(metric_is_subtree(other));
				assert_int_equal(one->cluster, other->cluster);
				assert_int_equal(one->group, other->group);
				assert_string_not_equal(one->table, other->table);
				continue;
			}
			assert_string_not_equal(one->name, other->name);
			if (metric_is_subtree(one) || metric_is_subtree(other))
				continue;
			assert_false(one->cluster == other->cluster && one->item == other->item);
		}
	}
}

/* No metric's item is in the range of a subtree of its cluster. */
static void test_subtrees_have_room(void **state)
{
	(void)state;
	for (size_t i = 0; i < metrics_count; i++) {
		for (size_t j = 0; metric_is_subtree(&metrics[i]) && j < metrics_count; j++) {
			const struct item_list *items = &items_known[metrics[i].group];

			if (j == i || metrics[j].cluster != metrics[i].cluster ||
			    strcmp(metrics[j].name, metrics[i].name) == 0)
				continue;
			assert_false(metric_is_subtree(&metrics[j]));
			assert_true(metrics[j].item < ITEMS_FREE_FIRST);
			for (size_t k = 0; k < items->n; k++)
				assert_int_not_equal(metrics[j].item, items->list[k].number);
		}
	}
}

/* Words of letters, digits and _, separated by dots; no metric is also an inner node. */
static void test_names_are_pmns_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < metrics_count; i++) {
		const char *name = metrics[i].name;
		size_t len = strlen(name);

		assert_int_equal(strncmp(name, "kvm.", 4), 0);
		assert_int_not_equal(name[len - 1], '.');
		for (const char *p = name; *p; p++) {
			if (p == name || p[-1] == '.')
				assert_true(isalpha((unsigned char)*p));
			else
				assert_true(isalnum((unsigned char)*p) || *p == '_' || *p == '.');
		}
		for (size_t j = 0; j < metrics_count; j++) {
			if (strncmp(metrics[j].name, name, len) == 0 && metrics[j].name[len] == '.')
				assert_true(metric_is_subtree(&metrics[i]));
		}
	}
}

static void test_rows_make_sense(void **state)
{
	(void)state;
	for (size_t i = 0; i < metrics_count; i++) {
		const struct metric *metric = &metrics[i];

		if (metric->semantics == METRIC_COUNTER) {
			assert_int_equal(metric->type, METRIC_U64);
			assert_int_not_equal(metric->units, METRIC_NONE);
		}
		if (metric->type == METRIC_STRING) {
			assert_int_equal(metric->units, METRIC_NONE);
			assert_int_equal(metric->semantics, METRIC_DISCRETE);
		}
		if (metric->units == METRIC_NSEC && metric->type != METRIC_S64)
			assert_int_equal(metric->type, METRIC_U64);
		if (metric->type == METRIC_S64)
			assert_int_equal(metric->semantics, METRIC_INSTANT);
		if (!metric->table)
			assert_null(metric->column);
		for (size_t j = 0; metric->table && j < i; j++) {
			if (!metrics[j].table || strcmp(metrics[j].table, metric->table) != 0)
				continue;
			assert_int_equal(metrics[j].indom, metric->indom);
			assert_string_not_equal(metrics[j].column, metric->column);
		}
	}
}

static void test_indoms(void **state)
{
	(void)state;
	assert_int_equal(metric_indoms[METRIC_INDOM_CPU].serial, 0); /* the stock agent's */
	assert_int_equal(METRIC_INDOM_NULL, METRIC_INDOMS);
	for (size_t i = 0; i < METRIC_INDOMS; i++) {
		json_t *labels = json_loads(metric_indoms[i].labels, 0, NULL);

		assert_true(json_is_object(labels));
		assert_true(json_is_string(json_object_get(labels, "indom_name")));
		json_decref(labels);
		assert_true(strlen(metric_indoms[i].text) > 0);
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(metric_indoms[i].serial, metric_indoms[j].serial);
	}
}

static void test_words(void **state)
{
	(void)state;
	assert_string_equal(metric_semantics_name(METRIC_COUNTER), "counter");
	assert_string_equal(metric_semantics_name(METRIC_INSTANT), "instant");
	assert_string_equal(metric_semantics_name(METRIC_DISCRETE), "discrete");
	assert_string_equal(metric_units_name(METRIC_NONE), "");
	assert_string_equal(metric_units_name(METRIC_COUNT), "count");
	assert_string_equal(metric_units_name(METRIC_NSEC), "ns");
}

static void test_subtree_of(void **state)
{
	static const char *const others[] = {
		"kvm.trace", "kvm.tracer.x", "kvm.exits",    "kvm.vm.pid", "kvm.stat", "kvm",
		"",	     "kvm.trac.e",   "xkvm.trace.x",
	};

	(void)state;
	assert_string_equal(metrics_subtree_of("kvm.trace.count")->name, "kvm.trace");
	assert_string_equal(metrics_subtree_of("kvm.trace.")->name, "kvm.trace");
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_null(metrics_subtree_of(others[i]));
	assert_string_equal(metrics_subtree_of("kvm.stat.exits")->name, "kvm.stat");
	assert_string_equal(metrics_subtree_of("kvm.vm.stat.exits")->name, "kvm.vm.stat");
	assert_string_equal(metrics_subtree_of("kvm.vcpu.stat.exits")->name, "kvm.vcpu.stat");
	for (size_t i = 0; i < metrics_count; i++)
		assert_int_equal(metric_is_subtree(&metrics[i]),
				 strcmp(metrics[i].name, "kvm.trace") == 0 ||
					 strcmp(strrchr(metrics[i].name, '.'), ".stat") == 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stock_names_and_pmids),
		cmocka_unit_test(test_cluster_1),
		cmocka_unit_test(test_the_agents_own),
		cmocka_unit_test(test_pmids_and_names_are_unique),
		cmocka_unit_test(test_subtrees_have_room),
		cmocka_unit_test(test_names_are_pmns_names),
		cmocka_unit_test(test_rows_make_sense),
		cmocka_unit_test(test_indoms),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_subtree_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
