// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Counters read from fake maps: sums, and retirement of ended threads. */
#include "fakes/support.h"

#include <errno.h>
#include <linux/types.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/vcpu_counters.h"

#define SLOTS 12
#define CELLS 6

enum { CELLS_FD = 11, ENDED_FD, CODES_FD, CONTROL_FD };

struct test_cell {
	struct thread_counters thread;
	struct reason_counters reason[SLOTS];
};

struct test_ended {
	struct retired_counters head;
	struct reason_counters reason[SLOTS];
};

/* Contents of the kernel's maps. */
static struct {
	struct {
		bool there;
		struct thread_key key;
		struct test_cell thread;
	} counters[CELLS];
	struct test_ended ended;
	struct counters_control control;
	__u64 codes[REASONS_SLOT_FIRST]; /* by slot; 0: not assigned */
	int ended_err, delete_err;
	unsigned lookups;
	bool batches; /* the kernel has them */
	void (*before_lookup)(unsigned number);
} kernel;

int __wrap_bpf_map_lookup_elem(int fd, const void *key, void *value);
int __wrap_bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags);
int __wrap_bpf_map_delete_elem(int fd, const void *key);
int __wrap_bpf_map_get_next_key(int fd, const void *key, void *next);
int __wrap_bpf_map_lookup_batch(int fd, void *in, void *out, void *keys, void *values, __u32 *n,
				const void *options);

static int find(const void *key)
{
	for (int i = 0; i < CELLS; i++) {
		if (kernel.counters[i].there &&
		    memcmp(&kernel.counters[i].key, key, sizeof(struct thread_key)) == 0)
			return i;
	}
	return -1;
}

int __wrap_bpf_map_lookup_elem(int fd, const void *key, void *value)
{
	__u32 slot;
	int at;

	switch (fd) {
	case CELLS_FD:
		if (kernel.before_lookup)
			kernel.before_lookup(kernel.lookups);
		kernel.lookups++;
		at = find(key);
		if (at < 0)
			return -ENOENT;
		memcpy(value, &kernel.counters[at].thread, sizeof(struct test_cell));
		return 0;
	case CODES_FD:
		memcpy(&slot, key, sizeof(slot));
		assert_true(slot < REASONS_SLOT_FIRST);
		memcpy(value, &kernel.codes[slot], sizeof(__u64));
		return kernel.codes[slot] ? 0 : -ENOENT;
	default:
		fail();
		return -EBADF;
	}
}

int __wrap_bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags)
{
	int at;

	switch (fd) {
	case CELLS_FD:
		at = find(key);
		assert_true(at >= 0);
		assert_int_equal(flags, 2); /* BPF_EXIST */
		memcpy(&kernel.counters[at].thread, value, sizeof(struct test_cell));
		return 0;
	case ENDED_FD:
		if (!kernel.ended_err)
			memcpy(&kernel.ended, value, sizeof(kernel.ended));
		return kernel.ended_err;
	case CONTROL_FD:
		memcpy(&kernel.control, value, sizeof(kernel.control));
		return 0;
	default:
		fail();
		return -EBADF;
	}
}

int __wrap_bpf_map_delete_elem(int fd, const void *key)
{
	int at = find(key);

	assert_int_equal(fd, CELLS_FD);
	assert_true(at >= 0);
	if (!kernel.delete_err)
		kernel.counters[at].there = false;
	return kernel.delete_err;
}

int __wrap_bpf_map_get_next_key(int fd, const void *key, void *next)
{
	assert_int_equal(fd, CELLS_FD);
	for (int i = key ? find(key) + 1 : 0; i < CELLS; i++) {
		if (!kernel.counters[i].there)
			continue;
		memcpy(next, &kernel.counters[i].key, sizeof(struct thread_key));
		return 0;
	}
	return -ENOENT;
}

