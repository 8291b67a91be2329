// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Threads that come and go, and what they have counted: room is made in time, all of it comes back,
 * and no count is lost or doubled.
 */
#define _GNU_SOURCE
#include "bpf/family.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bpf/engine.h"
#include "engine/retire.h"
#include "engine/threads.h"

enum { CPUID = 0x72, HLT = 0x78, IO = 0x7b, MSR = 0x7c, ISA_SVM = 2, VCPU = 0x1000 };

/* The programs of the events. */
static int exit_fd, entry_fd, end_fd;

static void start(void)
{
	family_open("exit");
	exit_fd = event_program("kvm_exit");
	entry_fd = event_program("kvm_entry");
	end_fd = event_program("sched_process_exit");
}

static void exits(unsigned n, uint64_t code, uint64_t vcpu)
{
	for (unsigned i = 0; i < n; i++) {
		run_with(exit_fd, code, vcpu, ISA_SVM);
		run_with(entry_fd, vcpu);
	}
}

static uint64_t map_value(const char *map, const char *column)
{
	return value_at("map", map, column);
}

static void assert_hlts(uint64_t count)
{
	uint64_t is;

	read_tables();
	assert_int_equal(value_of("exit", "hlt", "count", &is) ? is : 0, count);
	assert_int_equal(value_at("exit_total", "", "total"), count);
}

static void assert_used(uint64_t records, uint64_t blocks)
{
	assert_int_equal(map_value("exit_cells", "used"), records);
	assert_int_equal(map_value("exit_blocks", "used"), blocks);
}

/* --- threads that stay --- */

#define THREADS_MAX 1000

static pthread_t threads[THREADS_MAX];
static sem_t ran, go[THREADS_MAX];
static bool ends, is_seen;    /* all end now; and their ends are seen */
static const uint64_t *codes; /* of the exits of a round, 0 at the end */

static void *thread_stay(void *arg)
{
	sem_t *mine = arg;

	for (;;) {
		for (const uint64_t *code = codes; *code; code++)
			exits(1, *code, VCPU);
		sem_post(&ran);
		sem_wait(mine);
		if (!ends)
			continue;
		if (is_seen)
			run_with(end_fd, 0);
		return NULL;
	}
}

static void threads_start(size_t first, size_t n)
{
	pthread_attr_t small;

	assert_int_equal(pthread_attr_init(&small), 0);
	assert_int_equal(pthread_attr_setstacksize(&small, 128 * 1024), 0);
	for (size_t i = first; i < first + n; i++) {
		assert_int_equal(sem_init(&go[i], 0, 0), 0);
		assert_int_equal(pthread_create(&threads[i], &small, thread_stay, &go[i]), 0);
		sem_wait(&ran);
	}
	pthread_attr_destroy(&small);
}

/* Another round of all. */
static void threads_run(size_t n)
{
	for (size_t i = 0; i < n; i++) {
		sem_post(&go[i]);
		sem_wait(&ran);
	}
}

static void threads_end(size_t n)
{
	ends = true;
	for (size_t i = 0; i < n; i++)
		sem_post(&go[i]);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	ends = false;
}

static const uint64_t one_hlt[] = { HLT, 0 };

/* Threads whose end was not seen are looked up, some at each tick. */
static void assert_all_comes_back(size_t n)
{
	threads_end(n);
	if (!threads_show_all("/proc"))
		return;
	for (uint32_t i = 0; i < config.vcpus / 64 + 8; i++)
		family_tick();
	read_tables();
	assert_used(0, 0);
}

/* Memory grows with vCPUs, ahead of them, and all of it comes back. */
static void test_growth(void **state)
{
	uint64_t before;
	size_t n = 0;

	(void)state;
	config.vcpus = 1000;
	codes = one_hlt;
	start();
	read_tables();
	before = map_value("exit_cells", "bytes");
	for (int step = 0; step < 3; step++) {
		threads_start(n, 100);
		n += 100;
		family_tick();
		assert_hlts(n);
		assert_used(n, n);
		assert_int_equal(map_value("exit_cells", "dropped"), 0);
	}
	assert_true(map_value("exit_cells", "bytes") > 2 * before);
	assert_true(value_at("exit", "hlt", "time") > 0);
	assert_all_comes_back(n);
	exits(2, HLT, VCPU);
	assert_hlts(n + 2);
}

/* How many events have found no room in a round of n threads that does nothing else. */
static uint64_t dropped_by(size_t n)
{
	uint64_t before = map_value("exit_cells", "dropped") + map_value("exit_blocks", "dropped");

	threads_run(n);
	read_tables();
	return map_value("exit_cells", "dropped") + map_value("exit_blocks", "dropped") - before;
}

/* More come at once than there is room for: what they count first has no time, and is counted. */
static void test_many_at_once(void **state)
{
	static const uint64_t four[] = { HLT, CPUID, IO, MSR, 0 };
	const size_t n = THREADS_MAX;
	uint64_t total = n, dropped;
	unsigned ticks = 0;

	(void)state;
	config.growth_ns = UINT64_MAX / 4;
	codes = one_hlt;
	start();
	threads_start(0, n);
	assert_hlts(n);
	assert_int_equal(map_value("exit_cells", "dropped"), n - (RECORDS_CHUNK - 1));
	codes = four;
	do {
		assert_true(ticks++ < 6); /* as many again, each time */
		family_tick();
		dropped = dropped_by(n);
		total += 4 * n;
	} while (dropped);
	assert_int_equal(value_at("exit_total", "", "total"), total);
	assert_used(n, 4 * n);
	assert_all_comes_back(n);
	assert_int_equal(value_at("exit_total", "", "total"), total);
}

