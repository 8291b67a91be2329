// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Which events perf attaches, by a made tracefs; and the list of those that it need not. */
#include "fakes/support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kvm/classic_events.h"
#include "kvm/tracepoints.h"
#include "metrics/item_numbers.h"

static uint64_t kernel_clock, takes;
static int perf_err, tracefs_err;
static const char *missing;

uint64_t __wrap_clock_ns(void);
int __wrap_classic_tracepoint_open(const char *folder, int prog_fd);
const char *__wrap_privs_missing(void);
int __wrap_access(const char *path, int mode);
int __real_access(const char *path, int mode);

uint64_t __wrap_clock_ns(void)
{
	return kernel_clock;
}

int __wrap_classic_tracepoint_open(const char *folder, int prog_fd)
{
	assert_string_equal(folder, "its folder");
	kernel_clock += takes;
	return perf_err ? perf_err : prog_fd + 1;
}

const char *__wrap_privs_missing(void)
{
	return missing;
}

int __wrap_access(const char *path, int mode)
{
	if (strcmp(path, "tracing/events") != 0 || !tracefs_err)
		return __real_access(path, mode);
	errno = tracefs_err;
	return -1;
}

static struct classic_events classic;

static const struct record_field load[] = { { "load", 8, 4 }, { NULL, 0, 0 } };

static bool by_perf(const char *event, const struct record_field *fields)
{
	char *folder = classic_events_folder(&classic, event, fields);
	bool is = folder != NULL;

	free(folder);
	return is;
}

static int setup(void **state)
{
	int err = work_setup(state);

	classic = (struct classic_events){
		.tracefs = "tracing", .lockdown = "lockdown", .paranoid = "paranoid", .wanted = true
	};
	perf_err = tracefs_err = 0;
	missing = "";
	make_folders("tracing/events/kvm/kvm_pio");
	make_folders("tracing/events/kvm/kvm_exit");
	make_folders("tracing/events/kvm/kvm_fpu");
	write_text("tracing/events/kvm/kvm_fpu/format",
		   "\tfield:u32 load;\toffset:8;\tsize:4;\tsigned:0;\n");
	return err;
}

static void test_choice(void **state)
{
	(void)state;
	assert_true(by_perf("kvm_pio", NULL));
	assert_true(by_perf("kvm_fpu", load));
	assert_false(by_perf("kvm_pio", load));	 /* has no such record */
	assert_false(by_perf("kvm_mmio", NULL)); /* tracefs has it not */
	assert_false(by_perf("kvm_exit", NULL)); /* nothing is switched out there */
	classic.tracefs = "elsewhere";
	assert_false(by_perf("kvm_pio", NULL));
	classic.tracefs = "tracing";
	classic.wanted = false;
	assert_false(by_perf("kvm_pio", NULL));
	assert_null(classic_events_folder(NULL, "kvm_pio", NULL));
}

#define COUNTED_RAW \
	"events are counted by raw tracepoints, which can be preempted here; what they miss is in kvm.agent.event.missed: "

/* The pass ends with that warning (NULL: none); a second pass says the same no more. */
static void assert_said(const char *text)
{
	struct report report = { 0 };

	classic_events_report(&classic, &report);
	if (text)
		assert_warning(&report, text);
	else
		assert_int_equal(report.n, 0);
	report_clear(&report);
}

/* A pass in which perf has taken more than three seconds goes on without it. */
static void test_slow(void **state)
{
	(void)state;
	takes = 1000000000;
	for (int i = 0; i < 3; i++) {
		assert_true(by_perf("kvm_pio", NULL));
		assert_int_equal(classic_events_open(&classic, "its folder", 7), 8);
		kernel_clock += 5000000000; /* not perf's */
	}
	assert_true(by_perf("kvm_pio", NULL));
	takes = 1;
	assert_int_equal(classic_events_open(&classic, "its folder", 7), 8);
	assert_false(by_perf("kvm_pio", NULL));
	assert_said(
		COUNTED_RAW
		"perf has taken 3 s, as on a slow machine or while the kernel detaches an agent that has just ended; store 0, then 1 to kvm.control.attached later"); /* the next pass */
	assert_true(by_perf("kvm_pio", NULL));
}