/* Batches of two entries at most; the place is the number of the next. */
int __wrap_bpf_map_lookup_batch(int fd, void *in, void *out, void *keys, void *values, __u32 *n,
				const void *options)
{
	struct thread_key *key = keys;
	struct test_cell *value = values;
	__u32 at = 0, taken = 0;

	assert_int_equal(fd, CELLS_FD);
	assert_null(options);
	assert_true(*n >= 2);
	if (!kernel.batches)
		return -EINVAL;
	if (in)
		memcpy(&at, in, sizeof(at));
	for (; at < CELLS && taken < 2; at++) {
		if (!kernel.counters[at].there)
			continue;
		if (kernel.before_lookup)
			kernel.before_lookup(kernel.lookups);
		kernel.lookups++;
		key[taken] = kernel.counters[at].key;
		value[taken++] = kernel.counters[at].thread;
	}
	*n = taken;
	memcpy(out, &at, sizeof(at));
	return at < CELLS ? 0 : -ENOENT;
}

static struct vcpu_counters counters;
static struct overflow_row overflow[2];
static struct cpus cpus = { .n = 2 };
static struct vms vms; /* no VMs: test_vm_counters.c tests their sums */

static int setup(void **state)
{
	memset(&kernel, 0, sizeof(kernel));
	memset(overflow, 0, sizeof(overflow));
	assert_int_equal(
		vcpu_counters_init(&counters, "exit", 1, SLOTS, REASONS_SVM, &cpus, "proc"), 0);
	counters.object.family = (void *)&counters; /* loaded */
	counters.overflow = overflow;
	counters.fd = CELLS_FD;
	counters.retired_fd = ENDED_FD;
	counters.slots.codes_fd = CODES_FD;
	counters.control_fd = CONTROL_FD;
	return work_setup(state);
}

static int setup_batches(void **state)
{
	int err = setup(state);

	kernel.batches = true;
	return err;
}

static int teardown(void **state)
{
	counters.object.family = NULL;
	counters.overflow = NULL;
	vcpu_counters_free(&counters);
	return work_teardown(state);
}

/* Counters of a thread with this many exits of slot 9, 10 ns each. */
static struct test_cell *thread(int at, uint32_t tid, uint64_t count)
{
	struct test_cell *thread = &kernel.counters[at].thread;

	kernel.counters[at].there = true;
	kernel.counters[at].key = (struct thread_key){ .start = 10000000, .tid = tid, .tgid = 5 };
	*thread = (struct test_cell){ .thread = { .isa = REASONS_SVM + 1 } };
	thread->reason[9] = (struct reason_counters){ count, count * 10, 10 + (uint64_t)at };
	return thread;
}

static void assert_total(uint64_t count, uint64_t time, uint64_t max)
{
	assert_int_equal(vcpu_counters_read(&counters, &vms), 0);
	assert_int_equal(counters.total[9].count, count);
	assert_int_equal(counters.total[9].time, time);
	assert_int_equal(counters.total[9].max, max);
}

static void test_sums(void **state)
{
	(void)state;
	assert_total(0, 0, 0);
	thread(0, 1, 13);
	thread(3, 2, 5);
	overflow[0].count[9] = 7;
	overflow[1].count[9] = 11;
	overflow[1].count[0] = 1;
	assert_total(36, 180, 13);
	assert_int_equal(counters.total[0].count, 1);
	assert_int_equal(counters.dropped, 19);
	assert_int_equal(counters.used, 2);
}

/* A thread counts once, whatever becomes of it and however often it is read. */
static void test_ended_threads(void **state)
{
	(void)state;
	thread(0, 1, 13);
	thread(1, 2, 5)->thread.ended = 1;
	for (int i = 0; i < 6; i++)
		assert_total(18, 180, 11);
	assert_false(kernel.counters[1].there);
	assert_int_equal(counters.used, 1);
	assert_int_equal(kernel.ended.reason[9].count, 5);
	assert_int_equal(kernel.ended.reason[9].time, 50);
	assert_int_equal(kernel.ended.head.last.tid, 2);
	assert_int_equal(kernel.ended.head.isa, REASONS_SVM + 1);
	kernel.counters[0].thread.thread.ended = 1;
	for (int i = 0; i < 6; i++)
		assert_total(18, 180, 11);
	assert_int_equal(counters.used, 0);
	assert_int_equal(kernel.ended.reason[9].count, 18);
}

