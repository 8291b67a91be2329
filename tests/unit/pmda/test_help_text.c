// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The help texts of all metrics: of the file help, tracepoint_items.def and stat_items.def. */
#include "fakes/support.h"

#include <ctype.h>
#include <string.h>

#include "metrics/help.h"
#include "metrics/item_numbers.h"
#include "metrics/metric_table.h"

#define LINE_MAX_BYTES 79

/* The one-line help fits a terminal's line, and is more than the metric's name. */
static void assert_oneline(const char *name, const char *text)
{
	size_t len = strlen(text);

	if (len == 0 || len > LINE_MAX_BYTES)
		fail_msg("%s: %zu bytes of one line", name, len);
	if (isspace((unsigned char)text[0]) || isspace((unsigned char)text[len - 1]) ||
	    text[len - 1] == '.')
		fail_msg("%s: blanks around, or a full stop behind \"%s\"", name, text);
	for (const char *p = text; *p; p++) {
		if ((unsigned char)*p < ' ' || (unsigned char)*p > '~')
			fail_msg("%s: byte 0x%02x in one line", name, (unsigned char)*p);
	}
	if (strcmp(name, text) == 0)
		fail_msg("%s: its one line is its name", name);
}

static const struct help *help_find(const char *name)
{
	for (size_t i = 0; i < helps_count; i++) {
		if (strcmp(helps[i].name, name) == 0)
			return &helps[i];
	}
	return NULL;
}

static void test_every_metric_has_help(void **state)
{
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < metrics_count; i++) {
		if (metric_is_subtree(&metrics[i]))
			continue;
		if (!help_find(metrics[i].name))
			fail_msg("no help for %s", metrics[i].name);
		n++;
	}
	assert_int_equal(n, helps_count); /* names are unique, so there is no other help */
}

static void test_every_help_has_a_metric(void **state)
{
	(void)state;
	for (size_t i = 0; i < helps_count; i++) {
		size_t found = 0;

		for (size_t j = 0; j < metrics_count; j++)
			found += strcmp(metrics[j].name, helps[i].name) == 0 &&
				 !metric_is_subtree(&metrics[j]);
		if (found != 1)
			fail_msg("help for %s, which is %zu metrics", helps[i].name, found);
		assert_ptr_equal(help_find(helps[i].name), &helps[i]);
	}
}

static void test_one_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < helps_count; i++)
		assert_oneline(helps[i].name, helps[i].oneline);
}

/* Tables whose values are there as long as the agent is. */
static bool always_there(const char *table)
{
	static const char *const tables[] = { "agent", "family",  "event",
					      "map",   "control", "control_reset",
					      "vms",   "vm",	  "trace_events" };

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		if (strcmp(tables[i], table) == 0)
			return true;
	}
	return false;
}

/*
 * Every metric says more than its one line, and one that can be without a value says when. The
 * texts of statistics are in test_text.c.
 */
static void test_no_value(void **state)
{
	(void)state;
	for (size_t i = 0; i < metrics_count; i++) {
		const struct metric *metric = &metrics[i];
		const struct help *help = help_find(metric->name);

		if (metric_is_subtree(metric) || strcmp(metric->table, "stock") == 0)
			continue;
		if (!*help->text)
			fail_msg("%s has one line only", metric->name);
		if (!always_there(metric->table) && !strstr(help->text, "No value:"))
			fail_msg("%s does not say when it has no value", metric->name);
	}
}

/* Lines fit a terminal; the first and the last line are not empty. */
static void test_texts(void **state)
{
	size_t with_text = 0;

	(void)state;
	for (size_t i = 0; i < helps_count; i++) {
		const char *text = helps[i].text;

		assert_non_null(text);
		if (!*text)
			continue;
		with_text++;
		assert_int_not_equal(*text, '\n');
		assert_int_not_equal(text[strlen(text) - 1], '\n');
		for (const char *line = text; *line; line += strspn(line, "\n")) {
			size_t len = strcspn(line, "\n");

			if (len > 99)
				fail_msg("%s: a line of %zu bytes", helps[i].name, len);
			line += len;
		}
	}
	assert_true(with_text > 0);
}

/* Characters that help.awk quotes arrive unchanged. */
static void test_quotes(void **state)
{
	const struct help *help = help_find("kvm.agent.family.status");

	(void)state;
	assert_non_null(help);
	assert_non_null(strstr(help->oneline, "\"attached\""));
	assert_null(strchr(help->oneline, '\\'));
}

static void test_every_item_has_help(void **state)
{
	(void)state;
	for (int group = 0; group < ITEMS_GROUPS; group++) {
		for (size_t i = 0; i < items_known[group].n; i++) {
			const struct item *item = &items_known[group].list[i];

			assert_oneline(item->name, item->help);
		}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_metric_has_help),
		cmocka_unit_test(test_every_help_has_a_metric),
		cmocka_unit_test(test_one_lines),
		cmocka_unit_test(test_no_value),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_quotes),
		cmocka_unit_test(test_every_item_has_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
