// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Records of threads and vCPUs, and what finds no room in the pools. */
#define _GNU_SOURCE
#include "bpf/exit_programs.h"

#include <bpf/bpf.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { CPUID = 0x72, HLT = 0x78 };

static unsigned slot_of(uint32_t code)
{
	return (unsigned)reasons_slot_of(REASONS_SVM, code);
}

/* The start of this thread in hundredths of a second, as /proc shows it. */
static unsigned long long thread_start(void)
{
	char line[1024];
	unsigned long long start = 0;
	FILE *file = fopen("/proc/thread-self/stat", "re");
	const char *after;

	assert_non_null(file);
	assert_non_null(fgets(line, sizeof(line), file));
	fclose(file);
	after = strrchr(line, ')');
	for (int field = 2; after && field < 22; field++)
		after = strchr(after + 1, ' ');
	assert_non_null(after);
	assert_int_equal(sscanf(after, "%llu", &start), 1);
	return start;
}

static bool namespace_is(const char *name, const char *first)
{
	char is[64] = "";

	return readlink(name, is, sizeof(is) - 1) < 0 || strcmp(is, first) == 0;
}

/* --- entries --- */

static int exit_and_entry_tid;

static void exit_and_entry(void)
{
	exit_and_entry_tid = gettid();
	kvm_exit(1, ISA_SVM, CPUID);
	kvm_entry(1);
}

/* An entry's key says which thread it belongs to. */
static void test_key(void **state)
{
	const struct entry *entry;

	(void)state;
	if (!namespace_is("/proc/self/ns/pid", "pid:[4026531836]") ||
	    !namespace_is("/proc/self/ns/time", "time:[4026531834]"))
		skip_why("not in the initial namespaces: run outside of a container");
	exits_load(0, 2);
	kvm_exit(2, ISA_SVM, CPUID);
	entry = entry_of(&exit_maps, gettid());
	assert_int_equal(entry->key.tgid, getpid());
	assert_int_equal(entry->key.vcpu, 0);
	assert_int_equal(entry->key.start / 10000000, thread_start());
	assert_int_equal(entry->head.vcpu, vcpu_address(2));
	assert_int_equal(entry->head.ended, 0);
}

/* A kvm_entry makes the entry, too. */
static void test_entry_of_kvm_entry(void **state)
{
	const struct entry *list;

	(void)state;
	exits_load(0, 2);
	clock_set(77);
	kvm_entry(1);
	assert_int_equal(entries_read(&exit_maps, &list), 1);
	assert_int_equal(list[0].head.vcpu, vcpu_address(1));
	assert_int_equal(list[0].head.entered, 77);
	assert_int_equal(list[0].head.isa, 0);
}

static void test_two_threads(void **state)
{
	const struct entry *list;

	(void)state;
	exits_load(0, 4);
	kvm_exit(0, ISA_SVM, HLT);
	in_thread(exit_and_entry);
	assert_int_equal(entries_read(&exit_maps, &list), 2);
	for (size_t i = 0; i < 2; i++) {
		bool other = (int)list[i].key.tid == exit_and_entry_tid;

		assert_int_equal(list[i].head.vcpu, vcpu_address(other));
		assert_int_equal(list[i].reason[slot_of(HLT)].count, !other);
		assert_int_equal(list[i].reason[slot_of(CPUID)].count, other);
	}
}

/* A thread that runs two vCPUs has an entry for each, and their pairs do not mix. */
static void test_two_vcpus(void **state)
{
	const struct entry *list;

	(void)state;
	exits_load(0, 4);
	clock_set(1000);
	kvm_exit(2, ISA_SVM, HLT);
	clock_set(1100);
	kvm_exit(1, ISA_SVM, CPUID);
	clock_set(1200);
	kvm_entry(2);
	clock_set(1500);
	kvm_entry(1);
	assert_int_equal(entries_read(&exit_maps, &list), 2);
	assert_int_equal(list[0].key.vcpu, 0);
	assert_int_equal(list[0].head.vcpu, vcpu_address(2));
	assert_int_equal(list[0].reason[slot_of(HLT)].time, 200);
	assert_int_equal(list[1].key.vcpu, vcpu_address(1));
	assert_int_equal(list[1].head.vcpu, vcpu_address(1));
	assert_int_equal(list[1].reason[slot_of(CPUID)].time, 400);
	assert_int_equal(list[0].key.tid, list[1].key.tid);
}

