// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Which key an exit, a trip to the VMM and an access is charged to. */
#include "bpf/cause_programs.h"

#define STEPS_MAX	     16
#define KEYS_MAX	     4

#define PIO(write, port)     CAUSE_KEY(CAUSE_PIO, write, port)
#define MMIO(write, address) CAUSE_KEY(CAUSE_MMIO, write, address)
#define MSR(write, number)   CAUSE_KEY(CAUSE_MSR, write, number)
#define KEY(kind, number)    CAUSE_KEY(CAUSE_##kind, 0, number)
#define KEY_W(kind, number)  CAUSE_KEY(CAUSE_##kind, 1, number)

enum happens { NOTHING, EXITS, ENTERS, ACCESS, VMM, BACK, ANEW, EXITS_1, ENTERS_1 };

struct happening {
	uint64_t at;
	enum happens what;
	enum access access;
	uint64_t number;
};

#define A(at, access, number) at, ACCESS, access, number

struct cause_scenario {
	const char *name;
	struct happening steps[STEPS_MAX];
	struct {
		uint64_t key;
		struct cause_counts counts;
	} wants[KEYS_MAX];   /* accesses, exits, time, trips, their time; of others nothing */
	uint64_t open_exits; /* that no entry has closed */
	uint64_t open_trips;
};

