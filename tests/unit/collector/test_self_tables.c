// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The tables about the agent itself, read through the collector. */
#include "collector/self_tables.h"
#include "fakes/fake_families.h"

#include <errno.h>
#include <time.h>

static void test_tables_of_the_agent(void **state)
{
	const struct snapshot_table *table;

	(void)state;
	fakes[BETA].open_err = -EPERM;
	open_all();
	assert_int_equal(collector_read(collector, UINT64_MAX), 0);
	table = snapshot_find_table(collector_snapshot(collector), "family");
	assert_int_equal(table->nrows, FAKES);
	for (size_t i = 0; i < FAKES; i++) {
		assert_int_equal(table->rows[i].own->n, 1);
		assert_string_equal(table->rows[i].own->list[0].key, "family");
		assert_string_equal(table->rows[i].own->list[0].text, families[i].name);
		assert_string_equal(table->rows[i].name, families[i].name);
		assert_int_equal(cell_at("family", i, "attached")->number, i == BETA ? 0 : 1);
		assert_true(cell_at("family", i, "attached")->present);
		assert_string_equal(cell_at("family", i, "status")->text,
				    i == BETA ? "Operation not permitted" : "attached");
	}
	assert_string_equal(cell_at("agent", 0, "version")->text, PMDAKVM_VERSION);
	table = snapshot_find_table(collector_snapshot(collector), "agent");
	assert_int_equal(table->nrows, 1);
	assert_int_equal(table->rows[0].number, 0);
	assert_string_equal(table->rows[0].name, "");
}

static void test_missed(void **state)
{
	(void)state;
	fakes[ALPHA].missed = UINT64_MAX;
	fakes[GAMMA].missed_err = -ENODATA;
	fakes[BETA].open_err = -EPERM; /* fails with a state, which has a count */
	fakes[BETA].missed = 7;
	open_all();
	assert_int_equal(collector_read(collector, UINT64_MAX), 0);
	assert_int_equal(cell_at("family_missed", ALPHA, "missed")->number, UINT64_MAX);
	assert_int_equal(cell_at("family_missed", BETA, "missed")->number, 7);
	assert_false(cell_at("family_missed", GAMMA, "missed")->present);
	assert_true(cell_at("family_missed", DELTA, "missed")->present);
	assert_int_equal(cell_at("family_missed", DELTA, "missed")->number, 0);
	fakes[ALPHA].missed_err = -ENODATA;
	fakes[GAMMA].missed_err = 0;
	assert_int_equal(collector_read(collector, UINT64_MAX), 0);
	assert_false(cell_at("family_missed", ALPHA, "missed")->present);
	assert_true(cell_at("family_missed", GAMMA, "missed")->present);
}

/* kvm.control.attached shows whether a family is wanted, not whether it is attached. */
static void test_control(void **state)
{
	const struct snapshot_table *table;

	(void)state;
	fakes[BETA].open_err = -EPERM;
	fakes[GAMMA].attach_err = -ENOENT;
	open_all();
	assert_int_equal(collector_switch(collector, ALPHA, false, &report), 0);
	assert_int_equal(collector_read(collector, UINT64_MAX), 0);
	table = snapshot_find_table(collector_snapshot(collector), "control");
	assert_int_equal(table->nrows, FAKES);
	assert_int_equal(table->ncolumns, 1);
	for (size_t i = 0; i < FAKES; i++) {
		assert_string_equal(table->rows[i].name, families[i].name);
		assert_true(cell_at("control", i, "attached")->present);
		assert_int_equal(cell_at("control", i, "attached")->number, i == ALPHA ? 0 : 1);
	}
}

