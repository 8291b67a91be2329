// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The .def tables and assigned numbers; test_item_numbers_file.c tests the file. */
#include "fakes/support.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "metrics/help.h"
#include "metrics/item_numbers.h"
#include "metrics/metric_table.h"

#define STOCK_STATS 43

/* Append-only: numbers ascend from the first one, without gaps. */
static void assert_known(enum item_group group, unsigned first)
{
	const struct item_list *known = &items_known[group];

	for (size_t i = 0; i < known->n; i++) {
		const struct item *item = &known->list[i];

		assert_int_equal(item->number, first + i);
		assert_true(item->number < ITEMS_FREE_FIRST);
		assert_true(isalpha((unsigned char)*item->name));
		for (const char *p = item->name; *p; p++)
			assert_true(isalnum((unsigned char)*p) || *p == '_');
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(item->name, known->list[j].name);
		assert_ptr_equal(items_find(group, item->name), item);
	}
}

static void test_known_events(void **state)
{
	const struct item_list *known = &items_known[ITEMS_TRACE];

	(void)state;
	assert_true(known->n > 200);
	assert_known(ITEMS_TRACE, 1);
	for (size_t i = 0; i < known->n; i++) {
		/* kvm.trace.count exists */
		assert_string_not_equal(known->list[i].name, "count");
		assert_int_equal(known->list[i].kind, STAT_CUMULATIVE);
		assert_int_equal(known->list[i].units, METRIC_COUNT);
	}
	assert_int_equal(ITEMS_FREE_FIRST, 768);
	assert_int_equal(ITEMS_FREE_LAST, 1023); /* 10 bits */
}

static void test_known_stats(void **state)
{
	(void)state;
	assert_true(items_known[ITEMS_STAT].n > 300);
	assert_known(ITEMS_STAT, 0);
	for (size_t i = 0; i < items_known[ITEMS_STAT].n; i++)
		assert_true(strlen(items_known[ITEMS_STAT].list[i].name) <
			    48); /* the kernel's KVM_STATS_NAME_SIZE */
}

/* The stock agent's default order: its archives and ours use the same PMIDs. */
static void test_the_first_five(void **state)
{
	static const char *const first[] = {
		"kvm_exit", "kvm_entry", "kvm_mmio", "kvm_hypercall", "kvm_vcpu_wakeup",
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(first); i++) {
		assert_string_equal(items_known[ITEMS_TRACE].list[i].name, first[i]);
		assert_int_equal(items_known[ITEMS_TRACE].list[i].number, i + 1);
	}
}

static const char *oneline_of(const char *name)
{
	const struct help *help = help_of(name);

	if (!help)
		fail_msg("no help for %s", name);
	return help->oneline;
}

/* The stock agent's metrics are the first statistics: same numbers, help and semantics. */
static void test_stock_stats(void **state)
{
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < metrics_count; i++) {
		const struct metric *metric = &metrics[i];
		const struct item *item;

		if (metric->cluster != 0)
			continue;
		n++;
		assert_false(metric_is_subtree(metric));
		item = items_find(ITEMS_STAT, metric->name + strlen("kvm."));
		if (!item)
			fail_msg("%s is not in stats.def", metric->name);
		assert_int_equal(item->number, metric->item);
		assert_int_equal(item->units, metric->units);
		assert_int_equal(item->kind, metric->semantics == METRIC_INSTANT ? STAT_INSTANT :
										   STAT_CUMULATIVE);
		assert_string_equal(item->help, oneline_of(metric->name));
	}
	assert_int_equal(n, STOCK_STATS);
}

static bool ends_with(const char *name, const char *end)
{
	size_t len = strlen(name), end_len = strlen(end);

	return len >= end_len && strcmp(name + len - end_len, end) == 0;
}

/* Kinds and units match the kernel's naming: _hist, _ns and max_. */
static void test_kinds_by_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < items_known[ITEMS_STAT].n; i++) {
		const struct item *item = &items_known[ITEMS_STAT].list[i];
		bool hist = ends_with(item->name, "_hist");

		assert_int_equal(item->kind == STAT_LOG_HIST, hist);
		assert_int_not_equal(item->kind,
				     STAT_LINEAR_HIST); /* no kernel has a linear histogram yet */
		assert_int_equal(item->kind == STAT_PEAK, strncmp(item->name, "max_", 4) == 0);
		assert_int_equal(item->units == METRIC_NSEC, hist || ends_with(item->name, "_ns"));
		assert_int_equal(item->units == METRIC_BYTES, ends_with(item->name, "_mem"));
		assert_int_not_equal(item->units, METRIC_NONE);
		if (ends_with(item->name, "_exits"))
			assert_int_equal(item->kind, STAT_CUMULATIVE);
	}
}

/* Gauges; all others except peaks only grow. */
static void test_gauges(void **state)
{
	static const char *const gauges[] = {
		"largepages",
		"mmu_unsync",
		"guest_mode",
		"blocking",
		"mmu_shadow_pages",
		"pages_4k",
		"pages_2m",
		"pages_1g",
		"pages",
		"lpages",
		"nx_lpage_splits",
		"nx_largepages_splitted",
		"protected_hyp_mem",
		"num_2M_pages",
		"protected_shared_mem",
		"num_1G_pages",
		"largepages_2M",
		"largepages_1G",
		"hugepages",
	};
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < items_known[ITEMS_STAT].n; i++)
		n += items_known[ITEMS_STAT].list[i].kind == STAT_INSTANT;
	assert_int_equal(n, ARRAY_SIZE(gauges));
	for (size_t i = 0; i < ARRAY_SIZE(gauges); i++) {
		const struct item *item = items_find(ITEMS_STAT, gauges[i]);

		assert_non_null(item);
		assert_int_equal(item->kind, STAT_INSTANT);
	}
}

