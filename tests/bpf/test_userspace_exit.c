// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The clocked programs of the userspace_exit family: pairs, reasons, entries, no room. */
#define _GNU_SOURCE
#include "bpf/counters.h"
#include "bpf/userspace_exit.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <unistd.h>

#include "kvm/exit_offsets.h"
#include "kvm/tracepoints.h"
#include "tests/clocked_userspace_exit.skel.h"

/* KVM_EXIT_*, and the first number without a slot. */
enum { IO = 2, HLT = 5, MMIO = 6, MEMORY_FAULT = 39, BEYOND = 64 };

static struct clocked_userspace_exit_bpf *programs;
static struct counter_maps maps;
static bool by_kvm_entry; /* kvm_entry, not kvm_fpu, is the start of KVM_RUN */
static bool by_perf;	  /* the programs are those for perf */

static void load(unsigned entries)
{
	struct userspace_exit_setup *setup;

	programs = clocked_userspace_exit_bpf__open();
	assert_non_null(programs);
	setup = (struct userspace_exit_setup *)&programs->rodata->setup;
	setup->restart = (__u32)reasons_slot_of(REASONS_USERSPACE, REASONS_RESTART);
	setup->error = (__u32)reasons_slot_of(REASONS_USERSPACE, REASONS_ERROR);
	exit_layout_ranges(REASONS_USERSPACE, setup->ranges);
	counter_maps_size(programs, userspace_exit);
	assert_int_equal(clocked_userspace_exit_bpf__load(programs), 0);
	maps = counter_maps_of(programs, userspace_exit, USERSPACE_EXIT_SLOTS);
	pools_fill(&maps, entries, BLOCKS_CHUNK - 1);
}

static int unload(void **state)
{
	(void)state;
	clocked_userspace_exit_bpf__destroy(programs);
	programs = NULL;
	by_kvm_entry = by_perf = false;
	return 0;
}

/* --- events --- */

/* The first word of a record, and what is behind a field of half a word. */
#define COMMON 0x5eed5eed5eed5eedULL
#define UNUSED (0x5eedULL << 32)

static void clock_set(uint64_t ns)
{
	programs->bss->test_clock = ns;
}

static void kvm_userspace_exit(uint32_t reason, int error)
{
	if (by_perf)
		assert_int_equal(
			result_with(bpf_program__fd(programs->progs.userspace_exit_begin_tp),
				    COMMON, reason | (uint64_t)(uint32_t)error << 32),
			1);
	else
		run_with(bpf_program__fd(programs->progs.userspace_exit_begin), reason,
			 (uint64_t)(int64_t)error);
}

static void kvm_fpu(unsigned loads)
{
	if (by_perf)
		assert_int_equal(result_with(bpf_program__fd(programs->progs.userspace_exit_fpu_tp),
					     COMMON, loads | UNUSED),
				 1);
	else
		run_with(bpf_program__fd(programs->progs.userspace_exit_fpu), loads);
}

static void run_starts(void)
{
	if (by_kvm_entry)
		run_with(bpf_program__fd(programs->progs.userspace_exit_entry), 0x5eed, 0);
	else
		kvm_fpu(1);
}

static void step(const struct step *step)
{
	clock_set(step->at);
	switch (step->event) {
	case EXIT:
		kvm_userspace_exit(step->code, step->error);
		break;
	case ENTRY:
		run_starts();
		break;
	case UNLOAD:
		kvm_fpu(0);
		break;
	case THREAD_ENDS:
		run_with(bpf_program__fd(programs->progs.userspace_exit_thread), 0);
		break;
	case ATTACHED:
		generation_begin(&maps);
		break;
	case RESET_MAX:
		epoch_begin(&maps);
		break;
	case NO_EVENT:
		fail();
	}
}

/* --- scenarios --- */

static void clear(void)
{
	counters_clear(&maps);
}

static void slots_read(struct counted *ret_slots)
{
	counters_read(&maps, ret_slots);
}

static uint64_t guest_time(void)
{
	return counters_guest_time(&maps);
}

static const struct subject subject = {
	.isa = REASONS_USERSPACE,
	.slots = USERSPACE_EXIT_SLOTS,
	.clear = clear,
	.step = step,
	.read = slots_read,
	.guest_time = guest_time,
};