static const struct cause_scenario scenarios[] = {
	{ .name = "a write to a port",
	  .steps = { { 1000, EXITS, 0, 0 }, { A(1100, PIO_WRITE, 0x3f8) }, { 1500, ENTERS, 0, 0 } },
	  .wants = { { PIO(1, 0x3f8), { 1, 1, 500, 0, 0 } } } },
	{ .name = "an exit without a key",
	  .steps = { { 1000, EXITS, 0, 0 }, { 1500, ENTERS, 0, 0 } },
	  .wants = { { CAUSE_NONE, { 0, 1, 500, 0, 0 } } } },
	{ .name = "the key of the exit before is not that of the next",
	  .steps = { { 1000, EXITS, 0, 0 },
		     { A(1100, CPUID, 7) },
		     { 1500, ENTERS, 0, 0 },
		     { 2000, EXITS, 0, 0 },
		     { 2007, ENTERS, 0, 0 } },
	  .wants = { { KEY(CPUID, 7), { 1, 1, 500, 0, 0 } }, { CAUSE_NONE, { 0, 1, 7, 0, 0 } } } },
	{ .name = "a read whose value comes after the VMM's answer",
	  .steps = { { 1000, EXITS, 0, 0 },
		     { 1100, VMM, 0, 0 },
		     { 1900, BACK, 0, 0 },
		     { A(1950, PIO_READ, 0x3fd) },
		     { 2000, ENTERS, 0, 0 } },
	  .wants = { { PIO(0, 0x3fd), { 1, 1, 1000, 1, 800 } } } },
	{ .name = "two trips of one exit",
	  .steps = { { 1000, EXITS, 0, 0 },
		     { A(1050, PIO_WRITE, 0x1f0) },
		     { 1100, VMM, 0, 0 },
		     { 1200, BACK, 0, 0 },
		     { 1300, VMM, 0, 0 },
		     { 1600, BACK, 0, 0 },
		     { 2000, ENTERS, 0, 0 } },
	  .wants = { { PIO(1, 0x1f0), { 1, 1, 1000, 2, 400 } } } },
	{ .name = "two keys in one exit: a port before memory, whichever is first",
	  .steps = { { 1000, EXITS, 0, 0 },
		     { A(1100, MMIO_WRITE, 0xfebf0004) },
		     { A(1200, PIO_READ, 0x1f0) },
		     { 1500, ENTERS, 0, 0 } },
	  .wants = { { PIO(0, 0x1f0), { 1, 1, 500, 0, 0 } },
		     { MMIO(1, 0xfebf0000), { 1, 0, 0, 0, 0 } } } },
	{ .name = "two keys of one kind: the first",
	  .steps = { { 1000, EXITS, 0, 0 },
		     { A(1100, MMIO_WRITE, 0xfebf1000) },
		     { A(1200, MMIO_WRITE, 0xfebf0000) },
		     { 1500, ENTERS, 0, 0 } },
	  .wants = { { MMIO(1, 0xfebf1000), { 1, 1, 500, 0, 0 } },
		     { MMIO(1, 0xfebf0000), { 1, 0, 0, 0, 0 } } } },
	{ .name = "an MSR before the APIC's register, which is no access",
	  .steps = { { 1000, EXITS, 0, 0 },
		     { A(1100, APIC_WRITE, 0x300) },
		     { A(1200, MSR_WRITE, 0x830) },
		     { 1500, ENTERS, 0, 0 } },
	  .wants = { { MSR(1, 0x830), { 1, 1, 500, 0, 0 } } } },
	{ .name = "arm64: a read of ID_AA64PFR0_EL1, s3_0_c0_c4_0",
	  .steps = { { 1000, EXITS, 0, 0 },
		     { A(1100, SYSREG, 0x62300009) },
		     { 1500, ENTERS, 0, 0 } },
	  .wants = { { CAUSE_KEY(CAUSE_SYSREG, 0, 0x180400), { 1, 1, 500, 0, 0 } } } },
	{ .name = "arm64: X3 to OSLAR_EL1, s2_0_c1_c0_4",
	  .steps = { { 1000, EXITS, 0, 0 },
		     { A(1100, SYSREG, 0x62280460) },
		     { 1500, ENTERS, 0, 0 } },
	  .wants = { { CAUSE_KEY(CAUSE_SYSREG, 1, 0x101080), { 1, 1, 500, 0, 0 } } } },
	{ .name = "arm64: a call, whose number has 32 bits",
	  .steps = { { 1000, EXITS, 0, 0 },
		     { A(1100, HVC, 0x1234567884000000) },
		     { 1500, ENTERS, 0, 0 } },
	  .wants = { { CAUSE_KEY(CAUSE_HVC, 0, 0x84000000), { 1, 1, 500, 0, 0 } } } },
	{ .name = "the APIC's register alone",
	  .steps = { { 1000, EXITS, 0, 0 },
		     { A(1100, APIC_READ, 0x390) },
		     { 1500, ENTERS, 0, 0 },
		     { 2000, EXITS, 0, 0 },
		     { A(2100, APIC_WRITE, 0x380) },
		     { 2007, ENTERS, 0, 0 } },
	  .wants = { { KEY(APIC, 0x390), { 0, 1, 500, 0, 0 } },
		     { KEY_W(APIC, 0x380), { 0, 1, 7, 0, 0 } } } },
	{ .name = "a hypercall and one of Hyper-V's are one kind: the first",
	  .steps = { { 1000, EXITS, 0, 0 },
		     { A(1100, HV_HYPERCALL, 0x5c) },
		     { A(1200, HYPERCALL, 10) },
		     { A(1300, CR_WRITE, 4) },
		     { 1500, ENTERS, 0, 0 } },
	  .wants = { { KEY(HV, 0x5c), { 1, 1, 500, 0, 0 } },
		     { KEY(HYPERCALL, 10), { 1, 0, 0, 0, 0 } },
		     { KEY_W(CR, 4), { 1, 0, 0, 0, 0 } } } },
	{ .name = "an MSR, a leaf, a call, a control register: in this order",
	  .steps = { { 1000, EXITS, 0, 0 },
		     { A(1100, CR_READ, 8) },
		     { A(1101, HYPERCALL, 1) },
		     { A(1102, CPUID, 0x40000000) },
		     { A(1103, MSR_READ, 0x10) },
		     { 1500, ENTERS, 0, 0 } },
	  .wants = { { MSR(0, 0x10), { 1, 1, 500, 0, 0 } },
		     { KEY(CR, 8), { 1, 0, 0, 0, 0 } },
		     { KEY(HYPERCALL, 1), { 1, 0, 0, 0, 0 } },
		     { KEY(CPUID, 0x40000000), { 1, 0, 0, 0, 0 } } } },
	{ .name = "pages, registers of three devices, and the VGA's memory",
	  .steps = { { A(1, MMIO_READ, 0xfed00fff) },
		     { A(2, MMIO_READ, 0xfec00010) },
		     { A(3, MMIO_WRITE, 0xbffff) },
		     { A(4, MMIO_WRITE, 0xa0000) },
		     { A(5, FAST_MMIO, 0xc0001) } },
	  .wants = { { MMIO(0, 0xfed00fff), { 1, 0, 0, 0, 0 } },
		     { MMIO(0, 0xfec00010), { 1, 0, 0, 0, 0 } },
		     { MMIO(1, 0xa0000), { 2, 0, 0, 0, 0 } },
		     { MMIO(1, 0xc0000), { 1, 0, 0, 0, 0 } } } },
	{ .name = "a key before the exit, or after the entry, is an access only",
	  .steps = { { 500, ENTERS, 0, 0 },
		     { A(600, MSR_WRITE, 0x6e0) },
		     { 1000, EXITS, 0, 0 },
		     { 1500, ENTERS, 0, 0 },
		     { A(1600, MSR_WRITE, 0x6e0) },
		     { 1700, ENTERS, 0, 0 } },
	  .wants = { { MSR(1, 0x6e0), { 2, 0, 0, 0, 0 } }, { CAUSE_NONE, { 0, 1, 500, 0, 0 } } } },
	{ .name = "an exit that replaces one is not closed, but counted",
	  .steps = { { 1000, EXITS, 0, 0 },
		     { A(1100, CPUID, 1) },
		     { 1200, EXITS, 0, 0 },
		     { A(1300, CPUID, 2) },
		     { 1500, ENTERS, 0, 0 } },
	  .wants = { { KEY(CPUID, 1), { 1, 1, 0, 0, 0 } },
		     { KEY(CPUID, 2), { 1, 1, 300, 0, 0 } } } },
	{ .name = "an exit that is open",
	  .steps = { { 1000, EXITS, 0, 0 }, { A(1100, CPUID, 1) } },
	  .wants = { { KEY(CPUID, 1), { 1, 0, 0, 0, 0 } } },
	  .open_exits = 1 },
	{ .name = "trips before the first exit",
	  .steps = { { 100, VMM, 0, 0 },
		     { 130, BACK, 0, 0 },
		     { 500, ENTERS, 0, 0 },
		     { 1000, EXITS, 0, 0 },
		     { A(1001, CPUID, 1) },
		     { 1500, ENTERS, 0, 0 } },
	  .wants = { { CAUSE_NONE, { 0, 0, 0, 1, 30 } }, { KEY(CPUID, 1), { 1, 1, 500, 0, 0 } } } },
	{ .name = "arm64: the trip ends after its exit",
	  .steps = { { 1000, EXITS, 0, 0 },
		     { A(1100, MMIO_WRITE, 0x9000000) },
		     { 1200, VMM, 0, 0 },
		     { 1500, ENTERS, 0, 0 },
		     { 1500, BACK, 0, 0 },
		     { 2000, EXITS, 0, 0 },
		     { 2001, ENTERS, 0, 0 } },
	  .wants = { { MMIO(1, 0x9000000), { 1, 1, 500, 1, 300 } },
		     { CAUSE_NONE, { 0, 1, 1, 0, 0 } } } },
	{ .name = "detached and attached: what was open is counted, without time",
	  .steps = { { 1000, EXITS, 0, 0 },
		     { A(1100, PIO_WRITE, 0x70) },
		     { 1200, VMM, 0, 0 },
		     { 1300, ANEW, 0, 0 },
		     { 1500, BACK, 0, 0 },
		     { 1600, ENTERS, 0, 0 },
		     { 2000, EXITS, 0, 0 },
		     { 2007, ENTERS, 0, 0 } },
	  .wants = { { PIO(1, 0x70), { 1, 1, 0, 1, 0 } }, { CAUSE_NONE, { 0, 1, 607, 0, 300 } } } },
	{ .name = "two vCPUs of one thread",
	  .steps = { { 1000, EXITS, 0, 0 },
		     { A(1100, PIO_WRITE, 0x70) },
		     { 1500, ENTERS, 0, 0 },
		     { 2000, EXITS_1, 0, 0 },
		     { A(2100, PIO_WRITE, 0x71) },
		     { 2200, VMM, 0, 0 },
		     { 2260, BACK, 0, 0 },
		     { 2700, ENTERS_1, 0, 0 },
		     { 3000, EXITS, 0, 0 },
		     { A(3100, PIO_WRITE, 0x70) },
		     { 3600, ENTERS, 0, 0 } },
	  .wants = { { PIO(1, 0x70), { 2, 2, 1100, 0, 0 } },
		     { PIO(1, 0x71), { 1, 1, 700, 1, 60 } } } },
	/* where no exit is seen */
	{ .name = "PVM: a write before its trip",
	  .steps = { { A(1000, PIO_WRITE, 0x3f8) },
		     { 1100, VMM, 0, 0 },
		     { 1900, BACK, 0, 0 },
		     { A(2500, PIO_WRITE, 0x402) } },
	  .wants = { { PIO(1, 0x3f8), { 1, 0, 0, 1, 800 } },
		     { PIO(1, 0x402), { 1, 0, 0, 0, 0 } } } },
	{ .name = "PVM: a read after its trip",
	  .steps = { { A(1000, PIO_WRITE, 0x70) },
		     { 1100, VMM, 0, 0 },
		     { 1200, BACK, 0, 0 },
		     { 1300, VMM, 0, 0 },
		     { 1900, BACK, 0, 0 },
		     { A(1910, PIO_READ, 0x71) } },
	  .wants = { { PIO(1, 0x70), { 1, 0, 0, 1, 100 } },
		     { PIO(0, 0x71), { 1, 0, 0, 1, 600 } } } },
	{ .name = "PVM: a read of memory, its event before the trip is none",
	  .steps = { { A(1000, MMIO_WRITE, 0x9000000) },
		     { A(1001, MMIO_WAITS, 0xfed00004) },
		     { 1100, VMM, 0, 0 },
		     { 1200, BACK, 0, 0 },
		     { A(1910, MMIO_READ, 0xfed00004) } },
	  .wants = { { MMIO(1, 0x9000000), { 1, 0, 0, 0, 0 } },
		     { MMIO(0, 0xfed00004), { 1, 0, 0, 1, 100 } } } },
	{ .name = "PVM: the read of the next trip is not the last one's",
	  .steps = { { A(1000, PIO_WRITE, 0x70) },
		     { 1100, VMM, 0, 0 },
		     { 1200, BACK, 0, 0 },
		     { A(1300, MMIO_WAITS, 0xfed00004) },
		     { 1400, VMM, 0, 0 },
		     { 1405, BACK, 0, 0 },
		     { A(1500, MMIO_READ, 0xfed00004) } },
	  .wants = { { PIO(1, 0x70), { 1, 0, 0, 1, 100 } },
		     { MMIO(0, 0xfed00004), { 1, 0, 0, 1, 5 } } } },
	{ .name = "PVM: no access in the run, then an event that is none of a device",
	  .steps = { { A(900, PIO_WRITE, 0x80) },
		     { 1000, VMM, 0, 0 },
		     { 1001, BACK, 0, 0 },
		     { 1100, VMM, 0, 0 },
		     { 1200, BACK, 0, 0 },
		     { A(1300, MSR_READ, 0x10) },
		     { A(1400, PIO_READ, 0x21) } },
	  .wants = { { PIO(1, 0x80), { 1, 0, 0, 1, 1 } },
		     { CAUSE_NONE, { 0, 0, 0, 1, 100 } },
		     { MSR(0, 0x10), { 1, 0, 0, 0, 0 } },
		     { PIO(0, 0x21), { 1, 0, 0, 0, 0 } } } },
	{ .name = "PVM: a trip that waits",
	  .steps = { { A(1000, PIO_WRITE, 0x70) }, { 1100, VMM, 0, 0 }, { 1200, BACK, 0, 0 } },
	  .wants = { { PIO(1, 0x70), { 1, 0, 0, 0, 0 } } },
	  .open_trips = 1 },
};

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
