// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Events of the trace family that perf attaches. */
#include "fakes/fake_trace_kernel.h"

#include <errno.h>
#include <unistd.h>

/*
 * An event that perf attaches is counted as soon as it is attached, and no longer once it is
 * detached, however late its link is closed; until then, that is taken back.
 */
static void test_by_perf(void **state)
{
	struct classic_events wanted = { .wanted = true, .late = (struct late_close *)&kernel };

	(void)state;
	classic = &wanted;
	open_and_attach("kvm_pio kvm_exit");
	assert_int_equal(kernel.loads, 1);
	assert_int_equal(kernel.perf_opens, 1);
	assert_int_equal(kernel.opens, 1); /* kvm_exit */
	assert_int_equal(kernel.counts[141], 1);
	assert_int_equal(kernel.counts[1], 0); /* has no such program */
	trace_family.detach(trace);
	assert_int_equal(kernel.puts, 1);
	assert_true(kernel.kept >= 0);
	assert_int_equal(kernel.counts[141], 0);
	attach(0);
	assert_int_equal(kernel.kept, -1);
	assert_int_equal(kernel.perf_opens, 1);
	assert_int_equal(kernel.counts[141], 1);
	trace_family.detach(trace);
	assert_int_equal(close(kernel.kept), 0);
	kernel.kept = -1; /* too late */
	attach(0);
	assert_int_equal(kernel.perf_opens, 2);
	assert_int_equal(kernel.loads, 1); /* the program stays loaded */
	trace_family.detach(trace);
	assert_int_equal(close(kernel.kept), 0);
}

/* What perf does not attach is attached as a raw tracepoint. */
static void test_not_by_perf(void **state)
{
	struct classic_events wanted = { .wanted = true, .late = (struct late_close *)&kernel };

	(void)state;
	classic = &wanted;
	kernel.no_perf = true;
	open_and_attach("kvm_pio kvm_exit");
	assert_int_equal(kernel.perf_opens, 1);
	assert_int_equal(kernel.opens, 2);
	assert_int_equal(kernel.counts[141], 0);
	assert_table("event", "attached status", "141 kvm_pio 1 attached\n1 kvm_exit 1 attached\n");
	trace_family.detach(trace);
	assert_int_equal(kernel.puts, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		trace_test(test_by_perf),
		trace_test(test_not_by_perf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