/* A thread counts until it is marked as ended: the read that retires it must follow the mark. */
static void goes_on(unsigned number)
{
	if (number == 3)
		kernel.counters[0].thread.thread.ended = 1;
	if (number == 4)
		kernel.counters[0].thread.reason[9].count++;
}

static void test_marked_while_read(void **state)
{
	(void)state;
	thread(0, 1, 13);
	assert_total(13, 130, 10);
	for (int i = 0; i < 2; i++)
		assert_total(13, 130, 10);
	kernel.before_lookup = goes_on;
	for (int i = 0; i < 4; i++)
		assert_total(14, 130, 10);
	assert_false(kernel.counters[0].there);
}

/* Counters of further vCPUs end with their thread, although only the first are marked. */
static void test_further_cells(void **state)
{
	(void)state;
	thread(0, 1, 3);
	kernel.counters[0].key.vcpu = 0x1000;
	thread(1, 1, 5)->thread.ended = 1;
	thread(2, 2, 7);
	kernel.counters[2].key.vcpu = 0x1000;
	for (int i = 0; i < 6; i++)
		assert_total(15, 150, 12);
	assert_false(kernel.counters[0].there);
	assert_false(kernel.counters[1].there);
	assert_true(kernel.counters[2].there);
	assert_int_equal(kernel.ended.reason[9].count, 8);
}

static void test_maps_that_fail(void **state)
{
	(void)state;
	thread(0, 1, 13)->thread.ended = 1;
	kernel.ended_err = -EPERM;
	for (int i = 0; i < 6; i++)
		assert_total(13, 130, 10);
	assert_true(kernel.counters[0].there);
	assert_int_equal(counters.used, 1);
	kernel.ended_err = 0;
	kernel.delete_err = -EPERM;
	for (int i = 0; i < 3; i++)
		assert_total(13, 130, 10);
	assert_true(kernel.counters[0].there);
	kernel.delete_err = 0;
	assert_total(13, 130, 10);
	assert_false(kernel.counters[0].there);
}

static void test_reset_max(void **state)
{
	(void)state;
	thread(0, 1, 13);
	thread(1, 2, 5)->thread.ended = 1;
	for (int i = 0; i < 6; i++)
		assert_total(18, 180, 11);
	assert_int_equal(vcpu_counters_reset_max(&counters), 0);
	assert_int_equal(kernel.control.epoch, 1);
	assert_total(18, 180, 0);
	/* as a thread writes it in the new epoch */
	kernel.counters[0].thread.reason[9].max = (1ULL << MAX_TIME_BITS) | 4;
	assert_total(18, 180, 4);
	kernel.counters[0].thread.thread.ended = 1;
	for (int i = 0; i < 3; i++)
		assert_total(18, 180, 4);
	assert_false(kernel.counters[0].there);
	counters.control.epoch = 0xffff;
	assert_int_equal(vcpu_counters_reset_max(&counters), 0);
	assert_int_equal(kernel.control.epoch, 0);
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(reason_slots_name(&counters.slots, 0), "other");
	assert_string_equal(reason_slots_name(&counters.slots, 9), "read_cr0");
	assert_string_equal(reason_slots_name(&counters.slots, 1), "other");
	kernel.codes[1] = 0x4d2;
	assert_string_equal(reason_slots_name(&counters.slots, 1), "0x4d2");
	kernel.codes[2] = 0x72; /* a later version added its name */
	assert_string_equal(reason_slots_name(&counters.slots, 2), "cpuid");
	/* another vendor's, by the counters' isa field */
	thread(0, 1, 1)->thread.isa = REASONS_VMX + 1;
	assert_total(1, 10, 10);
	assert_string_equal(reason_slots_name(&counters.slots, 9), "EXCEPTION_NMI");
	assert_true(counters.vms.sleeps[reasons_slot_of(REASONS_VMX, 12)]);
	/* isa is 0 before the first exit */
	kernel.counters[0].thread.thread.isa = 0;
	assert_total(1, 10, 10);
	assert_int_equal(counters.slots.isa, REASONS_VMX);
}

