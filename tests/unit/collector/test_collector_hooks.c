// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The optional hooks of a family: refresh, before its tables are read, and tick, once a second. */
#include "fakes/fake_families.h"

#include <errno.h>
#include <string.h>

/* The mask of a family's two tables. */
static uint64_t tables_of(size_t family)
{
	return 3ULL << (2 * family);
}

/* Read these tables; returns a mask of the families that were refreshed. */
static unsigned refreshed_by(uint64_t tables, int ret)
{
	unsigned before[FAKES], families_seen = 0;

	for (size_t i = 0; i < FAKES; i++)
		before[i] = fakes[i].refreshes;
	assert_int_equal(collector_read(collector, tables), ret);
	for (size_t i = 0; i < FAKES; i++) {
		assert_in_range(fakes[i].refreshes, before[i], before[i] + 1);
		families_seen |= (fakes[i].refreshes - before[i]) << i;
	}
	return families_seen;
}

static void hooks_for_all(void)
{
	for (size_t i = 0; i < FAKES; i++)
		fake_hooks(i);
}

/* A family is refreshed once, whether one or both of its tables are wanted. */
static void test_refresh_of_what_is_wanted(void **state)
{
	(void)state;
	hooks_for_all();
	open_all();
	for (size_t i = 0; i < FAKES; i++)
		assert_int_equal(fakes[i].refreshes, 0);
	assert_int_equal(refreshed_by(0, 0), 0);
	for (size_t i = 0; i < FAKES; i++) {
		assert_int_equal(refreshed_by(1ULL << (2 * i), 0), 1U << i);
		assert_int_equal(fakes[i].wanted, 1);
		assert_int_equal(refreshed_by(2ULL << (2 * i), 0), 1U << i);
		assert_int_equal(fakes[i].wanted, 2);
		assert_int_equal(refreshed_by(tables_of(i), 0), 1U << i);
		assert_int_equal(fakes[i].wanted, 3);
	}
	assert_int_equal(refreshed_by(1ULL << 1 | 1ULL << 6, 0), 1U << ALPHA | 1U << DELTA);
	assert_int_equal(refreshed_by(UINT64_MAX, 0), 15);
	/* the agent's own tables, and bits without a table */
	assert_int_equal(refreshed_by(~(uint64_t)0 << (2 * FAKES), 0), 0);
}

/* All wanted families are refreshed before any family's table is read. */
static void test_refresh_comes_first(void **state)
{
	(void)state;
	hooks_for_all();
	open_all();
	for (unsigned i = 0; i < 3; i++) {
		unsigned reads = fake_reads();

		assert_int_equal(refreshed_by(UINT64_MAX, 0), 15);
		for (size_t j = 0; j < FAKES; j++)
			assert_int_equal(fakes[j].reads_before, reads);
		assert_int_equal(fake_reads(), reads + 2 * FAKES);
	}
}

static void test_no_hooks(void **state)
{
	(void)state;
	fake_hooks(GAMMA);
	open_all();
	assert_int_equal(refreshed_by(UINT64_MAX, 0), 1U << GAMMA);
	assert_false(collector_tick(collector, &report));
	assert_int_equal(fakes[GAMMA].ticks, 1);
	assert_int_equal(fake_reads(), 2 * FAKES);
}

/* The hooks of a family without a state are not called. */
static void test_no_state(void **state)
{
	(void)state;
	hooks_for_all();
	fakes[BETA].open_err = -EPERM;
	fakes[BETA].no_state = true;
	fakes[DELTA].open_err = -EPERM; /* fails with a state */
	open_all();
	assert_int_equal(refreshed_by(UINT64_MAX, 0), 15 & ~(1U << BETA));
	collector_tick(collector, &report);
	assert_int_equal(fakes[BETA].ticks, 0);
	assert_int_equal(fakes[DELTA].ticks, 1);
}

static const struct snapshot_table *table_at(const char *name)
{
	return snapshot_find_table(collector_snapshot(collector), name);
}

/* After a refresh that returns 1, a table of the family is synced when it is read. */
static void test_refresh_with_news(void **state)
{
	(void)state;
	hooks_for_all();
	open_all();
	for (size_t i = 0; i < FAKES; i++)
		fakes[i].more_rows = 2;
	assert_int_equal(refreshed_by(1ULL << (2 * BETA), 0), 1U << BETA); /* rows unchanged */
	assert_int_equal(fakes[BETA].syncs, 2);
	assert_int_equal(table_at("beta_one")->nrows, 1);
	for (size_t i = 0; i < FAKES; i++)
		fakes[i].refresh_ret = 1;
	assert_int_equal(refreshed_by(1ULL << (2 * BETA), 0), 1U << BETA);
	for (size_t i = 0; i < FAKES; i++)
		assert_int_equal(fakes[i].syncs, i == BETA ? 3 : 2);
	assert_int_equal(table_at("beta_one")->nrows, 3);
	assert_int_equal(table_at("beta_two")->nrows, 1);
	assert_int_equal(table_at("alpha_one")->nrows, 1);
	assert_true(cell_at("beta_one", 0, "reads")->present);
	assert_false(cell_at("beta_two", 0, "reads")->present);
	for (size_t i = 0; i < FAKES; i++)
		fakes[i].refresh_ret = 0;
	assert_int_equal(refreshed_by(2ULL << (2 * BETA), 0), 1U << BETA);
	assert_int_equal(fakes[BETA].syncs, 4);
	assert_int_equal(table_at("beta_two")->nrows, 3);
	assert_true(cell_at("beta_two", 2, "reads")->present);
	assert_int_equal(refreshed_by(3ULL << (2 * BETA), 0), 1U << BETA);
	assert_int_equal(fakes[BETA].syncs, 4);
	/* rows alone, without values */
	fakes[GAMMA].refresh_ret = 1;
	assert_int_equal(collector_read_with_rows(collector, 0, 1ULL << (2 * GAMMA)), 0);
	assert_int_equal(table_at("gamma_one")->nrows, 3);
	assert_int_equal(fakes[GAMMA].reads[0], 0);
}

