// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* When kvmbpf top has read, with a collector whose tick takes a second. */
#include "fakes/fake_families.h"
#include "fakes/support.h"

#include "command/top_source.h"

static struct top_source *source;
static unsigned ticks;

uint64_t __wrap_clock_ns(void);
uint64_t __wrap_clock_ns(void)
{
	return UINT64_C(1000000000) * (100 + ticks);
}

bool __wrap_collector_tick(struct collector *of, struct report *said);
bool __wrap_collector_tick(struct collector *of, struct report *said)
{
	(void)of, (void)said;
	ticks++;
	return false;
}

static int setup(void **state)
{
	int err = fake_setup(state);

	source = NULL;
	ticks = 0;
	return err;
}

static int teardown(void **state)
{
	top_source_close(source);
	return fake_teardown(state);
}

static void assert_seconds(double is, double wanted)
{
	assert_true(is > wanted - 1e-9 && is < wanted + 1e-9);
}

/* What is due after a reading is in the next interval, and not in the time of the reading. */
static void test_read(void **state)
{
	(void)state;
	assert_int_equal(top_source_open(&config, NULL, 0, 1, &source), 0);
	assert_int_equal(top_source_read(source, 1, true), 0);
	assert_int_equal(ticks, 1);
	assert_seconds(top_source_clock(), 101);
	assert_seconds(top_source_now(source), 100);
	assert_seconds(top_source_due(source, 5), 105);
	/* the interval is over, but keys are taken */
	assert_seconds(top_source_due(source, 0.5), 101.01);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_read, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