/* FNV-1a over the names of the first n rows. */
static uint32_t names_hash(enum item_group group, size_t n)
{
	uint32_t hash = 2166136261U;

	assert_true(n <= items_known[group].n);
	for (size_t i = 0; i < n; i++) {
		const char *name = items_known[group].list[i].name;

		for (size_t k = 0; k <= strlen(name); k++)
			hash = (hash ^ (unsigned char)name[k]) * 16777619U;
	}
	return hash;
}

/* No name's number ever changes; new rows come after these. */
static void test_numbers_stay(void **state)
{
	(void)state;
	assert_int_equal(names_hash(ITEMS_TRACE, 232), 0x467236dfU);
	assert_int_equal(names_hash(ITEMS_STAT, 326), 0x39f97568U);
}

/* Each group has its own names. */
static void test_find(void **state)
{
	(void)state;
	assert_null(items_find(ITEMS_TRACE, "kvm_exi"));
	assert_null(items_find(ITEMS_TRACE, "kvm_exitt"));
	assert_null(items_find(ITEMS_TRACE, ""));
	assert_null(items_find(ITEMS_TRACE, "exits"));
	assert_null(items_find(ITEMS_STAT, "exit"));
	assert_null(items_find(ITEMS_STAT, ""));
	assert_null(items_find(ITEMS_STAT, "kvm_exit"));
}

static void test_numbers(void **state)
{
	const struct item_list *known = &items_known[ITEMS_TRACE];
	struct items items;

	(void)state;
	assert_int_equal(items_load(NULL, NULL, &items), 0);
	assert_int_equal(items_number(&items, ITEMS_TRACE, "kvm_mmio"), 3);
	assert_int_equal(items_number(&items, ITEMS_TRACE, known->list[known->n - 1].name),
			 known->n);
	assert_int_equal(items_number(&items, ITEMS_STAT, "efer_reload"), 0);
	assert_int_equal(items_number(&items, ITEMS_STAT, "exits"), 1);
	assert_int_equal(items_number(&items, ITEMS_STAT, "halt_wait_hist"), 49);
	assert_false(items.changed);
	assert_int_equal(items_number(&items, ITEMS_TRACE, "new_one"), 768);
	assert_true(items.changed);
	assert_int_equal(items_number(&items, ITEMS_TRACE, "new_two"), 769);
	assert_int_equal(items_number(&items, ITEMS_TRACE, "new_one"), 768);
	assert_int_equal(items_save(&items), 0); /* no file */
	items_free(&items);
	assert_null(items.names[ITEMS_TRACE][0]);
	items_free(&items);
}

/* A name assigned in one group is unknown in the other, and the same numbers are free there. */
static void test_numbers_of_two_groups(void **state)
{
	struct items items;

	(void)state;
	assert_int_equal(items_load(NULL, NULL, &items), 0);
	assert_int_equal(items_number(&items, ITEMS_STAT, "new_stat"), 768);
	assert_true(items.changed);
	assert_int_equal(items_number(&items, ITEMS_TRACE, "new_event"), 768);
	assert_int_equal(items_number(&items, ITEMS_TRACE, "new_stat"), 769);
	assert_int_equal(items_number(&items, ITEMS_STAT, "kvm_exit"), 769);
	assert_int_equal(items_number(&items, ITEMS_TRACE, "exits"), 770);
	assert_int_equal(items_number(&items, ITEMS_STAT, "new_stat"), 768);
	assert_int_equal(items_number(&items, ITEMS_STAT, "exits"), 1);
	assert_null(items.names[ITEMS_STAT][2]);
	assert_null(items.names[ITEMS_TRACE][3]);
	items_free(&items);
}

static void assert_full(struct items *items, enum item_group group)
{
	char name[16];

	for (int i = 0; i < 256; i++) {
		snprintf(name, sizeof(name), "name%d", i);
		assert_int_equal(items_number(items, group, name), 768 + i);
	}
	assert_int_equal(items_number(items, group, "name256"), -ENOSPC);
	assert_int_equal(items_number(items, group, "name255"), 1023);
}

static void test_all_numbers_taken(void **state)
{
	struct items items;

	(void)state;
	assert_int_equal(items_load(NULL, NULL, &items), 0);
	assert_full(&items, ITEMS_TRACE);
	assert_int_equal(items_number(&items, ITEMS_TRACE, "kvm_exit"), 1);
	assert_null(items.names[ITEMS_STAT][0]); /* a full group uses no number of the other */
	assert_full(&items, ITEMS_STAT);
	assert_int_equal(items_number(&items, ITEMS_STAT, "efer_reload"), 0);
	assert_int_equal(items_number(&items, ITEMS_TRACE, "name256"), -ENOSPC);
	assert_int_equal(items_number(&items, ITEMS_TRACE, "name0"), 768);
	items_free(&items);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_events),
		cmocka_unit_test(test_known_stats),
		cmocka_unit_test(test_the_first_five),
		cmocka_unit_test(test_stock_stats),
		cmocka_unit_test(test_kinds_by_name),
		cmocka_unit_test(test_gauges),
		cmocka_unit_test(test_numbers_stay),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_numbers_of_two_groups),
		cmocka_unit_test(test_all_numbers_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
