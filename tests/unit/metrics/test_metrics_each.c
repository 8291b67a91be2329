// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Visiting the metrics that a snapshot has. */
#include "fakes/support.h"

#include <string.h>

#include "metrics/metric_table.h"

/* The places visited by metrics_each(), as text, and where to stop. */
struct seen {
	char text[1024];
	unsigned n, stop_after;
};

static int see(const struct metric_place *place, void *data)
{
	struct seen *seen = data;

	snprintf(seen->text + strlen(seen->text), sizeof(seen->text) - strlen(seen->text),
		 "%s=%s[%zu] ", place->name, place->table->name, place->column);
	assert_true(strncmp(place->name, place->metric->name, strlen(place->metric->name)) == 0);
	return ++seen->n == seen->stop_after ? 17 : 0;
}

static void columns_add(struct snapshot *snapshot, const char *name, const char *const *columns)
{
	struct snapshot_table *table;

	assert_int_equal(snapshot_add_table(snapshot, name, &table), 0);
	for (; *columns; columns++)
		assert_int_equal(snapshot_table_add_column(table, *columns), 0);
}

static void test_each(void **state)
{
	static const char *const found[] = {
		"kvm.trace.count=trace_events[1] ",
		"kvm.trace.kvm_pio=trace[0] ",
		"kvm.trace.a=trace[1] ",
		"kvm.agent.family.attached=family[2] ",
		"kvm.agent.family.attach_time=family[0] ",
	};
	struct snapshot snapshot = { 0 };

	(void)state;
	columns_add(&snapshot, "family",
		    (const char *const[]){ "attach_time", "other", "attached", NULL });
	columns_add(&snapshot, "agent", (const char *const[]){ "versions", NULL });
	columns_add(&snapshot, "another", (const char *const[]){ "version", NULL });
	columns_add(&snapshot, "trace", (const char *const[]){ "kvm_pio", "a", NULL });
	columns_add(&snapshot, "trace_events", (const char *const[]){ "x", "count", NULL });
	for (unsigned stop = 0; stop <= ARRAY_SIZE(found); stop++) {
		struct seen seen = { .stop_after = stop };
		char text[1024] = "";

		for (unsigned i = 0; i < (stop ? stop : ARRAY_SIZE(found)); i++)
			strcat(text, found[i]);
		assert_int_equal(metrics_each(&snapshot, see, &seen), stop ? 17 : 0);
		assert_string_equal(seen.text, text);
	}
	snapshot_free(&snapshot);
}

static void test_each_of_nothing(void **state)
{
	struct snapshot snapshot = { 0 };
	struct seen seen = { 0 };

	(void)state;
	assert_int_equal(metrics_each(&snapshot, see, &seen), 0);
	columns_add(&snapshot, "trace", (const char *const[]){ NULL });
	assert_int_equal(metrics_each(&snapshot, see, &seen), 0);
	assert_int_equal(seen.n, 0);
	snapshot_free(&snapshot);
}

/* A name that is too long is truncated. */
static void test_each_with_a_long_name(void **state)
{
	struct snapshot snapshot = { 0 };
	struct seen seen = { 0 };
	char name[301] = "";

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	columns_add(&snapshot, "trace", (const char *const[]){ name, NULL });
	assert_int_equal(metrics_each(&snapshot, see, &seen), 0);
	assert_int_equal(strcspn(seen.text, "="), 255);
	snapshot_free(&snapshot);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each),
		cmocka_unit_test(test_each_of_nothing),
		cmocka_unit_test(test_each_with_a_long_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
