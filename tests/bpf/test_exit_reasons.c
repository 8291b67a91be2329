// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Slots of exit codes: known ones, unknown ones, and codes that cannot be read. */
#include "bpf/exit_programs.h"

#include <string.h>

static const struct {
	enum reasons_isa isa;
	unsigned kernel_isa;
} isas[] = { { REASONS_VMX, ISA_VMX }, { REASONS_SVM, ISA_SVM } };

static const unsigned forms[] = { 0, REASON_FIRST };

/* Kernel memory is read by typed loads where this kernel has them, else as it always could be. */
static unsigned typed;

/* Exits counted so far, by slot. */
static uint64_t counts[EXIT_SLOTS];

static void load(unsigned flags)
{
	memset(counts, 0, sizeof(counts));
	exits_load(flags | typed, 2);
}

static void assert_counts(uint32_t code)
{
	struct counted is[EXIT_SLOTS];

	counters_read(&exit_maps, is);
	for (unsigned slot = 0; slot < EXIT_SLOTS; slot++) {
		if (is[slot].count != counts[slot])
			fail_msg("code 0x%x: slot %u has %llu exits, not %llu", code, slot,
				 (unsigned long long)is[slot].count,
				 (unsigned long long)counts[slot]);
	}
}

static void exit_to(unsigned isa, uint32_t code, unsigned slot)
{
	kvm_exit(0, isa, code);
	counts[slot]++;
	assert_counts(code);
}

/* Every code of every range has the slot that the table says, and names its instruction set. */
static void test_codes(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(isas) * ARRAY_SIZE(forms); i++) {
		enum reasons_isa isa = isas[i / 2].isa;
		const struct reasons_range *ranges;
		const struct entry *list;
		size_t n;

		load(forms[i % 2]);
		ranges = reasons_ranges(isa, &n);
		for (size_t j = 0; j < n; j++) {
			for (uint32_t at = 0; at < ranges[j].count; at++)
				exit_to(isas[i / 2].kernel_isa, (uint32_t)ranges[j].first + at,
					ranges[j].slot + at);
		}
		assert_int_equal(entries_read(&exit_maps, &list), 1);
		assert_int_equal(list[0].head.isa, isa + 1);
		assert_false(code_of(&exit_maps, REASONS_SLOT_UNKNOWN, &(uint64_t){ 0 }));
		exits_unload(state);
	}
}

/* The first codes outside all ranges claim a slot each; the others are "other". */
static void test_unknown_codes(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		load(forms[i]);
		for (uint32_t j = 0; j < UNKNOWN_SLOTS; j++) {
			uint64_t code;

			assert_false(code_of(&exit_maps, REASONS_SLOT_UNKNOWN + j, &code));
			exit_to(ISA_SVM, 0x7000 + j, REASONS_SLOT_UNKNOWN + j);
			assert_true(code_of(&exit_maps, REASONS_SLOT_UNKNOWN + j, &code));
			assert_int_equal(code, 0x7000 + j);
		}
		exit_to(ISA_SVM, 0x7999, REASONS_SLOT_OTHER);
		exit_to(ISA_SVM, 0x799a, REASONS_SLOT_OTHER);
		for (uint32_t j = 0; j < UNKNOWN_SLOTS; j++)
			exit_to(ISA_SVM, 0x7000 + j, REASONS_SLOT_UNKNOWN + j);
		exit_to(ISA_SVM, 0x7999, REASONS_SLOT_OTHER);
		exits_unload(state);
	}
}

/* The first and last code of each range's neighbours belong to no range. */
static void test_edges_of_ranges(void **state)
{
	const struct reasons_range *ranges;
	unsigned next = REASONS_SLOT_UNKNOWN;
	size_t n;

	(void)state;
	load(0);
	ranges = reasons_ranges(REASONS_SVM, &n);
	for (size_t i = 0; i < n && next < REASONS_SLOT_UNKNOWN + UNKNOWN_SLOTS; i++) {
		uint32_t after = (uint32_t)ranges[i].first + (uint32_t)ranges[i].count;

		if (reasons_slot_of(REASONS_SVM, after) < 0)
			exit_to(ISA_SVM, after, next++);
	}
	assert_true(next > REASONS_SLOT_UNKNOWN + 2);
}