/* A family that is not loaded has no maps, and so no generation. */
static void test_generation(void **state)
{
	(void)state;
	fakes[ALPHA].generation = UINT64_MAX;
	fakes[BETA].open_err = -EPERM;
	fakes[BETA].generation = 3;
	fakes[GAMMA].attach_err = -ENOENT;
	fakes[GAMMA].generation = 5;
	open_all();
	assert_int_equal(collector_read(collector, UINT64_MAX), 0);
	assert_int_equal(cell_at("family", ALPHA, "generation")->number, UINT64_MAX);
	assert_false(cell_at("family", BETA, "generation")->present);
	assert_int_equal(cell_at("family", GAMMA, "generation")->number, 5);
	assert_true(cell_at("family", DELTA, "generation")->present);
	assert_int_equal(cell_at("family", DELTA, "generation")->number, 0);
}

static const struct map_usage beta_maps[] = {
	{ "beta_a", 4096, 13, 13000, UINT64_MAX },
	{ "beta_b", 7, 0, 0, 0 },
	{ "beta_c", UINT64_MAX, 1, 2, 3 },
};
static const struct map_usage delta_maps[] = { { "delta_a", 5, 6, 7, 8 },
					       { "delta_b", 1, 1, 1, 1 } };

/* The row shows this map, with the key of this family and index. */
static void assert_map(size_t row, size_t family, size_t number, const struct map_usage *map)
{
	const struct snapshot_table *table = snapshot_find_table(collector_snapshot(collector),
								 "map");

	assert_true(row < table->nrows);
	assert_int_equal((uint32_t)table->rows[row].id, family * 16 + number);
	assert_string_equal(table->rows[row].name, map->name);
	assert_string_equal(table->rows[row].own->list[0].key, "map");
	assert_string_equal(table->rows[row].own->list[0].text, map->name);
	for (size_t i = 0; i < table->ncolumns; i++)
		assert_true(snapshot_table_cell(table, row, i)->present);
	assert_int_equal(cell_at("map", row, "limit")->number, map->limit);
	assert_int_equal(cell_at("map", row, "used")->number, map->used);
	assert_int_equal(cell_at("map", row, "bytes")->number, map->bytes);
	assert_int_equal(cell_at("map", row, "dropped")->number, map->dropped);
}

/* beta and delta have these numbers of maps; alpha has no hook map, gamma has no maps. */
static void check_maps(size_t nbeta, size_t ndelta)
{
	fakes[BETA].maps = beta_maps;
	fakes[BETA].nmaps = nbeta;
	fakes[DELTA].maps = delta_maps;
	fakes[DELTA].nmaps = ndelta;
	open_all();
	assert_int_equal(snapshot_find_table(collector_snapshot(collector), "map")->nrows,
			 nbeta + ndelta);
	assert_int_equal(collector_read(collector, UINT64_MAX), 0);
	for (size_t i = 0; i < nbeta; i++)
		assert_map(i, BETA, i, &beta_maps[i]);
	for (size_t i = 0; i < ndelta; i++)
		assert_map(nbeta + i, DELTA, i, &delta_maps[i]);
	collector_close(collector);
	collector = NULL;
}

/* The instance numbers of maps follow the order of families. */
static void test_maps(void **state)
{
	(void)state;
	fake_hooks(BETA);
	fake_hooks(GAMMA);
	fake_hooks(DELTA);
	for (size_t nbeta = 0; nbeta <= ARRAY_SIZE(beta_maps); nbeta++) {
		for (size_t ndelta = 0; ndelta <= ARRAY_SIZE(delta_maps); ndelta++)
			check_maps(nbeta, ndelta);
	}
}

static void test_no_hook_for_maps(void **state)
{
	const struct snapshot_table *table;

	(void)state;
	fakes[BETA].maps = beta_maps;
	fakes[BETA].nmaps = 1;
	open_all();
	assert_int_equal(collector_read(collector, UINT64_MAX), 0);
	table = snapshot_find_table(collector_snapshot(collector), "map");
	assert_int_equal(table->nrows, 0);
	assert_int_equal(table->ncolumns, 4);
}

