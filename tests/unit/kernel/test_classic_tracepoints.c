// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* What a made tracefs says of an event's record and number, and what perf is asked for. */
#include "fakes/support.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/classic_tracepoints.h"

#define FORMAT                                                                                    \
	"name: kvm_userspace_exit\nID: 901\nformat:\n"                                            \
	"\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"                    \
	"\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n"                              \
	"\tfield:__u32 reason;\toffset:8;\tsize:4;\tsigned:0;\n"                                  \
	"\tfield:int errno;\toffset:12;\tsize:4;\tsigned:1;\n\n"                                  \
	"print fmt: \"reason %s (%d)\", REC->errno < 0 ? \"error\" : \"reason; offset:8; size:4;" \
	"\", REC->reason\n"

static const struct record_field as_it_is[] = {
	{ "reason", 8, 4 },
	{ "errno", 12, 4 },
	{ NULL, 0, 0 },
};

static bool has(const char *name, unsigned offset, unsigned size)
{
	const struct record_field fields[] = { as_it_is[0],
					       { name, offset, size },
					       { NULL, 0, 0 } };

	return record_has_fields("event", fields);
}

static void test_fields(void **state)
{
	(void)state;
	assert_true(record_has_fields("event", NULL)); /* reads none: nothing is opened */
	assert_false(record_has_fields("event", as_it_is));
	make_folders("event");
	assert_false(record_has_fields("event", as_it_is));
	write_text("event/format", FORMAT);
	assert_true(record_has_fields("event", as_it_is));
	assert_true(has("errno", 12, 4));
	assert_false(has("errno", 16, 4));
	assert_false(has("errno", 12, 8));
	assert_false(has("error", 12, 4));
	assert_false(has("rrno", 12, 4));
	assert_false(has("int errno and more", 12, 4));
	assert_false(has("REC->reason", 8, 4));
	assert_true(has("reason", 8, 4));
	write_text("event/format", "field:int errno;\n");
	assert_false(has("errno", 12, 4));
}

/* perf_event_open() and ioctl(), as asked. */
static struct {
	struct perf_event_attr attr;
	int cpu, err, ioctl_err, prog_fd;
	unsigned opens, ioctls;
} perf;

long __wrap_syscall(long number, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);

long __wrap_syscall(long number, ...)
{
	va_list args;

	assert_int_equal(number, SYS_perf_event_open);
	va_start(args, number);
	perf.attr = *va_arg(args, struct perf_event_attr *);
	assert_int_equal(va_arg(args, int), -1); /* of all processes */
	perf.cpu = va_arg(args, int);
	va_end(args);
	perf.opens++;
	if (!perf.err)
		return open("/dev/null", O_RDONLY | O_CLOEXEC);
	errno = perf.err;
	return -1;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list args;

	assert_true(fd >= 0);
	assert_int_equal(request, PERF_EVENT_IOC_SET_BPF); /* the event stays disabled */
	va_start(args, request);
	perf.prog_fd = va_arg(args, int);
	va_end(args);
	perf.ioctls++;
	errno = perf.ioctl_err;
	return perf.ioctl_err ? -1 : 0;
}

static void test_open(void **state)
{
	int fd;

	(void)state;
	memset(&perf, 0, sizeof(perf));
	assert_int_equal(classic_tracepoint_open("event", 77), -ENOENT);
	make_folders("event");
	write_text("event/id", "none\n");
	assert_int_equal(classic_tracepoint_open("event", 77), -ENOENT);
	assert_int_equal(perf.opens, 0);
	write_text("event/id", "901\n");
	fd = classic_tracepoint_open("event", 77);
	assert_true(fd >= 0);
	assert_int_equal(close(fd), 0);
	assert_int_equal(perf.attr.type, PERF_TYPE_TRACEPOINT);
	assert_int_equal(perf.attr.config, 901);
	assert_true(perf.attr.disabled);
	assert_int_equal(perf.prog_fd, 77);
	assert_int_equal(perf.ioctls, 1);
}

/* The teardown looks for what was left open. */
static void test_refused(void **state)
{
	(void)state;
	memset(&perf, 0, sizeof(perf));
	make_folders("event");
	write_text("event/id", "901\n");
	perf.ioctl_err = EEXIST;
	assert_int_equal(classic_tracepoint_open("event", 77), -EEXIST);
	perf.err = EACCES;
	assert_int_equal(classic_tracepoint_open("event", 77), -EACCES);
	assert_int_equal(perf.ioctls, 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		work_test(test_fields),
		work_test(test_open),
		work_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
