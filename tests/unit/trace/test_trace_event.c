// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The states of a single event; for the list see test_trace_events.c. */
#include "fakes/support.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <string.h>
#include <unistd.h>

#include "families/trace/trace_events.h"

#define PROG_INFO_END (offsetof(struct bpf_prog_info, recursion_misses) + sizeof(__u64))

/* What was given to be closed late. */
static struct {
	unsigned n;
	int fd;
} late;

uint64_t __wrap_late_close_put(struct late_close *to, int fd);

uint64_t __wrap_late_close_put(struct late_close *to, int fd)
{
	assert_ptr_equal(to, &late);
	late.n++;
	late.fd = fd;
	return 41;
}

/* The kernel's bpf_prog_info of a program, and its size. */
static struct {
	int fd, err;
	uint64_t misses;
	__u32 size;
} kernel;

int __wrap_bpf_obj_get_info_by_fd(int fd, void *info, __u32 *size);

int __wrap_bpf_obj_get_info_by_fd(int fd, void *info, __u32 *size)
{
	kernel.fd = fd;
	if (kernel.err)
		return kernel.err;
	assert_true(kernel.size <= *size);
	((struct bpf_prog_info *)info)->recursion_misses = kernel.misses;
	*size = kernel.size;
	return 0;
}

static void test_status(void **state)
{
	struct trace_event event = { .state = TRACE_EVENT_WANTED };

	(void)state;
	assert_string_equal(trace_event_status(&event), "not attached");
	event.state = TRACE_EVENT_UNKNOWN;
	assert_string_equal(trace_event_status(&event), "no such event in this kernel");
	trace_event_attached(&event, -EINVAL);
	assert_string_equal(trace_event_status(&event), "Invalid argument");
	trace_event_attached(&event, -ENOENT);
	assert_string_equal(trace_event_status(&event), "no such event in this kernel");
	trace_event_attached(&event, 0);
	assert_string_equal(trace_event_status(&event), "attached");
	event.state = TRACE_EVENT_DETACHED;
	assert_string_equal(trace_event_status(&event), "detached");
}

/* The link is closed; the program, the slot and the counts stay. */
static void test_detach(void **state)
{
	struct trace_event event = { .state = TRACE_EVENT_WANTED, .slot = 9 };
	int link_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	event.prog_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	event.link_fd = link_fd;
	trace_event_attached(&event, 0);
	assert_true(event.counted);
	trace_event_detach(&event, NULL);
	assert_int_equal(event.state, TRACE_EVENT_DETACHED);
	assert_int_equal(event.link_fd, -1);
	assert_int_equal(fcntl(link_fd, F_GETFD), -1);
	assert_true(event.counted);
	assert_int_equal(event.slot, 9);
	trace_event_detach(&event, NULL);
	assert_int_equal(event.state, TRACE_EVENT_DETACHED);
	event.link_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	trace_event_attached(&event, 0); /* once more */
	assert_int_equal(event.state, TRACE_EVENT_ATTACHED);
	trace_event_detach(&event, NULL);
	assert_int_equal(close(event.prog_fd), 0); /* still open */
}

/* 0 is a valid descriptor. */
static void test_detach_descriptor_0(void **state)
{
	struct trace_event event = { .state = TRACE_EVENT_WANTED, .prog_fd = -1 };
	int saved = descriptor_0_free();

	(void)state;
	event.link_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(event.link_fd, 0);
	trace_event_attached(&event, 0);
	trace_event_detach(&event, NULL);
	assert_int_equal(event.state, TRACE_EVENT_DETACHED);
	assert_int_equal(fcntl(0, F_GETFD), -1);
	descriptor_0_restore(saved);
}

/* Attaching again fails: the old count is still valid. */
static void test_attach_again_in_vain(void **state)
{
	struct trace_event event = {
		.state = TRACE_EVENT_DETACHED, .counted = true, .link_fd = -1, .source_fd = -1
	};

	(void)state;
	trace_event_attached(&event, -ENOENT);
	assert_int_equal(event.state, TRACE_EVENT_FAILED);
	assert_true(event.counted);
}

/* An event that is not attached is not detached, and keeps its state. */
static void test_detach_what_is_not_attached(void **state)
{
	static const enum trace_event_state states[] = {
		TRACE_EVENT_WANTED,
		TRACE_EVENT_UNKNOWN,
		TRACE_EVENT_FAILED,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		for (int fd = -3; fd < 0; fd++) { /* -1, or the result of attaching */
			struct trace_event event = { .state = states[i],
						     .link_fd = fd,
						     .source_fd = -1 };

			trace_event_detach(&event, NULL);
			assert_int_equal(event.state, states[i]);
		}
	}
}