/* The maps of a family that is not loaded are shown if it has a state. */
static void test_maps_of_what_was_not_loaded(void **state)
{
	(void)state;
	fake_hooks(BETA);
	fake_hooks(DELTA);
	fakes[BETA].open_err = -EPERM;
	fakes[BETA].no_state = true;
	fakes[DELTA].open_err = -EPERM;
	fakes[DELTA].maps = delta_maps;
	fakes[DELTA].nmaps = 1;
	open_all();
	assert_int_equal(collector_read(collector, UINT64_MAX), 0);
	assert_int_equal(snapshot_find_table(collector_snapshot(collector), "map")->nrows, 1);
	assert_map(0, DELTA, 0, &delta_maps[0]);
}

/* Each read shows current values; a new map has a row after the next sync. */
static void test_maps_that_change(void **state)
{
	struct map_usage maps[] = { { "a", 1, 2, 3, 4 }, { "b", 5, 6, 7, 8 } };

	(void)state;
	fake_hooks(ALPHA);
	fakes[ALPHA].maps = maps;
	fakes[ALPHA].nmaps = 1;
	open_all();
	assert_int_equal(collector_read(collector, UINT64_MAX), 0);
	assert_map(0, ALPHA, 0, &maps[0]);
	maps[0] = (struct map_usage){ "a", 10, 0, 0, 40 };
	fakes[ALPHA].nmaps = 2;
	assert_int_equal(collector_read(collector, UINT64_MAX), 0);
	assert_map(0, ALPHA, 0, &maps[0]);
	assert_int_equal(snapshot_find_table(collector_snapshot(collector), "map")->nrows, 1);
	machine.update_ret = 1;
	assert_true(collector_tick(collector, &report));
	assert_int_equal(collector_read(collector, UINT64_MAX), 0);
	assert_map(0, ALPHA, 0, &maps[0]);
	assert_map(1, ALPHA, 1, &maps[1]);
}

static void assert_no_map(size_t row)
{
	static const char *const columns[] = { "limit", "used", "bytes", "dropped" };

	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		assert_false(cell_at("map", row, columns[i])->present);
}

/* A map that is gone keeps its row without values, even if another map has its index now. */
static void test_maps_that_are_gone(void **state)
{
	(void)state;
	fake_hooks(BETA);
	fake_hooks(DELTA);
	fakes[BETA].maps = beta_maps;
	fakes[BETA].nmaps = 1;
	fakes[DELTA].maps = delta_maps;
	fakes[DELTA].nmaps = 2;
	open_all();
	for (size_t i = 0; i < 2; i++) {
		fakes[BETA].nmaps = 1;
		fakes[DELTA].nmaps = 2;
		assert_int_equal(collector_read(collector, UINT64_MAX), 0);
		assert_map(0, BETA, 0, &beta_maps[0]);
		assert_map(1, DELTA, 0, &delta_maps[0]);
		assert_map(2, DELTA, 1, &delta_maps[1]);
		fakes[DELTA].nmaps = 1;
		assert_int_equal(collector_read(collector, UINT64_MAX), 0);
		assert_map(1, DELTA, 0, &delta_maps[0]);
		assert_no_map(2);
		fakes[BETA].nmaps = 0;
		assert_int_equal(collector_read(collector, UINT64_MAX), 0);
		assert_no_map(0);
		assert_map(1, DELTA, 0, &delta_maps[0]); /* of another family: unchanged */
		assert_no_map(2);
	}
}

/* Numbers come from metrics.def where it has the name; otherwise they are derived from the name. */
static void test_numbers(void **state)
{
	static const struct map_usage maps[] = { { .name = "stat_vms" },
						 { .name = "exit_latency" },
						 { .name = "its_own" } };
	static const uint32_t numbers[] = { 16, 1, 1U << 30 };
	struct snapshot_table *table;

	(void)state;
	fake_hooks(GAMMA);
	fakes[GAMMA].maps = maps;
	fakes[GAMMA].nmaps = ARRAY_SIZE(maps);
	open_all();
	table = snapshot_find_table(collector_snapshot(collector), "map");
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++)
		assert_int_equal(table->rows[i].number, numbers[i]);
	/* a number of metrics.def is that of its own domain only */
	table = snapshot_find_table(collector_snapshot(collector), "family");
	for (size_t i = 0; i < FAKES; i++)
		assert_int_equal(table->rows[i].number, 1U << 30);
}

