// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* kvmbpf dump's tables of halts. */
#include "fakes/support.h"

#include <stdlib.h>
#include <string.h>

#include "command/halt_report.h"

static char *printed(const char *text, const char *columns)
{
	const struct sheet_choice choice = { .columns = columns };
	FILE *in = fmemopen((void *)text, strlen(text), "r");
	FILE *out = fopen("out", "w");
	struct snapshot snapshot = { 0 };
	unsigned line = 0;

	assert_non_null(in);
	assert_non_null(out);
	assert_int_equal(snapshot_load(in, &snapshot, &line), 0);
	assert_int_equal(halt_report_print(&snapshot, &choice, out), 0);
	snapshot_free(&snapshot);
	fclose(out);
	fclose(in);
	return read_text("out");
}

static void assert_printed(const char *text, const char *columns, const char *wanted)
{
	char *got = printed(text, columns);

	assert_string_equal(got, wanted);
	free(got);
}

/*
 * web-10: 10 halts that polling has ended, of 8 to 16 us; 30 that slept, of 1 ms. What has counted
 * nothing is left out, wherever it is.
 */
static const char vms[] = "pmdakvm-snapshot\t2\n"
			  "table\tvm_halt_time\n"
			  "column\twake\n"
			  "column\tpolled\n"
			  "column\twaited\n"
			  "row\t1\tdb-2\t\t0-1\t0\t0\t0\n"
			  "row\t2\tweb-10\t\t2-3\t20\t-\t-\n"
			  "row\t3\tweb-10\t\t1024-2047\t10\t-\t-\n"
			  "row\t4\tweb-10\t\t8192-16383\t-\t10\t-\n"
			  "row\t5\tweb-10\t\t524288-1048575\t-\t-\t30\n"
			  "row\t6\tweb-11\t\t0-1\t0\t-\t-\n"
			  "row\t7\tweb-12\t\t2147483648-18446744073709551615\t1\t0\t1\n"
			  "row\t8\tweb-13\t\t0-1\t0\t-\t-\n"
			  "table\tvm_halt\n"
			  "column\tpoll_time\n"
			  "column\tpoll_attempts\n"
			  "row\t1\tdb-2\t\t-\t0\t0\n"
			  "row\t2\tweb-10\t\t-\t250000\t20\n"
			  "row\t3\tweb-12\t\t-\t-\t-\n"
			  "table\tvcpu_halt_time\n"
			  "column\twake\n"
			  "column\tlate\n"
			  "row\t1\tweb-10::vcpu0\t\t2-3\t20\t-\n"
			  "row\t2\tweb-10::vcpu0\t\t1024-2047\t10\t5\n"
			  "row\t3\tweb-10::vcpu1\t\t2-3\t-\t7\n";

static void test_tables(void **state)
{
	(void)state;
	assert_printed(
		vms, NULL,
		"Halts, and how long woken vCPUs waited for a CPU, by VM:\n"
		"\n"
		"VM     Halts Polled Slept Poll time Attempts Per attempt      Wake p50      Wake p99\n"
		"web-10    40     10    30  250.00us       20     12.50us        0.00us        2.05us\n"
		"web-12     1      0     1         -        -           - >2147483.65us >2147483.65us\n"
		"\n"
		"What a fixed halt_poll_ns would do where CPUs are idle: a bound, by VM:\n"
		"\n"
		"VM     halt_poll_ns Polls at most Hits at least Of halts\n"
		"web-10         8192      327.68us             0    0.00%\n"
		"web-10        16384      655.35us            10   25.00%\n"
		"web-10        32768     1146.87us            10   25.00%\n"
		"web-10        65536     2129.91us            10   25.00%\n"
		"web-10       131072     4095.99us            10   25.00%\n"
		"web-10       262144     8028.15us            10   25.00%\n"
		"web-10       524288    15892.47us            10   25.00%\n"
		"web-10      1048576    31621.08us            40  100.00%\n"
		"web-12         8192        8.19us             0    0.00%\n"
		"web-12        16384       16.38us             0    0.00%\n"
		"web-12        32768       32.77us             0    0.00%\n"
		"web-12        65536       65.54us             0    0.00%\n"
		"web-12       131072      131.07us             0    0.00%\n"
		"web-12       262144      262.14us             0    0.00%\n"
		"web-12       524288      524.29us             0    0.00%\n"
		"web-12      1048576     1048.58us             0    0.00%\n"
		"\n"
		"Wake-ups, and how late timers were, by vCPU:\n"
		"\n"
		"VCPU          Wake-ups Wake p50 Wake p99 Timers Late p50 Late p99\n"
		"web-10::vcpu0       30   0.00us   2.05us      5   1.64us   2.05us\n"
		"web-10::vcpu1        -        -        -      7   0.00us   0.00us\n"
		"\n");
}

/* Columns that are chosen; -o of one table leaves out the others. */
static void test_columns(void **state)
{
	(void)state;
	assert_printed(vms, "vcpu,late p99",
		       "Wake-ups, and how late timers were, by vCPU:\n\n"
		       "VCPU          Late p99\n"
		       "web-10::vcpu0   2.05us\n"
		       "web-10::vcpu1   0.00us\n\n");
}

static void test_nothing(void **state)
{
	(void)state;
	assert_printed("pmdakvm-snapshot\t2\ntable\tvm_halt_time\ncolumn\twake\n"
		       "row\t1\tdb-2\t\t0-1\t0\n",
		       NULL, "");
	assert_printed("pmdakvm-snapshot\t2\n", NULL, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		work_test(test_tables),
		work_test(test_columns),
		work_test(test_nothing),
	};

	return cmocka_run_group_tests_name("halt_report", tests, NULL, NULL);
}