static void test_tracefs_refused(void **state)
{
	(void)state;
	tracefs_err = EACCES;
	assert_false(by_perf("kvm_mmio", NULL));
	assert_said(COUNTED_RAW
		    "tracefs (tracing/events) cannot be read: Permission denied; let it be read");
	assert_false(by_perf("kvm_mmio", NULL));
	assert_said(NULL);
	classic.said = CLASSIC_NOT_REFUSED;
	tracefs_err = ENOENT;
	assert_false(by_perf("kvm_mmio", NULL));
	assert_said(COUNTED_RAW
		    "tracefs (tracing/events) cannot be read: No such file or directory; mount it");
}

static void test_lockdown(void **state)
{
	(void)state;
	tracefs_err = ENOENT;
	write_text("lockdown", "none integrity [confidentiality]\n");
	assert_false(by_perf("kvm_mmio", NULL));
	assert_said(COUNTED_RAW "kernel lockdown mode is confidentiality: there is no tracefs");
	classic.said = CLASSIC_NOT_REFUSED;
	write_text("lockdown", "none [integrity] confidentiality\n");
	assert_false(by_perf("kvm_mmio", NULL));
	assert_said(COUNTED_RAW
		    "tracefs (tracing/events) cannot be read: No such file or directory; mount it");
}

static void test_record_refused(void **state)
{
	(void)state;
	assert_false(by_perf("kvm_pio", load));
	assert_said(COUNTED_RAW "tracefs shows no record of the form that the program reads");
}

static void test_perf_refused(void **state)
{
	(void)state;
	perf_err = -EACCES;
	missing = "CAP_PERFMON is";
	assert_int_equal(classic_events_open(&classic, "its folder", 7), -EACCES);
	assert_said(COUNTED_RAW
		    "perf_event_open() failed (Permission denied): CAP_PERFMON is missing");
	classic.said = CLASSIC_NOT_REFUSED;
	missing = "";
	assert_int_equal(classic_events_open(&classic, "its folder", 7), -EACCES);
	assert_said(COUNTED_RAW "perf_event_open() failed (Permission denied)");
	classic.said = CLASSIC_NOT_REFUSED;
	write_text("paranoid", "2\n");
	assert_int_equal(classic_events_open(&classic, "its folder", 7), -EACCES);
	assert_said(COUNTED_RAW "perf_event_open() failed (Permission denied)");
	classic.said = CLASSIC_NOT_REFUSED;
	write_text("paranoid", "3\n");
	assert_int_equal(classic_events_open(&classic, "its folder", 7), -EACCES);
	assert_said(
		COUNTED_RAW
		"perf_event_open() failed (Permission denied): kernel.perf_event_paranoid is 3, which wants CAP_SYS_ADMIN; set it to 2, or begin with that capability");
	classic.said = CLASSIC_NOT_REFUSED;
	perf_err = -EMFILE;
	assert_int_equal(classic_events_open(&classic, "its folder", 7), -EMFILE);
	assert_said(COUNTED_RAW "perf_event_open() failed (Too many open files)");
}

/* An event that is not there, or need not be attached by perf, is not refused. */
static void test_not_refused(void **state)
{
	(void)state;
	assert_false(by_perf("kvm_mmio", NULL));
	assert_false(by_perf("kvm_exit", NULL));
	assert_true(by_perf("kvm_pio", NULL));
	assert_said(NULL);
}

/* Each of the list is an event that is known, and is there once. */
static void test_list(void **state)
{
	static const char *const names[] = {
#define ATOMIC_EVENT(name, why) #name,
#include "kvm/atomic_events.def"
#undef ATOMIC_EVENT
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_non_null(items_find(ITEMS_TRACE, names[i]));
		assert_true(events_atomic(names[i]));
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(names[i], names[j]);
	}
	assert_true(events_atomic("kvm_entry"));
	assert_false(events_atomic("kvm_userspace_exit"));
	assert_false(events_atomic("kvm_ent"));
	assert_false(events_atomic("sched_process_exit"));
}

#define classic_test(test) cmocka_unit_test_setup_teardown(test, setup, work_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		classic_test(test_choice),	    classic_test(test_slow),
		classic_test(test_tracefs_refused), classic_test(test_lockdown),
		classic_test(test_record_refused),  classic_test(test_perf_refused),
		classic_test(test_not_refused),	    classic_test(test_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