static const struct scenario scenarios[] = {
	{ .name = "a pair",
	  .steps = { { 1000, EXIT, IO, 0 }, { 1500, ENTRY, 0, 0 } },
	  .wants = { { IO, { 1, 500, 500, 1 } } } },
	{ .name = "QEMU's order of events",
	  .steps = { { 900, UNLOAD, 0, 0 },
		     { 1000, EXIT, IO, 0 },
		     { 1400, ENTRY, 0, 0 },
		     { 1900, UNLOAD, 0, 0 },
		     { 2000, EXIT, MMIO, 0 },
		     { 2100, ENTRY, 0, 0 } },
	  .wants = { { IO, { 1, 400, 400, 1 } }, { MMIO, { 1, 100, 100, 1 } } } },
	{ .name = "only a load is a start",
	  .steps = { { 1000, EXIT, IO, 0 }, { 1100, UNLOAD, 0, 0 }, { 1400, ENTRY, 0, 0 } },
	  .wants = { { IO, { 1, 400, 400, 1 } } } },
	{ .name = "KVM_RUN starts for the first time", .steps = { { 1000, ENTRY, 0, 0 } } },
	{ .name = "two starts in a row: the second counts nothing",
	  .steps = { { 1000, EXIT, IO, 0 }, { 1100, ENTRY, 0, 0 }, { 1200, ENTRY, 0, 0 } },
	  .wants = { { IO, { 1, 100, 100, 1 } } } },
	{ .name = "two exits in a row: the second replaces the first",
	  .steps = { { 1000, EXIT, IO, 0 }, { 1300, EXIT, HLT, 0 }, { 1500, ENTRY, 0, 0 } },
	  .wants = { { IO, { 1, 0, 0, 0 } }, { HLT, { 1, 200, 200, 1 } } } },
	{ .name = "an exit before the programs were detached, the start after",
	  .steps = { { 1000, EXIT, IO, 0 }, { 1001, ATTACHED, 0, 0 }, { 2000, ENTRY, 0, 0 } },
	  .wants = { { IO, { 1, 0, 0, 0 } } } },
	{ .name = "an exit after the programs were attached anew",
	  .steps = { { 1000, EXIT, IO, 0 },
		     { 1100, ENTRY, 0, 0 },
		     { 1101, ATTACHED, 0, 0 },
		     { 2000, EXIT, HLT, 0 },
		     { 2300, ENTRY, 0, 0 } },
	  .wants = { { IO, { 1, 100, 100, 1 } }, { HLT, { 1, 300, 300, 1 } } } },
	{ .name = "maxima begin anew",
	  .steps = { { 1000, EXIT, IO, 0 },
		     { 1900, ENTRY, 0, 0 },
		     { 1950, RESET_MAX, 0, 0 },
		     { 2000, EXIT, IO, 0 },
		     { 2020, ENTRY, 0, 0 },
		     { 3000, EXIT, IO, 0 },
		     { 3010, ENTRY, 0, 0 } },
	  .wants = { { IO, { 3, 930, 20, 3 } } } },
	{ .name = "errors of KVM_RUN",
	  .steps = { { 1000, EXIT, IO, -EINTR },
		     { 1300, ENTRY, 0, 0 },
		     { 2000, EXIT, IO, -EFAULT },
		     { 2050, ENTRY, 0, 0 },
		     { 3000, EXIT, MEMORY_FAULT, -EFAULT },
		     { 3007, ENTRY, 0, 0 } },
	  .wants = { { REASONS_RESTART, { 1, 300, 300, 1 } },
		     { REASONS_ERROR, { 1, 50, 50, 1 } },
		     { MEMORY_FAULT, { 1, 7, 7, 1 } } } },
	{ .name = "the end of a thread counts nothing",
	  .steps = { { 1000, EXIT, IO, 0 }, { 1500, THREAD_ENDS, 0, 0 } },
	  .wants = { { IO, { 1, 0, 0, 0 } } } },
};

static void test_scenarios(void **state)
{
	for (int i = 0; i < 3; i++) {
		load(4);
		by_kvm_entry = i == 1;
		by_perf = i == 2;
		programs->bss->tp_counts = by_perf;
		for (size_t j = 0; j < ARRAY_SIZE(scenarios); j++)
			assert_scenario(&subject, &scenarios[j]);
		unload(state);
	}
}

/* --- reasons --- */

static uint64_t counts[USERSPACE_EXIT_SLOTS];

static void exit_to(uint32_t reason, int error, unsigned slot)
{
	struct counted is[USERSPACE_EXIT_SLOTS];

	kvm_userspace_exit(reason, error);
	counts[slot]++;
	counters_read(&maps, is);
	for (unsigned i = 0; i < USERSPACE_EXIT_SLOTS; i++) {
		if (is[i].count != counts[i])
			fail_msg("reason %u, error %d: slot %u has %llu exits, not %llu", reason,
				 error, i, (unsigned long long)is[i].count,
				 (unsigned long long)counts[i]);
	}
}

static unsigned slot_of(uint64_t code)
{
	return (unsigned)reasons_slot_of(REASONS_USERSPACE, code);
}