/* The end of a thread marks its entry, and nobody else's. */
static void test_thread_end(void **state)
{
	const struct entry *list;

	(void)state;
	exits_load(0, 4);
	thread_ends();
	assert_int_equal(entries_read(&exit_maps, &list), 0);
	in_thread(exit_and_entry);
	kvm_exit(0, ISA_SVM, HLT);
	kvm_exit(2, ISA_SVM, HLT);
	thread_ends();
	assert_int_equal(entries_read(&exit_maps, &list), 3);
	for (size_t i = 0; i < 3; i++) {
		bool other = (int)list[i].key.tid == exit_and_entry_tid;

		/* the user side knows that a thread's further vCPUs end with it */
		assert_int_equal(list[i].head.ended, !other && !list[i].key.vcpu);
		assert_int_equal(list[i].reason[slot_of(HLT)].count, !other);
	}
}

/* --- no room --- */

static int overflow_cpu;

static void overflow(void)
{
	assert_true(stay_on_cpu(overflow_cpu));
	for (int i = 0; i < 3 + overflow_cpu; i++) {
		kvm_exit(1, ISA_SVM, CPUID);
		kvm_entry(1);
	}
	kvm_exit(1, ISA_SVM, HLT);
	kvm_exit(1, ISA_SVM, 0x7000);
}

/* Exits that find no room are counted by reason in their CPU's row; entries are not. */
static void test_overflow(void **state)
{
	const struct entry *list;

	(void)state;
	exits_load(0, 1);
	kvm_exit(0, ISA_SVM, HLT);
	for (overflow_cpu = 0; overflow_cpu < possible_cpus(); overflow_cpu++) {
		struct overflow_row row;
		uint64_t sum,
			online = overflow_on_cpu(&exit_maps, overflow_cpu, overflow, &row, &sum);

		assert_int_equal(row.count[slot_of(CPUID)], online * (3 + (unsigned)overflow_cpu));
		assert_int_equal(row.count[slot_of(HLT)], online);
		assert_int_equal(row.count[REASONS_SLOT_UNKNOWN], online);
		assert_int_equal(sum, online * (5 + (unsigned)overflow_cpu));
		assert_int_equal(row.no_block, 0);
	}
	assert_int_equal(entries_read(&exit_maps, &list), 1);
	assert_int_equal(counters_of(&exit_maps, slot_of(HLT)).count, 1);
	assert_int_equal(counters_of(&exit_maps, slot_of(CPUID)).count, 0);
	clock_set(2000);
	kvm_exit(0, ISA_SVM, HLT); /* the thread that has room goes on */
	clock_set(2500);
	kvm_entry(0);
	assert_int_equal(counters_of(&exit_maps, slot_of(HLT)).time, 500);
}

static struct overflow_row overflow_sum(void)
{
	struct overflow_row sum = { 0 };

	for (int cpu = 0; cpu < possible_cpus(); cpu++) {
		struct overflow_row row = overflow_read(&exit_maps, cpu);

		for (unsigned i = 0; i < COUNTER_SLOTS_MAX; i++)
			sum.count[i] += row.count[i];
		sum.no_block += row.no_block;
	}
	return sum;
}

static void pair(uint32_t code)
{
	clock_set(1000);
	kvm_exit(0, ISA_SVM, code);
	clock_set(1004);
	kvm_entry(0);
}

/* Exits of a reason that finds no block are counted by reason in their CPU's row, without times. */
static void test_no_blocks(void **state)
{
	struct overflow_row sum;

	(void)state;
	exits_load(TWO_BLOCKS, 1);
	for (uint32_t code = 0; code < 12; code++) {
		for (uint32_t i = 0; i <= code; i++)
			pair(code);
	}
	sum = overflow_sum();
	for (uint32_t code = 0; code < 12; code++) {
		struct counted counted = counters_of(&exit_maps, slot_of(code));

		assert_int_equal(counted.count, code < 2 ? code + 1 : 0);
		assert_int_equal(counted.time, code < 2 ? 4 * (code + 1) : 0);
		assert_int_equal(counted.timed, code < 2 ? code + 1 : 0);
		assert_int_equal(sum.count[slot_of(code)], code < 2 ? 0 : code + 1);
	}
	assert_int_equal(sum.no_block, 12 * 13 / 2 - 3);
}

