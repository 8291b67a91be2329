// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "metrics/units.h"
#include "fakes/support.h"

#include <errno.h>

static const char *const semantics_names[] = {
	[METRIC_COUNTER] = "counter",
	[METRIC_INSTANT] = "instant",
	[METRIC_DISCRETE] = "discrete",
};

static const char *const units_names[] = {
	[METRIC_NONE] = "",
	[METRIC_COUNT] = "count",
	[METRIC_NSEC] = "ns",
	[METRIC_BYTES] = "byte",
};

static void test_semantics(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(semantics_names); i++) {
		enum metric_semantics semantics;

		untouched_fill(&semantics, sizeof(semantics));
		assert_string_equal(metric_semantics_name(i), semantics_names[i]);
		assert_int_equal(metric_semantics_parse(semantics_names[i], &semantics), 0);
		assert_int_equal(semantics, i);
	}
}

static void test_units(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(units_names); i++) {
		enum metric_units units;

		untouched_fill(&units, sizeof(units));
		assert_string_equal(metric_units_name(i), units_names[i]);
		assert_int_equal(metric_units_parse(units_names[i], &units), 0);
		assert_int_equal(units, i);
	}
}

/* BY_COLUMN has a name to show, but cannot be parsed: a column must not be BY_COLUMN. */
static void test_by_column(void **state)
{
	enum metric_semantics semantics;

	(void)state;
	untouched_fill(&semantics, sizeof(semantics));
	assert_string_equal(metric_semantics_name(METRIC_BY_COLUMN), "by column");
	assert_int_equal(metric_semantics_parse("by column", &semantics), -EINVAL);
	assert_untouched(&semantics, sizeof(semantics));
}

static void test_no_such_semantics(void **state)
{
	static const char *const names[] = { "",	 "count",    "Counter", "counter ",
					     " counter", "counters", "instan",	"0" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		enum metric_semantics semantics;

		untouched_fill(&semantics, sizeof(semantics));
		assert_int_equal(metric_semantics_parse(names[i], &semantics), -EINVAL);
		assert_untouched(&semantics, sizeof(semantics));
	}
}

static void test_no_such_units(void **state)
{
	static const char *const names[] = { " ",   "counter", "Count", "bytes",
					     "ns ", "nsec",    "none",	"-" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		enum metric_units units;

		untouched_fill(&units, sizeof(units));
		assert_int_equal(metric_units_parse(names[i], &units), -EINVAL);
		assert_untouched(&units, sizeof(units));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_semantics),     cmocka_unit_test(test_units),
		cmocka_unit_test(test_by_column),     cmocka_unit_test(test_no_such_semantics),
		cmocka_unit_test(test_no_such_units),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