/* Only KVM_EXIT_MEMORY_FAULT says the truth together with an error, and with two errors only. */
static void test_reasons(void **state)
{
	static const int errors[] = { -EINTR, -EFAULT, -EHWPOISON, -EINVAL, -ENOMEM, -EAGAIN };

	(void)state;
	load(1);
	for (uint32_t reason = 0; reason < BEYOND; reason++)
		exit_to(reason, 0, slot_of(reason));
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		unsigned slot = slot_of(errors[i] == -EINTR ? REASONS_RESTART : REASONS_ERROR);
		bool fault = errors[i] == -EFAULT || errors[i] == -EHWPOISON;

		exit_to(IO, errors[i], slot);
		exit_to(BEYOND, errors[i], slot);
		exit_to(MEMORY_FAULT, errors[i], fault ? slot_of(MEMORY_FAULT) : slot);
	}
	exit_to(IO, 1, slot_of(IO)); /* an error is negative */
	for (uint32_t i = 0; i < UNKNOWN_SLOTS; i++) {
		uint64_t code;

		assert_false(code_of(&maps, REASONS_SLOT_UNKNOWN + i, &code));
		exit_to(BEYOND + i, 0, REASONS_SLOT_UNKNOWN + i);
		exit_to(BEYOND + i, 0, REASONS_SLOT_UNKNOWN + i);
		assert_true(code_of(&maps, REASONS_SLOT_UNKNOWN + i, &code));
		assert_int_equal(code, BEYOND + i);
	}
	exit_to(BEYOND + UNKNOWN_SLOTS, 0, REASONS_SLOT_OTHER);
	exit_to(0xffffffff, 0, REASONS_SLOT_OTHER);
	exit_to(BEYOND, 0, REASONS_SLOT_UNKNOWN);
}

/* A program of perf's that is still attached, and is not to count. */
static void test_perf_is_late(void **state)
{
	struct counted is[USERSPACE_EXIT_SLOTS];

	(void)state;
	load(4);
	by_perf = true;
	kvm_userspace_exit(IO, 0);
	programs->bss->tp_counts = 1;
	clock_set(1000);
	kvm_userspace_exit(IO, 0);
	programs->bss->tp_counts = 0;
	clock_set(1500);
	kvm_fpu(1);
	kvm_userspace_exit(IO, 0);
	counters_read(&maps, is);
	assert_int_equal(is[slot_of(IO)].count, 1);
	assert_int_equal(is[slot_of(IO)].time, 0);
}

/* --- entries --- */

static int other_tid;

static void other_thread(void)
{
	other_tid = gettid();
	kvm_userspace_exit(HLT, 0);
}

/* kvm_fpu is no sign of a vCPU: only an exit makes an entry. */
static void test_entries(void **state)
{
	const struct entry *list;

	(void)state;
	load(4);
	run_starts();
	step(&(struct step){ 1, THREAD_ENDS, 0, 0 });
	assert_int_equal(entries_read(&maps, &list), 0);
	kvm_userspace_exit(IO, 0);
	in_thread(other_thread);
	step(&(struct step){ 1, THREAD_ENDS, 0, 0 });
	assert_int_equal(entries_read(&maps, &list), 2);
	for (size_t i = 0; i < 2; i++) {
		bool other = (int)list[i].key.tid == other_tid;

		assert_int_equal(list[i].key.vcpu, 0);
		assert_int_equal(list[i].head.ended, !other);
		assert_int_equal(list[i].reason[slot_of(IO)].count, !other);
		assert_int_equal(list[i].reason[slot_of(HLT)].count, other);
	}
}

static int overflow_cpu;

static void overflow(void)
{
	assert_true(stay_on_cpu(overflow_cpu));
	for (int i = 0; i < 3 + overflow_cpu; i++) {
		kvm_userspace_exit(MMIO, 0);
		run_starts();
	}
	kvm_userspace_exit(IO, -EINTR);
}

/* Exits that find no room are counted by reason in their CPU's row. */
static void test_overflow(void **state)
{
	(void)state;
	load(1);
	kvm_userspace_exit(HLT, 0);
	for (overflow_cpu = 0; overflow_cpu < possible_cpus(); overflow_cpu++) {
		struct overflow_row row;
		uint64_t sum, online = overflow_on_cpu(&maps, overflow_cpu, overflow, &row, &sum);

		assert_int_equal(row.count[slot_of(MMIO)], online * (3 + (unsigned)overflow_cpu));
		assert_int_equal(row.count[slot_of(REASONS_RESTART)], online);
		assert_int_equal(sum, online * (4 + (unsigned)overflow_cpu));
	}
	assert_int_equal(counters_of(&maps, slot_of(HLT)).count, 1);
	assert_int_equal(counters_of(&maps, slot_of(MMIO)).count, 0);
}

#define userspace_test(test) cmocka_unit_test_teardown(test, unload)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		userspace_test(test_scenarios),	   userspace_test(test_reasons),
		userspace_test(test_perf_is_late), userspace_test(test_entries),
		userspace_test(test_overflow),
	};

	return run_group("test_userspace_exit", tests, ARRAY_SIZE(tests));
}