/* Tables are synced before they are read. */
static size_t rows_when_read;

static int fill_and_count(void *state, const struct table_row *row)
{
	rows_when_read = table_at("rows")->nrows;
	return fake_fill(state, row);
}

static void test_shape_comes_before_reading(void **state)
{
	static const struct table tables[] = { { .name = "rows",
						 .make_columns = fake_columns,
						 .keys = fake_keys,
						 .fill = fill_and_count } };

	(void)state;
	fake_hooks(ALPHA);
	fake_alpha_tables(tables, 1);
	open_all();
	fakes[ALPHA].more_rows = 6;
	fakes[ALPHA].refresh_ret = 1;
	assert_int_equal(collector_read(collector, 1), 0);
	assert_int_equal(rows_when_read, 7);
}

/* A refresh that fails with -ENOMEM stops the read: no further family is refreshed or read. */
static void test_refresh_that_fails(void **state)
{
	(void)state;
	hooks_for_all();
	open_all();
	fakes[BETA].refresh_ret = -ENOMEM;
	fakes[BETA].more_rows = 1;
	assert_int_equal(refreshed_by(UINT64_MAX, -ENOMEM), 1U << ALPHA | 1U << BETA);
	assert_int_equal(fake_reads(), 0);
	assert_int_equal(table_at("beta_one")->nrows, 1);
	assert_int_equal(refreshed_by(UINT64_MAX & ~tables_of(BETA), 0), 15 & ~(1U << BETA));
	assert_int_equal(fake_reads(), 2 * (FAKES - 1));
	fakes[BETA].refresh_ret = 0;
	assert_int_equal(refreshed_by(UINT64_MAX, 0), 15);
}

static void assert_ticks(unsigned ticks)
{
	for (size_t i = 0; i < FAKES; i++)
		assert_int_equal(fakes[i].ticks, ticks);
}

/* Every tick calls each family's tick once, whether anything changed or not; reads do not. */
static void test_tick(void **state)
{
	(void)state;
	hooks_for_all();
	open_all();
	assert_ticks(0);
	assert_int_equal(collector_read(collector, UINT64_MAX), 0);
	assert_ticks(0);
	assert_false(collector_tick(collector, &report));
	assert_ticks(1);
	machine.stamp++; /* KVM was reloaded */
	for (unsigned i = 2; i < 10; i++) {
		collector_tick(collector, &report);
		assert_ticks(i);
	}
	machine.update_ret = 1; /* a new CPU */
	collector_tick(collector, &report);
	assert_ticks(10);
	assert_int_equal(fakes[ALPHA].refreshes, 1);
}

/* A family that is switched off ticks, too: it must follow VMs. */
static void test_tick_when_switched_off(void **state)
{
	(void)state;
	hooks_for_all();
	open_all();
	assert_int_equal(collector_switch(collector, BETA, false, &report), 0);
	collector_tick(collector, &report);
	assert_ticks(1);
	assert_int_equal(refreshed_by(UINT64_MAX, 0), 15);
}

/* perf refuses one event more than before: for another reason each time. */
static void refuse_events(const struct family_env *env)
{
	static const enum classic_refusal reasons[] = { CLASSIC_NO_TRACEFS, CLASSIC_NO_RECORD,
							CLASSIC_NO_TIME };

	env->classic->why = reasons[fakes[ALPHA].attaches - 1];
	env->classic->err = -EACCES;
	env->classic->spent = 1;
}

/* What perf refuses is said once each pass of attaching is done: at first, at a store, on a tick.
 */
static void test_refusals_of_perf(void **state)
{
	(void)state;
	fakes[ALPHA].when_attached = refuse_events;
	open_all();
	assert_int_equal(report.n, 1);
	assert_non_null(strstr(report.lines[0].text, "/its/tracefs/events) cannot be read"));
	assert_int_equal(report.lines[0].level, REPORT_WARNING);
	report_clear(&report);
	assert_int_equal(collector_switch(collector, ALPHA, false, &report), 0);
	assert_int_equal(report.n, 0);
	assert_int_equal(collector_switch(collector, ALPHA, true, &report), 0);
	assert_int_equal(report.n, 1);
	assert_non_null(strstr(report.lines[0].text, "no record of the form"));
	report_clear(&report);
	machine.stamp = 1;
	collector_tick(collector, &report);
	assert_int_equal(report.n, 1);
	assert_non_null(strstr(report.lines[0].text, "perf has taken 3 s"));
	assert_int_equal(fakes[ALPHA].env.classic->spent, 0);
	report_clear(&report);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		fake_test(test_refresh_of_what_is_wanted),
		fake_test(test_refresh_comes_first),
		fake_test(test_no_hooks),
		fake_test(test_no_state),
		fake_test(test_refresh_with_news),
		fake_test(test_shape_comes_before_reading),
		fake_test(test_refresh_that_fails),
		fake_test(test_tick),
		fake_test(test_tick_when_switched_off),
		fake_test(test_refusals_of_perf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
