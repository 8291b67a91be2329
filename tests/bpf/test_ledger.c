// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Each edge of the ledger: which state an interval is counted in, and that all add up. */
#include "bpf/ledger_programs.h"

#include <string.h>

#include "families/ledger/ledger_record.h"

#define STEPS_MAX 12
#define G	  LEDGER_GUEST
#define K	  LEDGER_KVM
#define V	  LEDGER_VMM
#define R	  LEDGER_READY
#define U	  LEDGER_UNKNOWN
#define P	  LEDGER_POLL
#define H	  LEDGER_HALTED

enum happens { NOTHING, EXITS, HALTS, ENTERS, VMM, BACK, WAKES, SPINS, ANEW, ANEW_PVM };

struct happening {
	uint64_t at; /* ns */
	enum happens what;
	uint64_t delay;		   /* what the thread has waited for a CPU until then, ns */
	uint64_t halt;		   /* of WAKES, which has slept, and SPINS, which has not: ns */
	uint64_t success, failure; /* KVM's polling until then, ns */
};

struct ledger_scenario {
	const char *name;
	enum ledger_state in_run;
	bool no_vcpu; /* no event names the vCPU */
	bool no_polls;
	struct happening steps[STEPS_MAX];
	uint64_t wants[LEDGER_STATES];
	enum ledger_state state; /* that is open */
	uint64_t first;		 /* edge since attaching; 0: that of the first step */
};