/* The DSO's ticks are fetches: each adds a chunk of both, and takes back some records, at most. */
static void test_a_chunk_at_a_fetch(void **state)
{
	const size_t n = 600;
	uint64_t records, blocks, before;

	(void)state;
	config.growth_ns = 0;
	codes = one_hlt;
	start();
	read_tables();
	records = map_value("exit_cells", "bytes");
	blocks = map_value("exit_blocks", "bytes");
	threads_start(0, n);
	read_tables();
	assert_true(map_value("exit_cells", "dropped") > 0);
	for (unsigned chunks = 2; chunks < 5; chunks++) {
		/* the index's entries count, too */
		before = map_value("exit_cells", "bytes");
		family_tick();
		read_tables();
		assert_in_range(map_value("exit_cells", "bytes"), before + records / 2,
				before + 2 * records);
		assert_in_range(map_value("exit_blocks", "bytes"), blocks, chunks * blocks);
		threads_run(n);
		read_tables();
	}
	before = map_value("exit_cells", "used");
	assert_in_range(before, RETIRE_FETCH + 1, 2 * RETIRE_FETCH);
	is_seen = true;
	threads_end(n);
	is_seen = false;
	for (unsigned i = 0; i < 2; i++) {
		family_tick();
		read_tables();
		before = before > RETIRE_FETCH ? before - RETIRE_FETCH : 0;
		assert_used(before, before);
	}
	assert_int_equal(before, 0);
}

/* --- threads that come and go --- */

static void *thread_of_a_vm(void *arg)
{
	exits(1, HLT, VCPU);
	run_with(end_fd, 0);
	return arg;
}

/* No record leaks: PMDAKVM_TEST_THREADS says how many threads there are, else a hundred thousand.
 */
static void test_no_leak(void **state)
{
	const char *wanted = getenv("PMDAKVM_TEST_THREADS");
	uint64_t n = wanted ? strtoull(wanted, NULL, 10) : 100000;
	pthread_attr_t small;
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_attr_init(&small), 0);
	assert_int_equal(pthread_attr_setstacksize(&small, 128 * 1024), 0);
	start();
	for (uint64_t i = 1; i <= n; i++) {
		assert_int_equal(pthread_create(&thread, &small, thread_of_a_vm, NULL), 0);
		assert_int_equal(pthread_join(thread, NULL), 0);
		if (i % 63 == 0)
			family_tick();
	}
	pthread_attr_destroy(&small);
	family_tick();
	assert_hlts(n);
	assert_used(0, 0);
	assert_int_equal(map_value("exit_cells", "dropped"), 0);
	assert_int_equal(map_value("exit_blocks", "dropped"), 0);
	/* all numbers are free */
	codes = one_hlt;
	threads_start(0, RECORDS_CHUNK - 1);
	assert_hlts(n + RECORDS_CHUNK - 1);
	assert_int_equal(map_value("exit_cells", "dropped"), 0);
	threads_end(RECORDS_CHUNK - 1);
}

/* --- a thread with several vCPUs --- */

enum { FEW = 5 };

static void run_few(void)
{
	for (unsigned round = 1; round <= 3; round++) {
		for (uint64_t i = 0; i < FEW; i++) {
			run_with(exit_fd, HLT, VCPU + i, ISA_SVM);
			if (i % 2)
				continue;
			run_with(entry_fd, VCPU + i);
		}
	}
	run_with(end_fd, 0);
}

/* Each has a record, and pairs of its own; they end with the thread. */
static void test_several_vcpus(void **state)
{
	uint64_t pairs = 0;

	(void)state;
	start();
	for (unsigned i = 1; i <= 3; i++) {
		in_thread(run_few);
		assert_hlts(i * 3 * FEW);
		assert_used(FEW, FEW);
		family_tick();
		assert_hlts(i * 3 * FEW);
		assert_used(0, 0);
	}
	for (size_t i = 0; i < rows_of("exit_latency"); i++)
		pairs += value_at("exit_latency", row_name("exit_latency", i), "latency");
	assert_int_equal(pairs, 3 * 3 * (FEW - FEW / 2));
}

/* --- exec --- */

static void *thread_exec(void *arg)
{
	exits(3, HLT, VCPU);
	execl("/bin/sh", "sh", "-c", "echo; read line", NULL);
	_exit(1);
	return arg;
}

/*
 * A thread that is not its process's first calls exec: it goes on with the number of the first, and
 * ends nowhere.
 */
static void test_exec(void **state)
{
	int out[2], in[2], status;
	pthread_t thread;
	char byte;
	pid_t pid;

	(void)state;
	if (!threads_show_all("/proc"))
		skip_why("this PID namespace does not show all threads");
	start();
	assert_int_equal(pipe(out) | pipe(in), 0);
	pid = fork();
	if (pid == 0) {
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		close(in[1]);
		pthread_create(&thread, NULL, thread_exec, NULL);
		pause();
		_exit(1);
	}
	close(out[1]);
	assert_int_equal(read(out[0], &byte, 1), 1); /* it has called exec */
	assert_hlts(3);
	assert_used(1, 1);
	family_tick();
	assert_hlts(3);
	assert_used(0, 0);
	close(out[0]);
	close(in[0]);
	close(in[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		family_test(test_growth),
		family_test(test_many_at_once),
		family_test(test_a_chunk_at_a_fetch),
		family_test(test_no_leak),
		family_test(test_several_vcpus),
		family_test(test_exec),
	};

	sem_init(&ran, 0, 0);
	return run_group("test_exit_life", tests, ARRAY_SIZE(tests));
}
