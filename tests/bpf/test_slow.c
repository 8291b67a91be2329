// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Which exits are slow, and what is recorded of each. */
#include "bpf/slow_programs.h"

#include <string.h>

#include "bpf/cause.h"
#include "kvm/exit_reasons.h"

#define STEPS_MAX 12
#define VCPU	  0x1000
#define K	  LEDGER_KVM
#define V	  LEDGER_VMM
#define R	  LEDGER_READY
#define U	  LEDGER_UNKNOWN
#define P	  LEDGER_POLL
#define H	  LEDGER_HALTED

/* What is known where there are ledger and causes. */
#define ALL (SLOW_STATES | SLOW_CAUSE | SLOW_READY | SLOW_POLL)

enum happens { NOTHING, EXITS, HALTS, ENTERS, VMM, VMM_HALT, BACK, WAKES, SPINS, OUT, IN, ANEW };

struct happening {
	uint64_t at; /* ns */
	enum happens what;
	uint64_t delay; /* what the thread has waited for a CPU until then, ns */
	uint64_t halt;	/* of WAKES, which has slept, and SPINS, which has not: ns */
};

/* The only slow exit, if any. */
struct slow_scenario {
	const char *name;
	bool no_ledger, no_causes, trips;
	bool no_vcpu; /* no event names the vCPU; else KVM's polling cannot be read */
	struct happening steps[STEPS_MAX];
	uint64_t end, duration; /* no duration: nothing is slow */
	uint64_t state[LEDGER_STATES];
	uint64_t cause;
	uint32_t code;	/* of the reason */
	uint32_t known; /* as there; 0: all */
};

