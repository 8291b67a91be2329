// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Which key an exit, a trip to the VMM and an access is charged to. */
#include "bpf/cause_scenarios.h"

static void step_run(const struct happening *step)
{
	causes_clock(step->at);
	switch (step->what) {
	case NOTHING:
		break;
	case EXITS:
		vcpu_exits(VCPU(0));
		break;
	case EXITS_1:
		vcpu_exits(VCPU(1));
		break;
	case ENTERS:
		vcpu_enters(VCPU(0));
		break;
	case ENTERS_1:
		vcpu_enters(VCPU(1));
		break;
	case ACCESS:
		guest_accesses(step->access, step->number);
		break;
	case VMM:
		vmm_begins();
		break;
	case BACK:
		vmm_ends();
		break;
	case ANEW:
		causes_attach();
		break;
	}
}

static void assert_counts(const struct cause_counts *is, const struct cause_counts *wanted)
{
	assert_int_equal(is->accesses, wanted->accesses);
	assert_int_equal(is->count, wanted->count);
	assert_int_equal(is->time, wanted->time);
	assert_int_equal(is->trips, wanted->trips);
	assert_int_equal(is->trip_time, wanted->trip_time);
}

static void scenario_check(const struct cause_scenario *scenario)
{
	struct cause_counts sum = causes_sum(), wanted = { 0 };

	for (unsigned i = 0; i < KEYS_MAX; i++) {
		struct cause_counts counts = causes_of(scenario->wants[i].key);

		if (!scenario->wants[i].key && i && !scenario->wants[i].counts.count &&
		    !scenario->wants[i].counts.trips && !scenario->wants[i].counts.trip_time)
			continue;
		assert_counts(&counts, &scenario->wants[i].counts);
		causes_add(&wanted, &scenario->wants[i].counts);
	}
	assert_counts(&sum, &wanted);
	/* all is somewhere, but for what is open */
	assert_int_equal(sum.count + scenario->open_exits, causes_exits().count);
	assert_int_equal(sum.trips + scenario->open_trips, causes_trips().count);
	if (!scenario->open_exits)
		assert_int_equal(sum.time, causes_exits().time);
	if (!scenario->open_trips)
		assert_int_equal(sum.trip_time, causes_trips().time);
}

static void scenarios_run(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++) {
		print_message("# %s\n", scenarios[i].name);
		causes_clear();
		for (unsigned j = 0; j < STEPS_MAX; j++)
			step_run(&scenarios[i].steps[j]);
		scenario_check(&scenarios[i]);
	}
}

static void test_scenarios(void **state)
{
	(void)state;
	causes_load(RECORDS_CHUNK - 1);
	scenarios_run();
	causes_by_perf();
	scenarios_run();
}

/* --- more keys than the table holds --- */

#define LIGHT 307
#define HEAVY 7
#define HITS  503

/* An exit with one access, which takes this time. */
static void exit_of(enum access access, uint64_t number, uint64_t time)
{
	static uint64_t now;

	causes_clock(now += 1000);
	vcpu_exits(VCPU(0));
	guest_accesses(access, number);
	causes_clock(now += time);
	vcpu_enters(VCPU(0));
}

static void test_overflow(void **state)
{
	struct cause_counts sum, other;

	(void)state;
	causes_load(RECORDS_CHUNK - 1);
	for (unsigned i = 0; i < HITS; i++) {
		for (unsigned key = 0; key < HEAVY; key++)
			exit_of(PIO_WRITE, 0x300 + key, 10 + key);
		exit_of(MMIO_WRITE, (uint64_t)(i % LIGHT) << 12 | 0x10000000, 3);
	}
	sum = causes_sum();
	other = causes_of(CAUSE_OTHER);
	assert_int_equal(sum.accesses, HITS * (HEAVY + 1));
	assert_int_equal(sum.count, HITS * (HEAVY + 1));
	assert_int_equal(sum.count, causes_exits().count);
	assert_int_equal(sum.time, causes_exits().time);
	assert_true(other.count > 0);
	for (unsigned key = 0; key < HEAVY; key++) {
		struct cause_counts counts = causes_of(PIO(1, 0x300 + key));

		/* a heavy key loses no more than others take from it */
		assert_in_range(counts.accesses, HITS - 2 * LIGHT / CAUSE_SETS, HITS);
		assert_in_range(counts.count, HITS - other.count, HITS);
		assert_int_equal(counts.time, counts.count * (10 + key));
	}
}

