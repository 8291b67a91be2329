// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Exits of nested guests: counted by thread, apart from reasons, whose pairs they leave alone. */
#include "bpf/exit_programs.h"

/* AMD's codes. */
enum { CPUID = 0x72, IO = 0x7b, VMRUN = 0x80 };

static uint64_t count_of(unsigned slot)
{
	return counters_of(&exit_maps, slot).count;
}

static unsigned slot_of(uint32_t code)
{
	return (unsigned)reasons_slot_of(REASONS_SVM, code);
}

/* A nested guest exits, its hypervisor gets it and enters it again. */
static void reflected_round(uint32_t code)
{
	clock_set(1000);
	kvm_exit(1, ISA_SVM, code);
	kvm_nested_vmexit(1);
	kvm_nested_vmexit_inject(code);
	clock_set(1300);
	kvm_entry(1);
	clock_set(1400);
	kvm_exit(1, ISA_SVM, VMRUN);
	clock_set(1450);
	kvm_entry(1);
}

/* One that KVM handles. */
static void handled_round(uint32_t code)
{
	clock_set(2000);
	kvm_exit(1, ISA_SVM, code);
	kvm_nested_vmexit(1);
	clock_set(2070);
	kvm_entry(1);
}

static void test_counts(void **state)
{
	static const unsigned forms[] = { 0, REASON_FIRST, NO_ENTRY_VCPU };

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		const struct entry *list;
		struct counted cpuid, io, vmrun, nested;

		exits_load(forms[i], 4);
		for (unsigned j = 0; j < 7; j++)
			reflected_round(CPUID);
		for (unsigned j = 0; j < 5; j++)
			handled_round(IO);
		cpuid = counters_of(&exit_maps, slot_of(CPUID));
		io = counters_of(&exit_maps, slot_of(IO));
		vmrun = counters_of(&exit_maps, slot_of(VMRUN));
		nested = counters_of(&exit_maps, EXIT_SLOT_NESTED);
		assert_int_equal(nested.count, 7 + 5);
		assert_int_equal(count_of(EXIT_SLOT_REFLECTED), 7);
		assert_int_equal(cpuid.count, 7);
		assert_int_equal(cpuid.time, 7 * 300);
		assert_int_equal(cpuid.timed, 7);
		assert_int_equal(vmrun.count, 7);
		assert_int_equal(vmrun.time, 7 * 50);
		assert_int_equal(io.count, 5);
		assert_int_equal(io.time, 5 * 70);
		assert_int_equal(nested.time + nested.max + nested.timed, 0);
		/* all of it is in the one record of the thread's vCPU */
		assert_int_equal(entries_read(&exit_maps, &list), 1);
		assert_int_equal(list[0].head.vcpu, vcpu_address(1));
		exits_unload(state);
	}
}

/* What finds neither record nor block is counted by its slot; none is an exit of a reason. */
static void test_no_room(void **state)
{
	struct overflow_row row;
	uint64_t sum;

	(void)state;
	exits_load(TWO_BLOCKS, 1);
	kvm_exit(1, ISA_SVM, CPUID);
	kvm_exit(1, ISA_SVM, IO);
	kvm_nested_vmexit(1);
	kvm_nested_vmexit_inject(IO);
	kvm_nested_vmexit(1);
	assert_int_equal(count_of(EXIT_SLOT_NESTED) + count_of(EXIT_SLOT_REFLECTED), 0);
	sum = 0;
	for (int cpu = 0; cpu < possible_cpus(); cpu++) {
		row = overflow_read(&exit_maps, cpu);
		assert_int_equal(row.no_block,
				 row.count[EXIT_SLOT_NESTED] + row.count[EXIT_SLOT_REFLECTED]);
		sum += row.no_block;
	}
	assert_int_equal(sum, 3);
}

static void nested_alone(void)
{
	kvm_nested_vmexit(2);
}

/* Other threads count for themselves, also one whose kvm_exit was not seen. */
static void test_threads(void **state)
{
	const struct entry *list;

	(void)state;
	exits_load(0, 2);
	handled_round(IO);
	in_thread(nested_alone);
	in_thread(nested_alone); /* there are no more records */
	assert_int_equal(count_of(EXIT_SLOT_NESTED), 2);
	assert_int_equal(entries_read(&exit_maps, &list), 2);
	assert_int_equal(list[0].reason[EXIT_SLOT_NESTED].count, 1);
	assert_int_equal(list[1].reason[EXIT_SLOT_NESTED].count, 1);
}

/* The programs count their events for the trace family as well. */
static void test_events_counted(void **state)
{
	uint64_t counts[2] = { 0 };

	(void)state;
	exits_load(0, 1);
	exit_maps.control->events[EXIT_EVENT_NESTED] = 17;
	exit_maps.control->events[EXIT_EVENT_REFLECTED] = 19;
	reflected_round(CPUID);
	handled_round(IO);
	for (int cpu = 0; cpu < possible_cpus(); cpu++) {
		counts[0] += event_count_of(&exit_maps, cpu, 17);
		counts[1] += event_count_of(&exit_maps, cpu, 19);
	}
	assert_int_equal(counts[0], 2);
	assert_int_equal(counts[1], 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_counts, exits_unload),
		cmocka_unit_test_teardown(test_no_room, exits_unload),
		cmocka_unit_test_teardown(test_threads, exits_unload),
		cmocka_unit_test_teardown(test_events_counted, exits_unload),
	};

	return run_group("exit_nested", tests, ARRAY_SIZE(tests));
}