static const struct slow_scenario scenarios[] = {
	{ .name = "as long as the threshold",
	  .steps = { { 5000, EXITS }, { 5000 + SLOW_NS, ENTERS } } },
	{ .name = "longer by a nanosecond",
	  .steps = { { 5000, EXITS }, { 5001 + SLOW_NS, ENTERS } },
	  .end = 5001 + SLOW_NS,
	  .duration = SLOW_NS + 1,
	  .state = { [K] = SLOW_NS + 1 },
	  .code = SVM_IO },
	{ .name = "it waits for a CPU in KVM",
	  .steps = { { 1000, ENTERS, 10 }, { 5000, EXITS, 300 }, { 25000, ENTERS, 15300 } },
	  .end = 25000,
	  .duration = 20000,
	  .state = { [K] = 5000, [R] = 15000 },
	  .code = SVM_IO },
	{ .name = "it has waited for a CPU before the exit, too",
	  .steps = { { 5000, EXITS, 0 },
		     { 6000, ENTERS, 500 },
		     { 9000, EXITS, 2500 },
		     { 29000, ENTERS, 2500 } },
	  .end = 29000,
	  .duration = 20000,
	  .state = { [K] = 20000 },
	  .code = SVM_IO },
	{ .name = "a trip to a port; the device is known before",
	  .steps = { { 5000, EXITS },
		     { 5010, OUT },
		     { 5100, VMM },
		     { 35100, BACK, 7000 },
		     { 35200, ENTERS, 7000 } },
	  .end = 35200,
	  .duration = 30200,
	  .state = { [K] = 200, [V] = 23000, [R] = 7000 },
	  .cause = CAUSE_KEY(CAUSE_PIO, true, 0x70),
	  .code = SVM_IO },
	{ .name = "two trips of one exit; the device is known after the last",
	  .steps = { { 4000, EXITS },
		     { 4100, ENTERS },
		     { 5000, EXITS },
		     { 5100, VMM },
		     { 6100, BACK },
		     { 6150, VMM },
		     { 36150, BACK },
		     { 36160, IN },
		     { 36200, ENTERS } },
	  .end = 36200,
	  .duration = 31200,
	  .state = { [K] = 200, [V] = 31000 },
	  .cause = CAUSE_KEY(CAUSE_PIO, false, 0x70),
	  .code = SVM_IO },
	{ .name = "a halt of whatever length is none",
	  .steps = { { 5000, HALTS }, { 905000, WAKES, .halt = 899000 }, { 905500, ENTERS } } },
	{ .name = "nor is one that polls",
	  .no_vcpu = true,
	  .steps = { { 5000, HALTS }, { 905000, SPINS, .halt = 899000 }, { 905500, ENTERS } } },
	{ .name = "a halted vCPU waits for a CPU when it is woken",
	  .steps = { { 5000, HALTS },
		     { 905000, WAKES, 50000, .halt = 899000 },
		     { 905500, ENTERS, 50000 } },
	  .end = 905500,
	  .duration = 900500,
	  .state = { [K] = 1500, [H] = 849000, [R] = 50000 },
	  .known = ALL & ~SLOW_POLL,
	  .code = SVM_HLT },
	{ .name = "it has slept and polled",
	  .no_vcpu = true,
	  .steps = { { 5000, HALTS },
		     { 105000, SPINS, .halt = 90000 },
		     { 205000, WAKES, .halt = 90000 },
		     { 205500, ENTERS } },
	  .end = 205500,
	  .duration = 200500,
	  .state = { [K] = 20500, [H] = 90000, [P] = 90000 },
	  .code = SVM_HLT },
	{ .name = "a halt in the VMM",
	  .steps = { { 5000, HALTS }, { 5100, VMM_HALT }, { 905000, BACK }, { 905100, ENTERS } } },
	{ .name = "without a ledger a halt may be sleep",
	  .no_ledger = true,
	  .steps = { { 5000, HALTS }, { 905500, ENTERS, 800000 } } },
	{ .name = "without a ledger an exit has no states",
	  .no_ledger = true,
	  .steps = { { 5000, EXITS },
		     { 5010, OUT },
		     { 5100, VMM },
		     { 35100, BACK },
		     { 35200, ENTERS } },
	  .end = 35200,
	  .duration = 30200,
	  .cause = CAUSE_KEY(CAUSE_PIO, true, 0x70),
	  .known = SLOW_CAUSE,
	  .code = SVM_IO },
	{ .name = "without causes",
	  .no_causes = true,
	  .steps = { { 5000, EXITS }, { 25000, ENTERS } },
	  .end = 25000,
	  .duration = 20000,
	  .state = { [K] = 20000 },
	  .known = ALL & ~SLOW_CAUSE,
	  .code = SVM_IO },
	{ .name = "a slow exit that was replaced is unknown",
	  .steps = { { 5000, EXITS }, { 95000, EXITS }, { 95100, ENTERS } } },
	{ .name = "attached within an exit",
	  .steps = { { 5000, EXITS }, { 50000, ANEW }, { 95100, ENTERS } } },
	{ .name = "exits are seen: a trip by itself is none",
	  .steps = { { 5000, VMM }, { 95000, BACK } } },
	{ .name = "no exits are seen: a trip is; it writes",
	  .trips = true,
	  .steps = { { 4000, OUT }, { 5000, VMM }, { 95000, BACK, 30000 }, { 95100, VMM } },
	  .end = 95000,
	  .duration = 90000,
	  .state = { [V] = 60000, [R] = 30000 },
	  .cause = CAUSE_KEY(CAUSE_PIO, true, 0x70),
	  .code = KVM_IO },
	{ .name = "it reads",
	  .trips = true,
	  .steps = { { 5000, VMM },
		     { 95000, BACK },
		     { 95010, IN },
		     { 95020, OUT },
		     { 95100, VMM },
		     { 95200, BACK } },
	  .end = 95000,
	  .duration = 90000,
	  .state = { [V] = 90000 },
	  .cause = CAUSE_KEY(CAUSE_PIO, false, 0x70),
	  .code = KVM_IO },
	{ .name = "its cause is not known yet",
	  .trips = true,
	  .steps = { { 4000, OUT }, { 5000, VMM }, { 95000, BACK } },
	  .end = 95000,
	  .duration = 90000,
	  .state = { [V] = 90000 },
	  .known = ALL & ~SLOW_CAUSE,
	  .code = KVM_IO },
	{ .name = "a trip as long as the threshold",
	  .trips = true,
	  .steps = { { 5000, VMM }, { 5000 + SLOW_NS, BACK } } },
	{ .name = "a trip to sleep",
	  .trips = true,
	  .steps = { { 5000, VMM_HALT }, { 95000, BACK } } },
};

static void happen(const struct slow_scenario *scenario, const struct happening *step)
{
	uint64_t vcpu = scenario->no_vcpu ? 0 : VCPU;

	slow_clock(step->at, step->delay);
	switch (step->what) {
	case EXITS:
	case HALTS:
		return slow_run_exit(vcpu, step->what == HALTS ? SVM_HLT : SVM_IO);
	case ENTERS:
		return slow_run_entry(vcpu);
	case VMM:
	case VMM_HALT:
		return slow_run_trip(step->what == VMM ? KVM_IO : KVM_HLT);
	case BACK:
		return slow_run_return();
	case WAKES:
	case SPINS:
		return slow_run_wakeup(step->halt, step->what == WAKES);
	case OUT:
	case IN:
		return slow_run_port(step->what == OUT, 0x70);
	case ANEW:
		return slow_attach(!scenario->no_ledger, !scenario->no_causes, scenario->trips);
	case NOTHING:
		return;
	}
}

static uint32_t reason_of(const struct slow_scenario *scenario)
{
	enum reasons_isa isa = scenario->trips ? REASONS_USERSPACE : REASONS_SVM;

	return (uint32_t)(isa + 1) << LEDGER_ISA_SHIFT |
	       (uint32_t)reasons_slot_of(isa, scenario->code);
}

