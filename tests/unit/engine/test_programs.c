// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Which of an event's two programs is attached, and what both have missed. */
#include "fakes/support.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "engine/programs.h"

#define N 2

/* The made kernel: raw tracepoints, perf, and what is to be closed late. */
static struct {
	const char *folder; /* of events that perf may attach */
	int perf_err, raw_err;
	unsigned raw, perf, puts, takes;
	const char *event; /* attached last as a raw tracepoint */
	int raw_fd, perf_fd, kept;
	uint64_t misses[16]; /* by a program's descriptor; UINT64_MAX: unknown */
} kernel;

static int late; /* what the pointer to it points to */
static struct classic_events classic = { .wanted = true, .late = (struct late_close *)&late };

/* A program is its descriptor's place here. */
static const char descriptors[16];

static const struct bpf_program *program_of(int fd)
{
	return (const struct bpf_program *)&descriptors[fd];
}

int __wrap_bpf_program__fd(const struct bpf_program *program);
int __wrap_bpf_raw_tracepoint_open(const char *event, int fd);
char *__wrap_classic_events_folder(const struct classic_events *of, const char *event,
				   const struct record_field *fields);
int __wrap_classic_tracepoint_open(const char *folder, int fd);
uint64_t __wrap_late_close_put(struct late_close *to, int fd);
int __wrap_late_close_take(struct late_close *from, uint64_t number);
int __wrap_prog_missed(int fd, uint64_t *ret_missed);

int __wrap_bpf_program__fd(const struct bpf_program *program)
{
	return (int)((const char *)program - descriptors);
}

static int link_new(int err)
{
	return err ? err : open("/dev/null", O_RDONLY | O_CLOEXEC);
}

int __wrap_bpf_raw_tracepoint_open(const char *event, int fd)
{
	kernel.raw++;
	kernel.event = event;
	kernel.raw_fd = fd;
	return link_new(kernel.raw_err);
}

char *__wrap_classic_events_folder(const struct classic_events *of, const char *event,
				   const struct record_field *fields)
{
	assert_ptr_equal(of, &classic);
	assert_string_equal(event, "kvm_userspace_exit");
	assert_non_null(fields);
	return kernel.folder ? strdup(kernel.folder) : NULL;
}

int __wrap_classic_tracepoint_open(const char *folder, int fd)
{
	assert_string_equal(folder, kernel.folder);
	kernel.perf++;
	kernel.perf_fd = fd;
	return link_new(kernel.perf_err);
}

uint64_t __wrap_late_close_put(struct late_close *to, int fd)
{
	assert_ptr_equal(to, &late);
	kernel.kept = fd;
	return ++kernel.puts;
}

int __wrap_late_close_take(struct late_close *from, uint64_t number)
{
	int fd = kernel.kept;

	assert_ptr_equal(from, &late);
	assert_int_equal(number, kernel.puts);
	kernel.takes++;
	kernel.kept = -1;
	return fd;
}

int __wrap_prog_missed(int fd, uint64_t *ret_missed)
{
	if (fd < 0 || kernel.misses[fd] == UINT64_MAX)
		return -ENODATA;
	*ret_missed = kernel.misses[fd];
	return 0;
}

static const struct record_field fields[] = { { "reason", 8, 4 }, { NULL, 0, 0 } };
static struct program programs[N];

static int setup(void **state)
{
	memset(&kernel, 0, sizeof(kernel));
	kernel.kept = -1;
	kernel.folder = "tracing/events/kvm/kvm_userspace_exit";
	programs[0] = PROGRAM(program_of(1), "kvm_entry");
	programs[1] = (struct program){ .program = program_of(2),
					.event = "kvm_userspace_exit",
					.link_fd = -1,
					.classic = program_of(3),
					.fields = fields };
	return work_setup(state);
}

/* Perf attaches one of two kinds where it may; the other, and others, are of raw tracepoints. */
static void test_by_perf(void **state)
{
	(void)state;
	assert_int_equal(programs_attach(programs, N, &classic), 0);
	assert_int_equal(kernel.raw, 1);
	assert_string_equal(kernel.event, "kvm_entry");
	assert_int_equal(kernel.perf_fd, 3);
	assert_int_equal(program_fd(&programs[0]), 1);
	assert_int_equal(program_fd(&programs[1]), 3);
	assert_int_equal(programs_attach(programs, N, &classic), 0); /* all are attached */
	assert_int_equal(kernel.raw + kernel.perf, 2);
	programs_detach(programs, N, &classic);
	assert_int_equal(kernel.puts, 1);
	assert_int_equal(program_fd(&programs[1]), 3); /* was attached last */
	programs_detach(programs, N, &classic);
	assert_int_equal(kernel.puts, 1);
	assert_int_equal(programs_attach(programs, N, &classic), 0); /* taken back */
	assert_int_equal(kernel.takes, 1);
	assert_int_equal(kernel.perf, 1);
	programs_detach(programs, N, &classic);
	assert_int_equal(close(kernel.kept), 0);
	kernel.kept = -1;
	assert_int_equal(programs_attach(programs, N, &classic), 0); /* it was closed */
	assert_int_equal(kernel.perf, 2);
	programs_detach(programs, N, &classic);
	assert_int_equal(close(kernel.kept), 0);
}

static void assert_raw(struct classic_events *of)
{
	assert_int_equal(programs_attach(programs, N, of), 0);
	assert_int_equal(kernel.raw, 2);
	assert_int_equal(kernel.raw_fd, 2);
	assert_int_equal(program_fd(&programs[1]), 2);
	programs_detach(programs, N, of);
	assert_int_equal(kernel.puts, 0);
}

static void test_no_folder(void **state)
{
	(void)state;
	kernel.folder = NULL;
	assert_raw(&classic);
	assert_int_equal(kernel.perf, 0);
}

static void test_perf_refuses(void **state)
{
	(void)state;
	kernel.perf_err = -EACCES;
	assert_raw(&classic);
	assert_int_equal(kernel.perf, 1);
}

static void test_not_loaded_for_perf(void **state)
{
	(void)state;
	programs[1].classic = NULL;
	assert_raw(NULL);
}

/* The first error; what is attached before stays so. */
static void test_fails(void **state)
{
	(void)state;
	kernel.folder = NULL;
	programs[1].program = NULL;
	assert_int_equal(programs_attach(programs, N, &classic), -ENOENT);
	assert_true(programs[0].link_fd >= 0);
	programs_detach(programs, N, &classic);
	kernel.raw_err = -EPERM;
	assert_int_equal(programs_attach(programs, N, &classic), -EPERM);
}

static void test_missed(void **state)
{
	uint64_t missed;

	(void)state;
	untouched_fill(&missed, sizeof(missed));
	kernel.misses[3] = UINT64_MAX;
	assert_int_equal(programs_missed(programs, N, &missed), -ENODATA);
	assert_untouched(&missed, sizeof(missed));
	kernel.misses[1] = 5;
	kernel.misses[2] = 700;
	kernel.misses[3] = 11;
	assert_int_equal(programs_missed(programs, N, &missed), 0);
	assert_int_equal(missed, 716);
	programs[0].program = NULL;
	assert_int_equal(programs_missed(programs, N, &missed), -ENODATA);
}

#define programs_test(test) cmocka_unit_test_setup_teardown(test, setup, work_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		programs_test(test_by_perf),	  programs_test(test_no_folder),
		programs_test(test_perf_refuses), programs_test(test_not_loaded_for_perf),
		programs_test(test_fails),	  programs_test(test_missed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