/* Attach, with the misses that the program of fd has had. */
static void attach(struct trace_event *event, int *fd, int number, uint64_t misses)
{
	kernel.misses = misses;
	*fd = number;
	trace_event_attached(event, 0);
}

static uint64_t missed_of(const struct trace_event *event, int fd, uint64_t misses)
{
	uint64_t missed = 0;

	kernel.fd = -1;
	kernel.misses = misses;
	assert_int_equal(trace_event_missed(event, &missed), 0);
	assert_int_equal(kernel.fd, fd);
	return missed;
}

/* It is what was missed while the event was counted, by whichever program; it never falls. */
static void test_missed(void **state)
{
	struct trace_event event = { .prog_fd = 77, .link_fd = -1, .source_fd = -1 };
	uint64_t missed;

	(void)state;
	memset(&kernel, 0, sizeof(kernel));
	kernel.size = PROG_INFO_END;
	untouched_fill(&missed, sizeof(missed));
	kernel.fd = -1;
	assert_int_equal(trace_event_missed(&event, &missed), -ENODATA);
	assert_untouched(&missed, sizeof(missed));
	assert_int_equal(kernel.fd, -1); /* the kernel was not asked */
	attach(&event, &event.link_fd, open("/dev/null", O_RDONLY | O_CLOEXEC), 0);
	assert_int_equal(missed_of(&event, 77, UINT64_MAX), UINT64_MAX);
	assert_int_equal(missed_of(&event, 77, 5), 5);
	trace_event_detach(&event, NULL);
	assert_int_equal(missed_of(&event, -1, 6), 5); /* 6: of a link that is closed late */
	attach(&event, &event.source_fd, 78, 1000);    /* for another family it has missed those */
	assert_int_equal(missed_of(&event, 78, 1000), 5);
	assert_int_equal(missed_of(&event, 78, 1003), 8);
	trace_event_detach(&event, NULL);
	assert_int_equal(missed_of(&event, -1, 0), 8);
	attach(&event, &event.link_fd, open("/dev/null", O_RDONLY | O_CLOEXEC), 6);
	assert_int_equal(missed_of(&event, 77, 6), 8);
	assert_int_equal(missed_of(&event, 77, 7), 9);
	trace_event_detach(&event, NULL);
}

/* Before Linux 5.12, or where the kernel does not tell. */
static void test_missed_unknown(void **state)
{
	struct trace_event event = { .prog_fd = 77, .link_fd = -1, .source_fd = -1 };
	uint64_t missed;

	(void)state;
	memset(&kernel, 0, sizeof(kernel));
	untouched_fill(&missed, sizeof(missed));
	kernel.size = PROG_INFO_END - 1;
	attach(&event, &event.link_fd, 79, 0);
	assert_int_equal(trace_event_missed(&event, &missed), -ENODATA);
	kernel.size = PROG_INFO_END;
	attach(&event, &event.link_fd, 79, 0);
	kernel.err = -EPERM;
	assert_int_equal(trace_event_missed(&event, &missed), -ENODATA);
	assert_untouched(&missed, sizeof(missed));
	kernel.err = 0;
	event.prog_fd = 0; /* a descriptor like any other */
	assert_int_equal(missed_of(&event, 0, 3), 3);
}

/* A link of perf's is closed late, and can be taken back until then. */
static void test_detach_by_perf(void **state)
{
	struct trace_event event = { .source_fd = -1, .by_perf = true };
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	late.n = 0;
	attach(&event, &event.link_fd, fd, 0);
	trace_event_detach(&event, (struct late_close *)&late);
	assert_int_equal(late.n, 1);
	assert_int_equal(late.fd, fd);
	assert_int_equal(event.closing, 41);
	assert_int_equal(event.link_fd, -1);
	assert_int_equal(event.state, TRACE_EVENT_DETACHED);
	assert_int_equal(close(fd), 0); /* not closed there */
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		work_test(test_status),
		work_test(test_detach),
		work_test(test_detach_descriptor_0),
		work_test(test_attach_again_in_vain),
		work_test(test_detach_what_is_not_attached),
		work_test(test_missed),
		work_test(test_missed_unknown),
		work_test(test_detach_by_perf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