/* Once there is a block again, the reason is counted there. */
static void test_blocks_refilled(void **state)
{
	const __u32 number = 7;

	(void)state;
	exits_load(TWO_BLOCKS, 1);
	pair(HLT);
	pair(CPUID);
	pair(0x7b);
	assert_int_equal(counters_of(&exit_maps, slot_of(0x7b)).count, 0);
	assert_int_equal(bpf_map_update_elem(exit_maps.blocks_free, NULL, &number, BPF_ANY), 0);
	pair(0x7b);
	pair(0x7b);
	pair(0x7c);
	assert_int_equal(counters_of(&exit_maps, slot_of(0x7b)).count, 2);
	assert_int_equal(counters_of(&exit_maps, slot_of(0x7b)).time, 8);
	assert_int_equal(overflow_sum().count[slot_of(0x7b)], 1);
	assert_int_equal(overflow_sum().no_block, 2);
	assert_int_equal(exit_maps.control->blocks_taken, 3);
}

static int event_cpu;

static void events_fire(void)
{
	assert_true(stay_on_cpu(event_cpu));
	for (int i = 0; i < 3 + event_cpu; i++) {
		kvm_exit(1, ISA_SVM, CPUID);
		kvm_exit(1, ISA_SVM, HLT);
		kvm_entry(1);
	}
}

/* The programs count their events for the trace family as well, also those that find no record. */
static void test_events_counted(void **state)
{
	(void)state;
	exits_load(0, 1);
	in_thread(events_fire);
	assert_int_equal(event_count_of(&exit_maps, 0, 0), 0);
	exit_maps.control->events[EXIT_EVENT_EXIT] = 17;
	exit_maps.control->events[EXIT_EVENT_ENTRY] = 1023;
	for (event_cpu = 0; event_cpu < possible_cpus(); event_cpu++) {
		uint64_t online = stay_on_cpu(event_cpu), n = online * (3 + (unsigned)event_cpu);

		leave_cpu();
		if (online)
			in_thread(events_fire);
		assert_int_equal(event_count_of(&exit_maps, event_cpu, 17), 2 * n);
		assert_int_equal(event_count_of(&exit_maps, event_cpu, 1023), n);
		assert_int_equal(event_count_of(&exit_maps, event_cpu, 0), 0);
	}
	exit_maps.control->events[EXIT_EVENT_EXIT] = 1024; /* no slot */
	event_cpu = 0;
	in_thread(events_fire);
	assert_int_equal(event_count_of(&exit_maps, 0, 17), 6);
}

/* Each record and block is taken once; events that find a record take none. */
static void test_pools(void **state)
{
	(void)state;
	exits_load(0, 3);
	for (unsigned i = 0; i < 5; i++) {
		pair(HLT);
		pair(CPUID);
	}
	in_thread(exit_and_entry);
	assert_int_equal(exit_maps.control->records_taken, 2);
	assert_int_equal(exit_maps.control->blocks_taken, 3);
	assert_int_equal(pool_drain(exit_maps.records_free), 1);
	assert_int_equal(pool_drain(exit_maps.blocks_free), BLOCKS_CHUNK - 1 - 3);
}

/* A thread with more vCPUs than a set of hints has ways finds each of its records. */
static void test_many_vcpus(void **state)
{
	const struct entry *list;

	(void)state;
	exits_load(0, VCPUS);
	for (unsigned i = 0; i < 10 * VCPUS; i++) {
		clock_set(1000 + i);
		kvm_exit(i % VCPUS, ISA_SVM, HLT);
	}
	for (unsigned i = 0; i < VCPUS; i++) {
		clock_set(2000 + 10 * VCPUS);
		kvm_entry(i);
	}
	assert_int_equal(entries_read(&exit_maps, &list), VCPUS);
	for (unsigned i = 0; i < VCPUS; i++) {
		assert_int_equal(list[i].reason[slot_of(HLT)].count, 10);
		assert_in_range(list[i].reason[slot_of(HLT)].time, 1000, 1000 + VCPUS);
	}
	assert_int_equal(overflow_sum().count[slot_of(HLT)], 0);
}

#define limit_test(test) cmocka_unit_test_teardown(test, exits_unload)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		limit_test(test_key),
		limit_test(test_entry_of_kvm_entry),
		limit_test(test_two_threads),
		limit_test(test_two_vcpus),
		limit_test(test_thread_end),
		limit_test(test_overflow),
		limit_test(test_no_blocks),
		limit_test(test_blocks_refilled),
		limit_test(test_events_counted),
		limit_test(test_pools),
		limit_test(test_many_vcpus),
	};

	return run_group("test_exit_limits", tests, ARRAY_SIZE(tests));
}
