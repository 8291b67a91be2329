// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* kvmbpf dump's tables of vCPUs' time. */
#include "fakes/support.h"

#include <stdlib.h>
#include <string.h>

#include "command/time_report.h"

#define TIMES                                                                     \
	"column\tguest\ncolumn\tkvm\ncolumn\tpoll\ncolumn\thalted\ncolumn\tvmm\n" \
	"column\tready\ncolumn\tunknown\ncolumn\ttotal\n"                         \
	"column\topen_guest\ncolumn\topen_kvm\ncolumn\topen_halted\n"             \
	"column\topen_vmm\ncolumn\topen_unknown\n"

static void print_to(const char *path, const char *text)
{
	FILE *in = fmemopen((void *)text, strlen(text), "r");
	FILE *out = fopen(path, "w");
	struct snapshot snapshot = { 0 };
	const struct sheet_choice choice = { 0 };
	unsigned line = 0;

	assert_non_null(in);
	assert_non_null(out);
	assert_int_equal(snapshot_load(in, &snapshot, &line), 0);
	assert_int_equal(time_report_print(&snapshot, &choice, out), 0);
	snapshot_free(&snapshot);
	fclose(out);
	fclose(in);
}

/* Open intervals are in their state; thirds still add up to 100; what has not run is left out. */
static void test_by_vm(void **state)
{
	char *printed;

	(void)state;
	print_to(
		"out",
		"pmdakvm-snapshot\t2\ntable\tvm_time\n" TIMES
		"row\t1\tdb-2\t\t-\t500000000\t0\t0\t1000000000\t0\t0\t0\t1500000000\t0\t0\t500000000\t0\t0\n"
		"row\t2\tweb-10\t\t-\t-\t-\t1000\t1000\t0\t1000\t0\t3000\t-\t-\t0\t0\t0\n"
		"row\t3\tnew-3\t\t-\t-\t-\t-\t-\t-\t-\t-\t-\t-\t-\t-\t-\t-\n");
	printed = read_text("out");
	assert_string_equal(printed, "Where vCPUs' time went, in percent, by VM:\n\n"
				     "VM       Time guest  kvm  poll halted  vmm ready unknown\n"
				     "db-2   2.000s 25.00 0.00  0.00  75.00 0.00  0.00    0.00\n"
				     "web-10 0.000s     -    - 33.34  33.33 0.00 33.33    0.00\n"
				     "\n");
	free(printed);
}

static void test_by_vcpu(void **state)
{
	char *printed;

	(void)state;
	print_to("out",
		 "pmdakvm-snapshot\t2\ntable\tvcpu_time\n" TIMES "column\topen\ncolumn\tstate\n"
		 "row\t1\tdb-2::vcpu0\t\t-\t0\t0\t0\t0\t1\t0\t0\t1\t0\t0\t0\t999\t0\t999\t4\n"
		 "row\t2\tdb-2::vcpu1\t\t-\t7\t0\t0\t0\t0\t0\t0\t7\t-\t-\t-\t-\t-\t-\t-\n");
	printed = read_text("out");
	assert_string_equal(printed,
			    "Where vCPUs' time went, in percent, by vCPU:\n\n"
			    "VCPU          Time  guest  kvm poll halted    vmm ready unknown Now\n"
			    "db-2::vcpu0 0.000s   0.00 0.00 0.00   0.00 100.00  0.00    0.00 vmm\n"
			    "db-2::vcpu1 0.000s 100.00 0.00 0.00   0.00   0.00  0.00    0.00 -\n"
			    "\n");
	free(printed);
}

static void test_nothing(void **state)
{
	char *printed;

	(void)state;
	print_to("out", "pmdakvm-snapshot\t2\ntable\tvm_time\ncolumn\tguest\n"
			"row\t1\tdb-2\t\t-\t0\n");
	printed = read_text("out");
	assert_string_equal(printed, "");
	free(printed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		work_test(test_by_vm),
		work_test(test_by_vcpu),
		work_test(test_nothing),
	};

	return cmocka_run_group_tests_name("time_report", tests, NULL, NULL);
}