/* A light key does not drive out a heavy one; a new heavy key does drive out an old one. */
static void test_votes(void **state)
{
	uint64_t keys[CAUSE_WAYS + 1], set = ~0ULL, n = 0;

	(void)state;
	causes_load(RECORDS_CHUNK - 1);
	for (uint64_t port = 0; n < ARRAY_SIZE(keys); port++) {
		uint64_t of = PIO(1, port) * 0x9e3779b97f4a7c15ULL >> 60;

		if (!n)
			set = of;
		if (of == set)
			keys[n++] = port;
	}
	for (unsigned i = 0; i < CAUSE_WAYS; i++) {
		for (unsigned hit = 0; hit < 10 + i; hit++)
			exit_of(PIO_WRITE, keys[i], 5);
	}
	for (unsigned hit = 0; hit < 9; hit++) {
		exit_of(PIO_WRITE, keys[CAUSE_WAYS], 7);
		assert_int_equal(causes_of(PIO(1, keys[CAUSE_WAYS])).accesses, 0);
	}
	assert_int_equal(causes_of(CAUSE_OTHER).count, 9);
	assert_int_equal(causes_of(CAUSE_OTHER).time, 63);
	exit_of(PIO_WRITE, keys[CAUSE_WAYS], 7);
	assert_int_equal(causes_of(PIO(1, keys[CAUSE_WAYS])).count, 1);
	assert_int_equal(causes_of(PIO(1, keys[0])).count, 0);
	assert_int_equal(causes_of(CAUSE_OTHER).count, 9 + 10);
	assert_int_equal(causes_of(CAUSE_OTHER).time, 63 + 50);
	assert_int_equal(causes_sum().time, causes_exits().time);
}

/* --- threads, no room, switched off --- */

static void seven_exits(void)
{
	for (unsigned i = 0; i < 7; i++)
		exit_of(CPUID, 3, 11);
}

static void one_of_memory(void)
{
	vcpu_exits(VCPU(2));
	guest_accesses(CPUID, 4);
	vmm_begins();
	vmm_ends();
	vcpu_enters(VCPU(2));
}

static void test_threads(void **state)
{
	(void)state;
	causes_load(RECORDS_CHUNK - 1);
	in_thread(seven_exits);
	in_thread(one_of_memory);
	seven_exits();
	assert_int_equal(causes_of(KEY(CPUID, 3)).count, 14);
	assert_int_equal(causes_of(KEY(CPUID, 3)).time, 14 * 11);
	assert_int_equal(causes_of_vcpu(VCPU(2), KEY(CPUID, 4)).trips, 1);
	assert_int_equal(causes_of_vcpu(VCPU(2), KEY(CPUID, 3)).count, 0);
	assert_int_equal(causes_nowhere().accesses, 0);
}

static void test_no_room(void **state)
{
	struct cause_counts nowhere;

	(void)state;
	causes_load(1);
	seven_exits();
	in_thread(seven_exits);
	in_thread(one_of_memory);
	nowhere = causes_nowhere();
	assert_int_equal(nowhere.accesses, 8);
	assert_int_equal(nowhere.count, 8);
	assert_int_equal(nowhere.trips, 1);
	assert_int_equal(causes_sum().count + nowhere.count, causes_exits().count);
	assert_int_equal(causes_sum().time + nowhere.time, causes_exits().time);
}

static void test_switched_off(void **state)
{
	(void)state;
	causes_load(RECORDS_CHUNK - 1);
	causes_switch(false);
	seven_exits();
	assert_int_equal(causes_exits().count, 7);
	assert_int_equal(causes_of(KEY(CPUID, 3)).accesses, 7);
	assert_int_equal(causes_sum().count, 0);
	causes_attach();
	seven_exits();
	assert_int_equal(causes_sum().count, 7);
	causes_by_perf();
	causes_switch(false); /* perf is late */
	seven_exits();
	assert_int_equal(causes_of(KEY(CPUID, 3)).accesses, 14);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_scenarios, causes_unload),
		cmocka_unit_test_teardown(test_overflow, causes_unload),
		cmocka_unit_test_teardown(test_votes, causes_unload),
		cmocka_unit_test_teardown(test_threads, causes_unload),
		cmocka_unit_test_teardown(test_no_room, causes_unload),
		cmocka_unit_test_teardown(test_switched_off, causes_unload),
	};

	return run_group("cause", tests, ARRAY_SIZE(tests));
}
