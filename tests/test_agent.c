// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The tables about the agent itself, as the collector fills them. */
#include "fakes.h"

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
		assert_int_equal(table->rows[i].id, i);
		assert_string_equal(table->rows[i].name, families[i].name);
		assert_int_equal(cell_at("family", i, "attached")->number, i == BETA ? 0 : 1);
		assert_true(cell_at("family", i, "attached")->present);
		assert_string_equal(cell_at("family", i, "status")->text,
				    i == BETA ? "Operation not permitted" : "attached");
	}
	assert_string_equal(cell_at("agent", 0, "version")->text, PMDAKVM_VERSION);
	table = snapshot_find_table(collector_snapshot(collector), "agent");
	assert_int_equal(table->nrows, 1);
	assert_string_equal(table->rows[0].name, "");
}

static void test_missed(void **state)
{
	(void)state;
	fakes[ALPHA].missed = UINT64_MAX;
	fakes[GAMMA].missed_err = -ENODATA;
	fakes[BETA].open_err = -EPERM; /* its state may be asked all the same */
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

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void take_a_millisecond(const struct family_env *env)
{
	uint64_t start = now();

	(void)env;
	while (now() - start < 1000000)
		;
}

static void test_attach_time(void **state)
{
	uint64_t start = now(), sum = 0;

	(void)state;
	fakes[BETA].when_opened = take_a_millisecond;
	fakes[BETA].open_err = -EPERM;
	open_all();
	for (size_t i = 0; i < FAKES; i++)
		sum += collector_families(collector)[i].attach_time;
	assert_true(sum <= now() - start);
	assert_true(collector_families(collector)[BETA].attach_time >= 1000000);
	assert_int_equal(collector_read(collector, UINT64_MAX), 0);
	assert_int_equal(cell_at("family", BETA, "attach_time")->number,
			 collector_families(collector)[BETA].attach_time);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		fake_test(test_tables_of_the_agent),
		fake_test(test_missed),
		fake_test(test_attach_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
