/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Runs BPF programs without their events, by bpf(BPF_PROG_TEST_RUN): nothing is attached, so no
 * event of the host is counted. Needs root.
 */
#ifndef PMDAKVM_TESTS_BPF_RUN_H
#define PMDAKVM_TESTS_BPF_RUN_H

/* cmocka.h needs these includes before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bpf/libbpf.h>
#include <linux/types.h>
#include <stdbool.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* Run a tracepoint's program with these arguments, in this thread. Its result must be 0. */
void run_program(int fd, const uint64_t *args, size_t n);

/* The same; returns its result, whatever it is. */
int result_program(int fd, const uint64_t *args, size_t n);

#define run_with(fd, ...)                                    \
	run_program((fd), (const uint64_t[]){ __VA_ARGS__ }, \
		    sizeof((const uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t))

#define result_with(fd, ...)                                    \
	result_program((fd), (const uint64_t[]){ __VA_ARGS__ }, \
		       sizeof((const uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t))

/* Run it on a CPU, whichever thread is there. */
void run_on_cpu(int fd, int cpu);

/* Let this thread run on this CPU only. CPUs that are offline return false. */
bool stay_on_cpu(int cpu);
void leave_cpu(void);

int possible_cpus(void);

/* maps_preallocate(), by this kernel's types. Call it before an object is loaded. */
void preallocate(struct bpf_object *object);

/* Call the function in a thread of its own, and wait for it. */
void in_thread(void (*function)(void));

#define skip_why(why)                           \
	do {                                    \
		print_message("# %s\n", (why)); \
		skip();                         \
	} while (0)

/*
 * The tests' main function: run them all, or print one skipped test with the reason if this
 * machine cannot.
 */
int run_group(const char *name, const struct CMUnitTest *tests, size_t n);

#endif /* PMDAKVM_TESTS_BPF_RUN_H */
