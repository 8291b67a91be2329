// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * A vCPU that is in the guest is known by its address: its exit is counted in the record by which
 * it has entered, and in no other. Where it is not known to be there, the thread is named.
 */
#define _GNU_SOURCE
#include "bpf/exit_programs.h"

#include <bpf/bpf.h>
#include <string.h>
#include <unistd.h>

#include "bpf/ledger.h"
#include "kvm/exit_reasons.h"

enum { CPUID = 0x72, HLT = 0x78 };

static int other_tid;

static unsigned slot_of(uint32_t code)
{
	return (unsigned)reasons_slot_of(REASONS_SVM, code);
}

/* The counts of CPUID and HLT in the only record of a thread. */
static void assert_thread(int tid, uint64_t cpuid, uint64_t hlt)
{
	const struct entry *entry = entry_of(&exit_maps, tid);

	assert_int_equal(entry->reason[slot_of(CPUID)].count, cpuid);
	assert_int_equal(entry->reason[slot_of(HLT)].count, hlt);
}

/* The clock is not at 0, which stands for no time. */
static void load(void)
{
	exits_load(BY_VCPU, 4);
	clock_set(1000);
}

static void other_exits(void)
{
	other_tid = gettid();
	kvm_exit(0, ISA_SVM, HLT);
}

static void other_runs(void)
{
	other_tid = gettid();
	kvm_entry(0);
	kvm_exit(0, ISA_SVM, HLT);
}

static void other_enters(void)
{
	other_tid = gettid();
	kvm_entry(0);
}

/* A vCPU goes from thread to thread, and back. */
static void test_other_thread(void **state)
{
	(void)state;
	load();
	kvm_entry(0);
	kvm_exit(0, ISA_SVM, CPUID);
	in_thread(other_runs);
	assert_thread(gettid(), 1, 0);
	assert_thread(other_tid, 0, 1);
	kvm_exit(0, ISA_SVM, CPUID);
	assert_thread(gettid(), 2, 0);
	in_thread(other_exits);
	assert_thread(gettid(), 2, 0);
	assert_thread(other_tid, 0, 1);
}

/* The exit of another thread's entry was missed: the last one that has entered is it. */
static void test_missed_exit(void **state)
{
	(void)state;
	load();
	in_thread(other_enters);
	kvm_entry(0);
	kvm_exit(0, ISA_SVM, CPUID);
	assert_thread(gettid(), 1, 0);
	assert_thread(other_tid, 0, 0);
}

/* A hint that leads to another vCPU, which is in the guest. */
static void test_hint(void **state)
{
	(void)state;
	load();
	kvm_entry(1);
	hints_fill(1);
	in_thread(other_exits);
	assert_thread(gettid(), 0, 0);
	assert_thread(other_tid, 0, 1);
}

/* An entry from before a detach says nothing of now. */
static void test_generation(void **state)
{
	(void)state;
	load();
	kvm_entry(0);
	kvm_exit(0, ISA_SVM, CPUID);
	kvm_entry(0);
	generation_begin(&exit_maps);
	in_thread(other_exits);
	assert_thread(gettid(), 1, 0);
	assert_thread(other_tid, 0, 1);
}

static struct {
	struct record head;
	__u32 blocks[EXIT_SLOTS];
	__u8 rest[CACHE_LINE_BYTES];
} record;

static void record_get(__u32 number)
{
	element_get(exit_maps.records, RECORDS_BITS, number, &record);
}

/* As the user side hides a record: no thread is to find it any more. */
static void record_hide(__u32 number)
{
	struct record_key key;

	record_get(number);
	key = (struct record_key){ .start = record.head.start,
				   .tid = record.head.tid,
				   .tgid = record.head.tgid };
	assert_int_equal(bpf_map_delete_elem(exit_maps.index, &key), 0);
	record.head.start = RECORD_GONE;
	element_set(exit_maps.records, RECORDS_BITS, number, &record);
}

static void test_hidden(void **state)
{
	(void)state;
	load();
	kvm_entry(0);
	record_hide(1);
	kvm_exit(0, ISA_SVM, CPUID);
	record_get(1);
	assert_int_equal(record.blocks[slot_of(CPUID)], 0);
	record_get(2);
	assert_int_equal(record.head.vcpu, vcpu_address(0));
	assert_int_not_equal(record.blocks[slot_of(CPUID)], 0);
}

/* Where the other families are not there, they are not asked for, whatever the flags say. */
static void test_alone(void **state)
{
	(void)state;
	for (unsigned flags = 0; flags <= ALONE; flags += ALONE) {
		exits_load(flags, 4);
		exit_maps.control->ledger = LEDGER_FLAG(1, LEDGER_KVM);
		kvm_exit(0, ISA_SVM, CPUID);
		kvm_entry(0);
		assert_int_equal(ledger_dropped(), flags ? 0 : 2);
		assert_thread(gettid(), 1, 0);
		exits_unload(state);
	}
}

#define exit_test(test) cmocka_unit_test_teardown(test, exits_unload)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		exit_test(test_other_thread), exit_test(test_missed_exit),
		exit_test(test_hint),	      exit_test(test_generation),
		exit_test(test_hidden),	      cmocka_unit_test(test_alone),
	};

	return run_group("test_exit_in_guest", tests, sizeof(tests) / sizeof(tests[0]));
}
