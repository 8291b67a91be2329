// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "bpf/run.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/prog_prepare.h"
#include "kernel/map_prealloc.h"

/* The kernel accepts up to this many arguments of a tracepoint. */
#define ARGUMENTS 12

int result_program(int fd, const uint64_t *args, size_t n)
{
	uint64_t padded[ARGUMENTS] = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = padded, .ctx_size_in = sizeof(padded));

	assert_true(n <= ARGUMENTS);
	memcpy(padded, args, n * sizeof(*args));
	assert_int_equal(bpf_prog_test_run_opts(fd, &opts), 0);
	return (int)opts.retval;
}

void run_program(int fd, const uint64_t *args, size_t n)
{
	assert_int_equal(result_program(fd, args, n), 0);
}

void run_on_cpu(int fd, int cpu)
{
	uint64_t padded[ARGUMENTS] = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = padded, .ctx_size_in = sizeof(padded),
		    .flags = BPF_F_TEST_RUN_ON_CPU, .cpu = (__u32)cpu);

	assert_int_equal(bpf_prog_test_run_opts(fd, &opts), 0);
	assert_int_equal(opts.retval, 0);
}

static cpu_set_t all_cpus;

bool stay_on_cpu(int cpu)
{
	cpu_set_t set;

	if (!CPU_COUNT(&all_cpus))
		assert_int_equal(sched_getaffinity(0, sizeof(all_cpus), &all_cpus), 0);
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) == 0;
}

void leave_cpu(void)
{
	assert_int_equal(sched_setaffinity(0, sizeof(all_cpus), &all_cpus), 0);
}

void preallocate(struct bpf_object *object)
{
	struct kernel_types types = { .dir = KERNEL_TYPES_DIR };

	maps_preallocate(object, &types);
	kernel_types_close(&types);
}

int possible_cpus(void)
{
	int n = libbpf_num_possible_cpus();

	assert_true(n > 0);
	return n;
}

static void *thread_main(void *function)
{
	(*(void (**)(void))function)();
	return NULL;
}

void in_thread(void (*function)(void))
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, thread_main, &function), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

/* Why programs cannot be run here; NULL: they can. */
static const char *why_not(void)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	int fd, err;

	if (geteuid())
		return "not root: run as root";
	fd = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "probe", "GPL", insns, ARRAY_SIZE(insns),
			   NULL);
	if (fd < 0)
		return "bpf() is refused: run as root, outside of a container";
	err = bpf_prog_test_run_opts(fd, &opts);
	close(fd);
	return err ? "this kernel cannot run tracepoints' programs: Linux 5.10 can" : NULL;
}

int run_group(const char *name, const struct CMUnitTest *tests, size_t n)
{
	const char *why = why_not();

	if (why) {
		printf("ok - %s # skip %s\n", name, why);
		return 0;
	}
	/* the kernel does not run a program for perf without its event; as a raw one it does the
	 * same */
	if (prog_prepare_init(BPF_PROG_TYPE_RAW_TRACEPOINT)) {
		fputs("programs cannot be told the addresses of maps\n", stderr);
		return EXIT_FAILURE;
	}
	return _cmocka_run_group_tests(name, tests, n, NULL, NULL);
}