/* The rows and columns of these tables do not change after the start. */
static void test_tables_do_not_grow(void **state)
{
	const struct snapshot *snapshot;

	(void)state;
	open_all();
	machine.update_ret = 1;
	assert_false(collector_tick(collector, &report));
	snapshot = collector_snapshot(collector);
	assert_int_equal(snapshot_find_table(snapshot, "agent")->nrows, 1);
	assert_int_equal(snapshot_find_table(snapshot, "agent")->ncolumns, 1);
	assert_int_equal(snapshot_find_table(snapshot, "family")->nrows, FAKES);
	assert_int_equal(snapshot_find_table(snapshot, "family")->ncolumns, 4);
	assert_int_equal(snapshot_find_table(snapshot, "family_missed")->nrows, FAKES);
	assert_int_equal(snapshot_find_table(snapshot, "family_missed")->ncolumns, 1);
	assert_int_equal(snapshot_find_table(snapshot, "control")->nrows, FAKES);
	assert_int_equal(snapshot_find_table(snapshot, "control_reset")->nrows, 1);
}

/* A clock that only the functions below advance. */
static uint64_t clock_ns;

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_time);

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_time)
{
	assert_int_equal(clock, CLOCK_MONOTONIC);
	ret_time->tv_sec = (time_t)(clock_ns / 1000000000);
	ret_time->tv_nsec = (long)(clock_ns % 1000000000);
	return 0;
}

/* Advance from the last nanosecond of a second into the second after the next. */
static void take_long(const struct family_env *env)
{
	(void)env;
	clock_ns += 1000000002;
}

static void take_a_while(const struct family_env *env)
{
	(void)env;
	clock_ns += 7;
}

/* attach_time is the time of loading and attaching at the start, later of attaching only. */
static void test_attach_time(void **state)
{
	const uint64_t times[FAKES] = { [ALPHA] = 7, [BETA] = 1000000009, [DELTA] = 7 };

	(void)state;
	clock_ns = 3000000000 - 8;
	fakes[ALPHA].when_attached = take_a_while;
	fakes[BETA].when_opened = take_long;
	fakes[BETA].when_attached = take_a_while;
	fakes[DELTA].when_opened = take_a_while;
	fakes[DELTA].open_err = -EPERM;
	open_all();
	assert_int_equal(collector_read(collector, UINT64_MAX), 0);
	for (size_t i = 0; i < FAKES; i++) {
		assert_int_equal(collector_families(collector)[i].attach_time, times[i]);
		assert_true(cell_at("family", i, "attach_time")->present);
		assert_int_equal(cell_at("family", i, "attach_time")->number, times[i]);
	}
	assert_int_equal(collector_switch(collector, BETA, false, &report), 0);
	assert_int_equal(collector_families(collector)[BETA].attach_time, 1000000009);
	assert_int_equal(collector_switch(collector, BETA, true, &report), 0);
	assert_int_equal(collector_families(collector)[BETA].attach_time, 7);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		fake_test(test_tables_of_the_agent),
		fake_test(test_missed),
		fake_test(test_control),
		fake_test(test_generation),
		fake_test(test_maps),
		fake_test(test_no_hook_for_maps),
		fake_test(test_maps_of_what_was_not_loaded),
		fake_test(test_maps_that_change),
		fake_test(test_maps_that_are_gone),
		fake_test(test_numbers),
		fake_test(test_tables_do_not_grow),
		fake_test(test_attach_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