static const struct ledger_scenario scenarios[] = {
	{ .name = "the guest and KVM",
	  .in_run = K,
	  .steps = { { 1000, ENTERS }, { 1700, EXITS }, { 1730, ENTERS }, { 2730, EXITS } },
	  .wants = { [G] = 1700, [K] = 30 },
	  .state = K },
	{ .name = "attached in KVM, in the guest, in the VMM: nothing before the first edge",
	  .in_run = K,
	  .steps = { { 1000, ENTERS }, { 1007, EXITS } },
	  .wants = { [G] = 7 },
	  .state = K },
	{ .name = "attached in the guest",
	  .in_run = K,
	  .steps = { { 1000, EXITS }, { 1007, ENTERS } },
	  .wants = { [K] = 7 },
	  .state = G },
	{ .name = "a trip to the VMM",
	  .in_run = K,
	  .steps = { { 1000, ENTERS },
		     { 1100, EXITS },
		     { 1110, VMM },
		     { 6110, BACK },
		     { 6115, ENTERS } },
	  .wants = { [G] = 100, [K] = 15, [V] = 5000 },
	  .state = G },
	{ .name = "a trip that the entry ends (arm64)",
	  .in_run = K,
	  .no_vcpu = true,
	  .steps = { { 1000, EXITS }, { 1010, VMM }, { 6010, ENTERS }, { 6012, BACK } },
	  .wants = { [K] = 10, [V] = 5000 },
	  .state = G,
	  .first = 0 },
	{ .name = "the thread waits for a CPU in the guest, in KVM, in the VMM",
	  .in_run = K,
	  .steps = { { 1000, ENTERS, 500 },
		     { 3000, EXITS, 1500 },
		     { 4000, VMM, 1600 },
		     { 5000, BACK, 2400 } },
	  .wants = { [G] = 1000, [K] = 900, [V] = 200, [R] = 1900 },
	  .state = K },
	{ .name = "it has waited longer than the interval: what was before is not counted",
	  .in_run = K,
	  .steps = { { 1000, ENTERS, 0 }, { 1100, EXITS, 900 }, { 1150, ENTERS, 900 } },
	  .wants = { [R] = 100, [K] = 50 },
	  .state = G },
	{ .name = "a halt, half of which was polling",
	  .in_run = K,
	  .steps = { { 1000, HALTS },
		     { 1010, WAKES, .halt = 5, .success = 300 },
		     { 1020, ENTERS },
		     { 2000, HALTS },
		     { 3000, WAKES, .halt = 990, .success = 300, .failure = 400 },
		     { 3010, ENTERS } },
	  .wants = { [K] = 15 + 20, [G] = 980, [P] = 400, [H] = 5 + 590 },
	  .state = G },
	{ .name = "a halt that polling ends",
	  .in_run = K,
	  .steps = { { 1000, HALTS },
		     { 1010, SPINS, .halt = 5 },
		     { 1020, ENTERS },
		     { 2000, HALTS },
		     { 3000, SPINS, .halt = 990, .success = 985 },
		     { 3010, ENTERS } },
	  .wants = { [K] = 15 + 25, [G] = 980, [P] = 5 + 985 },
	  .state = G },
	{ .name = "the thread is woken, and waits for a CPU: neither halted nor KVM",
	  .in_run = K,
	  .steps = { { 1000, HALTS }, { 2000, WAKES, 100, .halt = 990 } },
	  .wants = { [K] = 10, [H] = 890, [R] = 100 },
	  .state = K },
	{ .name = "a halt that began before the ledger",
	  .in_run = K,
	  .steps = { { 1000, WAKES, .halt = 100000 }, { 1010, ENTERS } },
	  .wants = { [K] = 10 },
	  .state = G },
	{ .name = "a halt longer than the interval",
	  .in_run = K,
	  .steps = { { 1000, HALTS }, { 1100, WAKES, .halt = 100000 } },
	  .wants = { [H] = 100 },
	  .state = K },
	{ .name = "polling that cannot be read stays what it was",
	  .in_run = K,
	  .no_polls = true,
	  .steps = { { 1000, HALTS },
		     { 2000, SPINS, .halt = 990, .success = 990 },
		     { 3000, WAKES, .halt = 980, .failure = 100 } },
	  .wants = { [K] = 1000 + 20, [H] = 980 },
	  .state = K },
	{ .name = "no event names the vCPU: polling is that of halts without sleep",
	  .in_run = K,
	  .no_vcpu = true,
	  .steps = { { 1000, HALTS },
		     { 2000, SPINS, .halt = 990, .success = 7 },
		     { 3000, WAKES, .halt = 980, .failure = 100 } },
	  .wants = { [K] = 10 + 20, [P] = 990, [H] = 980 },
	  .state = K },
	{ .name = "no exits are seen (PVM)",
	  .in_run = U,
	  .no_vcpu = true,
	  .steps = { { 1000, VMM },
		     { 1500, BACK },
		     { 2500, WAKES, .halt = 900 },
		     { 3500, SPINS, .halt = 300 },
		     { 4000, VMM, 50 } },
	  .wants = { [V] = 500, [H] = 900, [P] = 300, [R] = 50, [U] = 100 + 700 + 450 },
	  .state = V },
	{ .name = "a halt whose exit was missed",
	  .in_run = K,
	  .steps = { { 1000, ENTERS }, { 2000, WAKES, .halt = 400 }, { 2010, ENTERS } },
	  .wants = { [U] = 600, [H] = 400, [K] = 10 },
	  .state = G },
	{ .name = "KVM_RUN that begins without a trip, or twice",
	  .in_run = K,
	  .steps = { { 1000, EXITS }, { 1010, BACK }, { 1030, ENTERS } },
	  .wants = { [K] = 30 },
	  .state = G },
	{ .name = "entries in a row (AMD's fast path): the guest goes on",
	  .in_run = K,
	  .steps = { { 1000, ENTERS }, { 1300, ENTERS }, { 1400, EXITS } },
	  .wants = { [G] = 400 },
	  .state = K },
	{ .name = "events that were missed: an exit after an exit, a trip from the guest",
	  .in_run = K,
	  .steps = { { 1000, EXITS },
		     { 1300, EXITS },
		     { 1310, ENTERS },
		     { 1400, VMM },
		     { 1500, EXITS } },
	  .wants = { [U] = 300 + 90 + 100, [K] = 10 },
	  .state = K },
	{ .name = "a clock behind that of another CPU",
	  .in_run = K,
	  .steps = { { 1000, ENTERS }, { 1300, EXITS }, { 1290, ENTERS }, { 1400, EXITS } },
	  .wants = { [G] = 100 + 300 },
	  .state = K },
	{ .name = "detached and attached: the time between is in nothing",
	  .in_run = K,
	  .steps = { { 1000, ENTERS },
		     { 1300, EXITS },
		     { 1400, ANEW },
		     { 9000, ENTERS },
		     { 9007, EXITS } },
	  .wants = { [G] = 307 },
	  .state = K,
	  .first = 9000 - 300 },
	{ .name = "the exit family is detached: what is not the VMM is unknown",
	  .in_run = K,
	  .steps = { { 1000, ENTERS },
		     { 1300, EXITS },
		     { 1400, ANEW_PVM },
		     { 2000, VMM },
		     { 2100, BACK },
		     { 2300, VMM } },
	  .wants = { [G] = 300, [V] = 100, [U] = 200 },
	  .state = V,
	  .first = 2000 - 300 },
};

static void step_run(const struct happening *step, uint64_t vcpu)
{
	ledgers_clock(step->at, step->delay);
	kvm_polled(step->success, step->failure);
	switch (step->what) {
	case NOTHING:
		break;
	case EXITS:
		run_exit(vcpu, SVM_IO);
		break;
	case HALTS:
		run_exit(vcpu, SVM_HLT);
		break;
	case ENTERS:
		run_entry(vcpu);
		break;
	case VMM:
		run_trip();
		break;
	case BACK:
		run_return();
		break;
	case WAKES:
	case SPINS:
		run_wakeup(step->halt, step->what == WAKES);
		break;
	case ANEW:
		ledgers_attach(LEDGER_KVM);
		break;
	case ANEW_PVM:
		ledgers_attach(LEDGER_UNKNOWN);
		break;
	}
}

