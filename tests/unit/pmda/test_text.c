// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The callback for help texts; what the texts are is in test_help_text.c. */
#include "fakes/fake_agent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pmda/help_text.h"

/* The text of a metric, or of an instance domain (PM_TEXT_INDOM). */
static const char *text_of(int ident, int type)
{
	char *text = NULL;

	assert_int_equal(AGENT.text(ident, type, &text, AGENT.ext), 0);
	assert_non_null(text);
	return text;
}

static void assert_no_text(int ident, int type, int err)
{
	char *text = (char *)"untouched";

	assert_int_equal(AGENT.text(ident, type, &text, AGENT.ext), err);
	assert_string_equal(text, "untouched");
}

static const char *metric_text_of(unsigned cluster, unsigned item, int type)
{
	return text_of((int)agent_pmid(cluster, item), PM_TEXT_PMID | type);
}

static void test_metrics(void **state)
{
	const char *text;

	(void)state;
	assert_string_equal(metric_text_of(3, 1, PM_TEXT_ONELINE),
			    "Store 1 to reset all maxima of exit times; reads as 0");
	text = metric_text_of(3, 1, PM_TEXT_HELP);
	assert_true(strncmp(text, "Store 1 to reset all maxima of exit times; reads as 0.\nNothing",
			    62) == 0);
	assert_no_text((int)agent_pmid(3, 99), PM_TEXT_PMID | PM_TEXT_ONELINE, PM_ERR_PMID);
	assert_no_text((int)agent_pmid(99, 0), PM_TEXT_PMID | PM_TEXT_HELP, PM_ERR_PMID);
}

static void test_items_of_a_subtree(void **state)
{
	unsigned item = items_find(ITEMS_TRACE, "kvm_exit")->number;
	const char *text;

	(void)state;
	assert_string_equal(metric_text_of(1, item, PM_TEXT_ONELINE),
			    items_find(ITEMS_TRACE, "kvm_exit")->help);
	text = metric_text_of(1, item, PM_TEXT_HELP);
	assert_true(strncmp(text, items_find(ITEMS_TRACE, "kvm_exit")->help,
			    strlen(items_find(ITEMS_TRACE, "kvm_exit")->help)) == 0);
	assert_non_null(strstr(text, ".\nHow often the tracepoint kvm:kvm_exit fired"));
}

static void test_instance_domains(void **state)
{
	(void)state;
	for (int i = 0; i < METRIC_INDOMS; i++) {
		const char *text = text_of((int)agent_indom((enum metric_indom)i),
					   PM_TEXT_INDOM | PM_TEXT_ONELINE);

		assert_string_equal(text, metric_indoms[i].text);
	}
	assert_no_text((int)pmInDom_build(95, 200), PM_TEXT_INDOM | PM_TEXT_HELP, PM_ERR_INDOM);
}

/* An agent whose only metric is this subtree's item, or a metric of the stock agent. */
static int named_text(const struct metric *metric, const char *item, int type, char **ret_text)
{
	char name[64];
	struct metric_ref ref = { .metric = metric, .name = name };
	const struct metric_ref *index[] = { &ref };
	struct kvm_agent agent = { .index = index, .nmetrics = 1 };
	pmdaInterface alone = { .domain = 95 };
	int err;

	if (metric_is_subtree(metric))
		snprintf(name, sizeof(name), "%s.%s", metric->name, item);
	else
		snprintf(name, sizeof(name), "%s", metric->name);
	ref.key = kvm_metric_key(metric->cluster, 1);
	pmdaDSO(&alone, PMDA_INTERFACE_7, "kvm test", NULL);
	pmdaExtSetData(alone.version.any.ext, &agent);
	err = kvm_text((int)agent_pmid(metric->cluster, 1), PM_TEXT_PMID | type, ret_text,
		       alone.version.any.ext);
	assert_ptr_equal(agent.text, err ? NULL : *ret_text);
	free(alone.version.any.ext->e_ext);
	free(alone.version.any.ext);
	return err;
}

static int subtree_text(const struct metric *metric, char **ret_text)
{
	return named_text(metric, "kvm_exit", PM_TEXT_HELP, ret_text);
}

static const struct metric *metric_of(const char *table)
{
	for (size_t i = 0; i < metrics_count; i++) {
		if (strcmp(metrics[i].table, table) == 0)
			return &metrics[i];
	}
	fail_msg("no metric of %s", table);
	return NULL;
}

