// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Agents one after another, with other limits in kvm.conf: maps of another size, and what is in
 * chunks of memory, go on from their counts where there is room for them, and else say that they
 * do not.
 */
#include "bpf/family.h"

#include <string.h>

#include "bpf/engine.h"

enum { CPUID = 0x72, HLT = 0x78, ISA_SVM = 2, VCPU = 0x1000 };

/* vCPUs, all of this thread: their records and blocks are in more than one chunk. */
#define VCPUS (2 * RECORDS_CHUNK - 1)

/* An agent with room for so many vCPUs and counters. */
static void next_agent(unsigned vcpus, unsigned counters)
{
	family_close();
	config.vcpus = vcpus;
	config.counters = counters;
	config.growth_ns = UINT64_MAX / 4;
	family_open("exit");
}

/* Each vCPU leaves the guest for this reason. */
static void exits(uint64_t code)
{
	for (unsigned i = 0; i < VCPUS; i++) {
		fire("kvm_exit", code, VCPU + i, ISA_SVM);
		fire("kvm_entry", VCPU + i);
	}
}

/* Room is made for all before any is counted by its vCPU. */
static void make_room(void)
{
	for (int round = 0; round < 6; round++) {
		exits(HLT);
		exits(CPUID);
		read_tables();
		if (value_at("map", "exit_blocks", "used") == 2 * VCPUS)
			break;
		family_tick();
	}
	assert_int_equal(value_at("map", "exit_cells", "used"), VCPUS);
	assert_int_equal(value_at("map", "exit_blocks", "used"), 2 * VCPUS);
}

static struct counts {
	uint64_t hlt, hlt_time, cpuid, total, records, blocks;
} before;

static struct counts counts(void)
{
	read_tables();
	return (struct counts){
		value_at("exit", "hlt", "count"),      value_at("exit", "hlt", "time"),
		value_at("exit", "cpuid", "count"),    value_at("exit_total", "", "total"),
		value_at("map", "exit_cells", "used"), value_at("map", "exit_blocks", "used")
	};
}

/* All is as before, and each vCPU finds its record again. */
static void assert_goes_on(void)
{
	struct counts now = counts();

	assert_memory_equal(&now, &before, sizeof(now));
	exits(HLT);
	now = counts();
	assert_int_equal(now.hlt, before.hlt + VCPUS);
	assert_true(now.hlt_time > before.hlt_time);
	assert_int_equal(now.cpuid, before.cpuid);
	assert_int_equal(now.total, before.total + VCPUS);
	assert_int_equal(now.records, VCPUS);
	assert_int_equal(now.blocks, 2 * VCPUS);
	assert_false(family_reported("restart at 0"));
	before = now;
}

static void test_more_and_less(void **state)
{
	(void)state;
	family_pins();
	next_agent(300, 2000);
	make_room();
	before = counts();
	next_agent(300, 2000);
	assert_goes_on();
	assert_false(family_reported("has room"));
	next_agent(1000, 2000);
	assert_goes_on();
	assert_true(family_reported("exit_cells: has room for 8 chunks now, it was 3"));
	assert_true(family_reported("exit_index: has room for 1000 entries now, it was 300"));
	assert_false(family_reported("exit_blocks: has room"));
	next_agent(1000, 9000);
	assert_goes_on();
	assert_true(family_reported("exit_blocks: has room for 9 chunks now, it was 2"));
	next_agent(VCPUS, 2 * VCPUS);
	assert_goes_on();
	next_agent(4096, 65536);
	assert_goes_on();
}

/* There is no room for all: the family begins anew, and what there was is in nobody's way. */
static void assert_too_few(unsigned vcpus, const char *words)
{
	next_agent(300, 2000);
	make_room();
	next_agent(vcpus, 2000);
	assert_true(family_reported(words));
	assert_true(family_reported(": replacing the maps of exit: its counters restart at 0"));
	read_tables();
	assert_int_equal(value_at("exit", "hlt", "count"), 0);
	assert_int_equal(value_at("map", "exit_cells", "used"), 0);
}

static void test_too_few(void **state)
{
	(void)state;
	family_pins();
	assert_too_few(VCPUS - 1,
		       "/exit_index holds 255 entries, more than the 254 that there is room "
		       "for now");
	assert_too_few(100,
		       "/exit_cells holds 2 chunks, more than the 1 that there is room for now");
	next_agent(300, 2000);
	make_room();
	before = counts();
	next_agent(400, 3000);
	assert_goes_on();
}

/* Blocks beyond a lower limit are in a chunk that is there anyway, and go on. */
static void test_within_a_chunk(void **state)
{
	(void)state;
	family_pins();
	next_agent(300, 2000);
	make_room();
	before = counts();
	next_agent(300, 2 * VCPUS - 100);
	assert_goes_on();
	next_agent(300, 2 * VCPUS - 100);
	assert_goes_on();
}

/* What guests do, in the sums of causes: 101 writes to a port. */
static void pio(void)
{
	for (int i = 0; i < 101; i++)
		fire("kvm_pio", 1, 0x3f8, 1, 1, 0);
}

static void causes_agent(unsigned vcpus, unsigned causes)
{
	family_close();
	config.vcpus = vcpus;
	config.causes = causes;
	family_open("cause");
}

static void test_causes(void **state)
{
	static const char *const events[] = { "kvm_exit", "kvm_entry", "kvm_pio", NULL };
	static const unsigned limits[][2] = {
		{ 300, 1000 }, { 2000, 1000 }, { 2000, 9000 }, { 100, 9000 }
	};

	(void)state;
	host.events = events;
	family_pins();
	for (unsigned i = 0; i < ARRAY_SIZE(limits); i++) {
		causes_agent(limits[i][0], limits[i][1]);
		pio();
		read_tables();
		assert_int_equal(value_at("cause", "io:0x3f8:w", "accesses"), (i + 1) * 101);
		assert_false(family_reported("restart at 0"));
	}
	causes_agent(100, 1000);
	assert_true(family_reported("cause_sums holds 9001 entries, more than the 1001"));
	assert_true(family_reported(": replacing the maps of cause: its counters restart at 0"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		family_test(test_more_and_less),
		family_test(test_too_few),
		family_test(test_within_a_chunk),
		family_test(test_causes),
	};

	return run_group("test_exit_resize", tests, ARRAY_SIZE(tests));
}