static void scenario_run(const struct ledger_scenario *scenario)
{
	uint64_t first = scenario->first ? scenario->first : scenario->steps[0].at, sum = 0;
	struct ledger_record record;
	struct ledger_reading reading;

	ledgers_clear();
	ledgers_attach(scenario->in_run);
	ledgers_know_polls(!scenario->no_polls);
	for (size_t i = 0; i < STEPS_MAX; i++)
		step_run(&scenario->steps[i], scenario->no_vcpu ? 0 : ledgers_vcpu(0));
	record = ledger_of_thread();
	ledger_record_read(&record, ledgers_flag(), &reading);
	for (unsigned i = 0; i < LEDGER_STATES; i++) {
		if (reading.times.time[i] != scenario->wants[i])
			fail_msg("%s: state %u has %llu ns, not %llu", scenario->name, i,
				 (unsigned long long)reading.times.time[i],
				 (unsigned long long)scenario->wants[i]);
		sum += reading.times.time[i];
	}
	if (!reading.is_open || reading.state != scenario->state || sum != reading.since - first)
		fail_msg("%s: open %d in state %u since %llu, all are %llu", scenario->name,
			 reading.is_open, reading.state, (unsigned long long)reading.since,
			 (unsigned long long)sum);
}

/* By probe reads, and by typed loads where this kernel has them. */
static void test_scenarios(void **state)
{
	for (unsigned typed = 0; typed < 2; typed++) {
		if (!ledgers_load(RECORDS_CHUNK - 1, typed))
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++)
			scenario_run(&scenarios[i]);
		ledgers_unload(state);
	}
}

/* An exit in which the vCPU sleeps is a halt while it is open, and KVM's once it ends. */
static void test_open_halt(void **state)
{
	struct ledger_reading reading;
	struct ledger_record record;

	(void)state;
	ledgers_load(RECORDS_CHUNK - 1, false);
	ledgers_clock(1000, 0);
	run_exit(ledgers_vcpu(0), SVM_HLT);
	record = ledger_of_vcpu(ledgers_vcpu(0));
	ledger_record_read(&record, ledgers_flag(), &reading);
	assert_true(reading.is_open);
	assert_int_equal(reading.state, LEDGER_HALTED);
	assert_int_equal(reading.since, 1000);
	ledgers_clock(1500, 0);
	run_entry(ledgers_vcpu(0));
	record = ledger_of_vcpu(ledgers_vcpu(0));
	ledger_record_read(&record, ledgers_flag(), &reading);
	assert_int_equal(reading.state, LEDGER_GUEST);
	assert_int_equal(reading.times.time[LEDGER_KVM], 500);
	ledgers_detach();
	ledger_record_read(&record, ledgers_flag(), &reading);
	assert_false(reading.is_open);
}

/* --- threads, no room, switched off --- */

static void guest_runs(uint64_t vcpu, uint64_t from)
{
	ledgers_clock(from, 0);
	run_entry(vcpu);
	ledgers_clock(from + 100, 0);
	run_exit(vcpu, SVM_IO);
}

static void second_thread(void)
{
	guest_runs(ledgers_vcpu(16), 5000);
}

static void test_threads(void **state)
{
	(void)state;
	ledgers_load(RECORDS_CHUNK - 1, false);
	guest_runs(ledgers_vcpu(8), 1000);
	in_thread(second_thread);
	assert_int_equal(ledger_of_vcpu(ledgers_vcpu(8)).time[G], 100);
	assert_int_equal(ledger_of_vcpu(ledgers_vcpu(16)).time[G], 100);
	assert_int_equal(ledgers_dropped(), 0);
}

/* A thread that runs two vCPUs has one ledger, its first vCPU's. */
static void test_two_vcpus(void **state)
{
	struct ledger_record record;

	(void)state;
	ledgers_load(RECORDS_CHUNK - 1, false);
	guest_runs(ledgers_vcpu(8), 1000);
	guest_runs(ledgers_vcpu(16), 2000);
	record = ledger_of_vcpu(ledgers_vcpu(8));
	assert_int_equal(record.time[G], 200);
	assert_int_equal(record.time[K], 900);
}

static void test_no_room(void **state)
{
	(void)state;
	ledgers_load(0, false);
	guest_runs(ledgers_vcpu(8), 1000);
	ledgers_clock(1200, 0);
	run_wakeup(10, true);
	run_trip();
	assert_int_equal(ledgers_dropped(), 4);
}

static void test_switched_off(void **state)
{
	(void)state;
	ledgers_load(RECORDS_CHUNK - 1, false);
	guest_runs(ledgers_vcpu(8), 1000);
	ledgers_detach();
	guest_runs(ledgers_vcpu(8), 2000);
	run_wakeup(10, true);
	assert_int_equal(ledger_of_vcpu(ledgers_vcpu(8)).time[G], 100);
	assert_int_equal(ledger_of_vcpu(ledgers_vcpu(8)).last >> LEDGER_STATE_BITS, 1100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_scenarios, ledgers_unload),
		cmocka_unit_test_teardown(test_open_halt, ledgers_unload),
		cmocka_unit_test_teardown(test_threads, ledgers_unload),
		cmocka_unit_test_teardown(test_two_vcpus, ledgers_unload),
		cmocka_unit_test_teardown(test_no_room, ledgers_unload),
		cmocka_unit_test_teardown(test_switched_off, ledgers_unload),
	};

	return run_group("ledger", tests, ARRAY_SIZE(tests));
}