/* Above bit 15 Intel's reason has flags; AMD's code has 32 bits. */
static void test_flags(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		unsigned cpuid = (unsigned)reasons_slot_of(REASONS_VMX, 10);

		load(forms[i]);
		exit_to(ISA_VMX, 10, cpuid);
		exit_to(ISA_VMX, 0x80000000 | 10, cpuid);
		exit_to(ISA_VMX, 0x08010000 | 10, cpuid);
		exit_to(ISA_SVM, 0xffffffff, (unsigned)reasons_slot_of(REASONS_SVM, 0xffffffff));
		exit_to(ISA_SVM, 0x00010000 | 10, REASONS_SLOT_UNKNOWN);
		exits_unload(state);
	}
}

static void arm64_exit_to(uint32_t ret, uint32_t esr_ec, unsigned slot)
{
	kvm_exit_arm64(ret, esr_ec);
	counts[slot]++;
	assert_counts(ret);
}

static unsigned arm64_slot(const char *name)
{
	const struct reason *reason = reasons_find_name(REASONS_ARM64, name);

	assert_non_null(reason);
	return (unsigned)reasons_slot_of(REASONS_ARM64, reason->code);
}

/*
 * arm64: a trap's reason is its class, any other kind's is the kind, whatever the class says. Bit
 * 31 says that an SError was pending, too.
 */
static void test_arm64(void **state)
{
	const struct entry *list;
	uint64_t code;

	(void)state;
	load(TRAP);
	arm64_exit_to(0, 0x24, arm64_slot("IRQ"));
	arm64_exit_to(1, 0, arm64_slot("SERROR"));
	arm64_exit_to(3, 0x3f, arm64_slot("IL"));
	arm64_exit_to(0xbadca11, 0x18, arm64_slot("HYP_GONE"));
	arm64_exit_to(1U << 31, 0, arm64_slot("IRQ"));
	arm64_exit_to(1U << 31 | 2, 0x24, arm64_slot("DABT_LOW"));
	for (uint32_t class = 0; class < 64; class ++)
		arm64_exit_to(2, class, (unsigned)reasons_slot_of(REASONS_ARM64, 0x100 | class));
	assert_false(code_of(&exit_maps, REASONS_SLOT_UNKNOWN, &code));
	arm64_exit_to(0x1234, 0, REASONS_SLOT_UNKNOWN);
	assert_true(code_of(&exit_maps, REASONS_SLOT_UNKNOWN, &code));
	assert_int_equal(code, 0x1234);
	assert_int_equal(entries_read(&exit_maps, &list), 1);
	assert_int_equal(list[0].head.isa, REASONS_ARM64 + 1);
	assert_int_equal(list[0].head.vcpu, 0);
}

static void arm64_thread(void)
{
	for (int i = 0; i < 3; i++) {
		kvm_exit_arm64(2, 0x24);
		kvm_entry(0);
	}
}

/* Neither event names a vCPU: a record is a thread's, and its exits and entries are pairs. */
static void test_arm64_pairs(void **state)
{
	unsigned wfx, abort;
	const struct entry *list;

	(void)state;
	load(TRAP);
	wfx = arm64_slot("WFx");
	abort = arm64_slot("DABT_LOW");
	clock_set(1000);
	kvm_entry(0);
	clock_set(1100);
	kvm_exit_arm64(2, 1);
	in_thread(arm64_thread);
	clock_set(1400);
	kvm_entry(0);
	assert_int_equal(counters_of(&exit_maps, wfx).count, 1);
	assert_int_equal(counters_of(&exit_maps, wfx).time, 300);
	assert_int_equal(counters_of(&exit_maps, abort).count, 3);
	assert_int_equal(counters_of(&exit_maps, abort).time, 0);
	assert_int_equal(counters_guest_time(&exit_maps), 100);
	assert_int_equal(entries_read(&exit_maps, &list), 2);
}