static void assert_slow(const struct slow_scenario *scenario, const struct slow_record *record)
{
	const struct slow_exit *slow = &record->exits[0];

	assert_int_equal(record->count, 1);
	assert_int_equal(slow->number, 1);
	assert_int_equal(slow->check, slow_sum(slow, 1));
	assert_int_equal(slow->end, scenario->end);
	assert_int_equal(slow->duration, scenario->duration);
	assert_int_equal(slow->reason, reason_of(scenario));
	assert_int_equal(slow->known, scenario->known ? scenario->known : ALL);
	assert_int_equal(slow->cause, scenario->cause);
	for (unsigned i = 0; i < LEDGER_STATES; i++)
		assert_int_equal(slow->time[i], scenario->state[i]);
}

static void test_scenarios(void **state)
{
	(void)state;
	slow_load(RECORDS_CHUNK - 1);
	for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++) {
		const struct slow_scenario *scenario = &scenarios[i];
		struct slow_record record;
		bool found;

		print_message("# %s\n", scenario->name);
		slow_clear();
		slow_attach(!scenario->no_ledger, !scenario->no_causes, scenario->trips);
		for (unsigned j = 0; j < STEPS_MAX; j++)
			happen(scenario, &scenario->steps[j]);
		found = slow_of_thread(&record);
		assert_int_equal(found, scenario->duration != 0);
		if (found)
			assert_slow(scenario, &record);
	}
	assert_int_equal(slow_dropped(), 0);
}

/* --- the ring --- */

/* A slow exit of so many ns. */
static void exit_takes(uint64_t vcpu, uint64_t at, uint64_t duration)
{
	slow_clock(at, 0);
	slow_run_exit(vcpu, SVM_IO);
	slow_clock(at + duration, 0);
	slow_run_entry(vcpu);
}

static void test_ring(void **state)
{
	struct slow_record record;

	(void)state;
	slow_load(RECORDS_CHUNK - 1);
	for (uint64_t i = 1; i <= 19; i++) {
		exit_takes(VCPU, i * 1000000, SLOW_NS + i);
		exit_takes(VCPU, i * 1000000 + 500000, 100);
	}
	assert_true(slow_of_thread(&record));
	assert_int_equal(record.count, 19);
	for (uint64_t i = 12; i <= 19; i++) {
		const struct slow_exit *slow = &record.exits[(i - 1) % SLOW_EXITS];

		assert_int_equal(slow->number, i);
		assert_int_equal(slow->duration, SLOW_NS + i);
		assert_int_equal(slow->check, slow_sum(slow, i));
	}
}

/* --- records --- */

static void test_two_vcpus(void **state)
{
	struct slow_record record;

	(void)state;
	slow_load(RECORDS_CHUNK - 1);
	exit_takes(VCPU, 1000, SLOW_NS + 1);
	exit_takes(VCPU + 8, 1000000, SLOW_NS + 2);
	exit_takes(VCPU + 8, 2000000, SLOW_NS + 3);
	assert_true(slow_of_vcpu(VCPU, &record));
	assert_int_equal(record.count, 1);
	assert_int_equal(record.exits[0].duration, SLOW_NS + 1);
	assert_true(slow_of_vcpu(VCPU + 8, &record));
	assert_int_equal(record.count, 2);
	assert_int_equal(record.exits[1].duration, SLOW_NS + 3);
}

static void test_no_room(void **state)
{
	struct slow_record record;

	(void)state;
	slow_load(0);
	exit_takes(VCPU, 1000, SLOW_NS + 1);
	exit_takes(VCPU, 2000000, SLOW_NS);
	exit_takes(VCPU, 3000000, SLOW_NS + 1);
	assert_int_equal(slow_dropped(), 2);
	assert_false(slow_of_thread(&record));
}

static void test_switched_off(void **state)
{
	struct slow_record record;

	(void)state;
	slow_load(RECORDS_CHUNK - 1);
	slow_detach();
	exit_takes(VCPU, 1000, SLOW_NS + 1);
	exit_takes(VCPU, 2000000, 100ULL * 3600 * 1000000000); /* a flag of 0 has a limit */
	assert_false(slow_of_thread(&record));
	slow_attach(true, true, false);
	exit_takes(VCPU, 1000ULL * 3600 * 1000000000, SLOW_NS + 1);
	assert_true(slow_of_thread(&record));
	assert_int_equal(record.count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scenarios),
		cmocka_unit_test(test_ring),
		cmocka_unit_test(test_two_vcpus),
		cmocka_unit_test(test_switched_off),
		cmocka_unit_test_teardown(test_no_room, slow_unload),
	};

	return run_group("slow", tests, ARRAY_SIZE(tests));
}