/* Counts of two slots of one reason are one reason's, wherever they are. */
static void test_one_reason_in_two_slots(void **state)
{
	(void)state;
	kernel.codes[1] = kernel.codes[3] = 0x4d2;
	thread(0, 1, 13)->reason[1].count = 1;
	thread(1, 2, 5)->reason[3] = (struct reason_counters){ 2, 20, 7 };
	kernel.counters[1].thread.thread.ended = 1;
	overflow[1].count[3] = 4;
	overflow[0].count[2] = 8; /* a claim that is not to be found */
	for (int i = 0; i < 4; i++) {
		assert_total(18, 180, 11);
		assert_int_equal(counters.total[1].count, 7);
		assert_int_equal(counters.total[1].time, 20);
		assert_int_equal(counters.total[1].max, 7);
		assert_int_equal(counters.total[0].count, 8);
		assert_int_equal(counters.total[2].count, 0);
		assert_int_equal(counters.total[3].count, 0);
		assert_int_equal(counters.dropped, 12);
	}
	assert_int_equal(kernel.ended.reason[1].count, 2);
	assert_int_equal(kernel.ended.reason[3].count, 0);
}

static void proc_thread(uint32_t tid, unsigned long long start)
{
	char path[64], text[256];

	snprintf(path, sizeof(path), "proc/5/task/%u", tid);
	make_folders(path);
	snprintf(path, sizeof(path), "proc/5/task/%u/stat", tid);
	snprintf(text, sizeof(text),
		 "%u (a) b (c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 %llu 20 21\n", tid,
		 start);
	write_text(path, text);
}

static void proc_make(const char *pid_namespace)
{
	make_folders("proc/1");
	write_text("proc/1/stat", "1 (init) S\n");
	make_folders("proc/self/ns");
	assert_int_equal(symlink(pid_namespace, "proc/self/ns/pid"), 0);
	assert_int_equal(symlink("time:[4026531834]", "proc/self/ns/time"), 0);
}

static void test_reap(void **state)
{
	(void)state;
	proc_make("pid:[4026531836]");
	thread(0, 1, 1);
	thread(1, 2, 2); /* ended */
	thread(2, 3, 3); /* the TID belongs to another thread */
	proc_thread(1, 1);
	proc_thread(3, 2);
	vcpu_counters_reap(&counters);
	assert_int_equal(kernel.counters[0].thread.thread.ended, 0);
	assert_int_equal(kernel.counters[1].thread.thread.ended, 1);
	assert_int_equal(kernel.counters[2].thread.thread.ended, 1);
	for (int i = 0; i < 6; i++)
		assert_total(6, 60, 12);
	assert_int_equal(counters.used, 1);
}

/* If /proc does not show all threads, or shows other TIDs, no thread is considered ended. */
static void test_no_reap(void **state)
{
	(void)state;
	thread(0, 1, 1);
	vcpu_counters_reap(&counters);
	assert_int_equal(kernel.counters[0].thread.thread.ended, 0);
	proc_make("pid:[4026532123]");
	vcpu_counters_reap(&counters);
	assert_int_equal(kernel.counters[0].thread.thread.ended, 0);
}

static void test_no_memory(void **state)
{
	unsigned n = 0;
	int err;

	(void)state;
	for (int i = 0; i < CELLS; i++)
		thread(i, 1 + (uint32_t)i, 2);
	do {
		alloc_fail_at(n++);
		err = vcpu_counters_read(&counters, &vms);
		assert_true(err == 0 || err == -ENOMEM);
	} while (alloc_failed());
	assert_true(n > 3);
	assert_total(2 * CELLS, 20 * CELLS, 10 + CELLS - 1);
}

/* Each test runs on a kernel without batches, and on one with them. */
#define counters_test(test)                                     \
	cmocka_unit_test_setup_teardown(test, setup, teardown), \
		cmocka_unit_test_setup_teardown(test, setup_batches, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		counters_test(test_sums),
		counters_test(test_ended_threads),
		counters_test(test_marked_while_read),
		counters_test(test_further_cells),
		counters_test(test_maps_that_fail),
		counters_test(test_reset_max),
		counters_test(test_names),
		counters_test(test_one_reason_in_two_slots),
		counters_test(test_reap),
		counters_test(test_no_reap),
		counters_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
