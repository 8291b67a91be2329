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
	trace_event_detach(&event);
	assert_int_equal(event.state, TRACE_EVENT_DETACHED);
	assert_int_equal(event.link_fd, -1);
	assert_int_equal(fcntl(link_fd, F_GETFD), -1);
	assert_true(event.counted);
	assert_int_equal(event.slot, 9);
	trace_event_detach(&event);
	assert_int_equal(event.state, TRACE_EVENT_DETACHED);
	event.link_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	trace_event_attached(&event, 0); /* once more */
	assert_int_equal(event.state, TRACE_EVENT_ATTACHED);
	trace_event_detach(&event);
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
	trace_event_detach(&event);
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

			trace_event_detach(&event);
			assert_int_equal(event.state, states[i]);
		}
	}
}

static void test_missed(void **state)
{
	const __u32 end = offsetof(struct bpf_prog_info, recursion_misses) + sizeof(__u64);
	struct trace_event event = { .prog_fd = 77, .link_fd = -1, .source_fd = -1 };
	uint64_t missed;

	(void)state;
	memset(&kernel, 0, sizeof(kernel));
	kernel.size = end;
	kernel.misses = UINT64_MAX;
	assert_int_equal(trace_event_missed(&event, &missed), 0);
	assert_int_equal(missed, UINT64_MAX);
	assert_int_equal(kernel.fd, 77);
	event.source_fd = 78; /* another family's program counts it */
	assert_int_equal(trace_event_missed(&event, &missed), 0);
	assert_int_equal(kernel.fd, 78);
	event.source_fd = -1;
	untouched_fill(&missed, sizeof(missed));
	kernel.size = end - 1; /* a kernel without the field */
	assert_int_equal(trace_event_missed(&event, &missed), -ENODATA);
	kernel.size = end;
	kernel.err = -EPERM;
	assert_int_equal(trace_event_missed(&event, &missed), -ENODATA);
	kernel.err = 0;
	kernel.fd = 0;
	event.prog_fd = -1;
	assert_int_equal(trace_event_missed(&event, &missed), -ENODATA);
	assert_int_equal(kernel.fd, 0); /* the kernel was not asked */
	assert_untouched(&missed, sizeof(missed));
	event.prog_fd = 0; /* a descriptor like any other */
	kernel.fd = 77;
	assert_int_equal(trace_event_missed(&event, &missed), 0);
	assert_int_equal(kernel.fd, 0);
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