/* The long text of an item has, or lacks, these words. */
static void assert_words(const char *table, const char *item, const char *words, bool has)
{
	char *text = NULL;

	assert_int_equal(named_text(metric_of(table), item, PM_TEXT_HELP, &text), 0);
	if (!!strstr(text, words) != has)
		fail_msg("%s of %s %s \"%s\": %s", item, table, has ? "lacks" : "has", words, text);
	free(text);
}

/* A counter is summed up, a gauge goes up and down, a peak is no sum. */
static void test_kinds(void **state)
{
	(void)state;
	assert_words("stat", "halt_wait_ns", "summed over all VMs, those that have\nended", true);
	assert_words("stat", "pages_4k", "gauge", true);
	assert_words("stat", "pages_4k", "ended", false);
	assert_words("stat", "max_mmu_rmap_size", "peak", true);
	assert_words("stat", "max_mmu_rmap_size", "summed", false);
	assert_words("vm_stat", "max_mmu_rmap_size", "sum over", false);
	assert_words("vcpu_stat", "blocking", " now", true);
	assert_words("stat_hist", "halt_wait_hist", "fell into each bucket", true);
}

/* What the kernel has and we do not know says its name, and where that comes from. */
static void test_unknown(void **state)
{
	char *text = NULL;

	(void)state;
	assert_int_equal(named_text(metric_of("stat"), "brand_new", PM_TEXT_ONELINE, &text), 0);
	assert_string_equal(text, "KVM's statistic brand_new of this kernel");
	free(text);
	text = NULL;
	assert_int_equal(named_text(metric_of("trace"), "kvm_new", PM_TEXT_ONELINE, &text), 0);
	assert_string_equal(text, "Tracepoint kvm:kvm_new of this kernel");
	free(text);
	assert_words("stat", "brand_new", "struct kvm_vm_stat", true);
	assert_words("vcpu_stat_hist", "brand_new", "does not know", true);
	assert_words("trace", "kvm_new", "arch/*/kvm/trace.h", true);
	assert_words("trace", "kvm_exit", "does not know", false);
	assert_words("stat", "pages_4k", "does not know", false);
}

/* The stock agent's metrics are statistics, too. */
static void test_stock(void **state)
{
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < metrics_count; i++) {
		char *text = NULL;

		if (strcmp(metrics[i].table, "stock") != 0)
			continue;
		assert_int_equal(named_text(&metrics[i], NULL, PM_TEXT_HELP, &text), 0);
		if (!strstr(text, metrics[i].column) || !strstr(text, "\nNo value:") ||
		    strstr(text, "does not know"))
			fail_msg("%s: %s", metrics[i].name, text);
		free(text);
		n++;
	}
	assert_true(n > 40);
	assert_words("stock", NULL, "summed over all VMs", true);
}

static void test_every_subtree_has_a_text(void **state)
{
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < metrics_count; i++) {
		char *text = NULL;

		if (!metric_is_subtree(&metrics[i]))
			continue;
		n++;
		if (subtree_text(&metrics[i], &text))
			fail_msg("no text for subtree %s, table %s", metrics[i].name,
				 metrics[i].table);
		assert_non_null(strstr(text, "kvm_exit"));
		assert_non_null(strstr(text, "No value:"));
		free(text);
	}
	assert_true(n > 0);
}

/* A subtree whose table is new has no text, as a metric without help has none. */
static void test_a_subtree_with_a_new_table(void **state)
{
	const struct metric metric = {
		.name = "kvm.new", .cluster = 200, .indom = METRIC_INDOM_NULL, .table = "zzz_new"
	};
	char *text = NULL;

	(void)state;
	assert_int_equal(subtree_text(&metric, &text), PM_ERR_TEXT);
	assert_null(text);
}

static void test_no_memory(void **state)
{
	(void)state;
	for (unsigned n = 0;; n++) {
		char *text = (char *)"untouched";
		int err;

		alloc_fail_at(n);
		err = AGENT.text((int)agent_pmid(3, 1), PM_TEXT_PMID | PM_TEXT_HELP, &text,
				 AGENT.ext);
		if (!alloc_failed()) {
			assert_true(n > 0);
			break;
		}
		assert_int_equal(err, -ENOMEM);
		assert_string_equal(text, "untouched");
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		agent_test(test_metrics),
		agent_test(test_items_of_a_subtree),
		agent_test(test_instance_domains),
		agent_test(test_kinds),
		agent_test(test_unknown),
		agent_test(test_stock),
		agent_test(test_every_subtree_has_a_text),
		agent_test(test_a_subtree_with_a_new_table),
		agent_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