/* Without reading kernel memory all exits are "other"; times are known. */
static void test_no_reasons(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		struct counted other;

		load(forms[i] | NO_REASONS);
		clock_set(1000);
		exit_to(ISA_SVM, 0x72, REASONS_SLOT_OTHER);
		clock_set(1300);
		kvm_entry(0);
		exit_to(ISA_SVM, 0x7999, REASONS_SLOT_OTHER);
		exit_to(ISA_VMX, 10, REASONS_SLOT_OTHER);
		other = counters_of(&exit_maps, REASONS_SLOT_OTHER);
		assert_int_equal(other.time, 300);
		assert_int_equal(other.max, 300);
		assert_int_equal(counters_bucket(&exit_maps, REASONS_SLOT_OTHER, 8), 1);
		exits_unload(state);
	}
}

/* A vendor's exits whose reasons are in an unknown place are "other"; the other vendor's are not.
 */
static void test_unknown_place(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		load(forms[i] | NO_VMX);
		exit_to(ISA_VMX, 10, REASONS_SLOT_OTHER);
		exit_to(ISA_SVM, 0x72, (unsigned)reasons_slot_of(REASONS_SVM, 0x72));
		exits_unload(state);
	}
}

/* While the vendor's module is gone, nothing is read of memory; what the event says holds. */
static void test_vendor_gone(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		unsigned cpuid = (unsigned)reasons_slot_of(REASONS_SVM, 0x72);

		load(forms[i]);
		exit_to(ISA_SVM, 0x72, cpuid);
		vendor_gone_set(true);
		exit_to(ISA_SVM, 0x72, forms[i] ? cpuid : REASONS_SLOT_OTHER);
		vendor_gone_set(false);
		exit_to(ISA_SVM, 0x72, cpuid);
		exits_unload(state);
	}
}

/* An exit whose reason cannot be read is counted, once. */
static void test_unreadable(void **state)
{
	struct counted is[EXIT_SLOTS];
	uint64_t count = 0;

	(void)state;
	load(0);
	kvm_exit_unreadable();
	counters_read(&exit_maps, is);
	for (unsigned slot = 0; slot < EXIT_SLOTS; slot++)
		count += is[slot].count;
	assert_int_equal(count, 1);
}

static int typed_setup(void **state)
{
	(void)state;
	typed = TYPED;
	return 0;
}

static int typed_teardown(void **state)
{
	typed = 0;
	return exits_unload(state);
}

/* The same by typed loads. */
static void test_typed(void **state)
{
	if (!typed_loads())
		skip_why("this kernel has no typed loads");
	test_codes(state);
	test_unknown_codes(state);
	test_edges_of_ranges(state);
	exits_unload(state);
	test_flags(state);
	test_unknown_place(state);
	test_vendor_gone(state);
	test_unreadable(state);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_codes, exits_unload),
		cmocka_unit_test_teardown(test_unknown_codes, exits_unload),
		cmocka_unit_test_teardown(test_edges_of_ranges, exits_unload),
		cmocka_unit_test_teardown(test_flags, exits_unload),
		cmocka_unit_test_teardown(test_arm64, exits_unload),
		cmocka_unit_test_teardown(test_arm64_pairs, exits_unload),
		cmocka_unit_test_teardown(test_no_reasons, exits_unload),
		cmocka_unit_test_teardown(test_unknown_place, exits_unload),
		cmocka_unit_test_teardown(test_unreadable, exits_unload),
		cmocka_unit_test_teardown(test_vendor_gone, exits_unload),
		cmocka_unit_test_setup_teardown(test_typed, typed_setup, typed_teardown),
	};

	return run_group("test_exit_reasons", tests, ARRAY_SIZE(tests));
}
