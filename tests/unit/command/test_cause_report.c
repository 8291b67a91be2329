// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* kvmbpf dump's tables of causes. */
#include "fakes/support.h"

#include <stdlib.h>
#include <string.h>

#include "command/cause_report.h"

static const char text[] =
	"pmdakvm-snapshot\t2\n"
	"table\tvm_cause\n"
	"column\taccesses\ncolumn\tcount\ncolumn\ttime\ncolumn\tuserspace_count\ncolumn\tuserspace_time\n"
	"row\t1\tdb-2\tnone\t-\t-\t7\t1000\t0\t0\n"
	"labels\t{\"cause\":\"none\",\"device\":\"-\"}\n"
	"row\t2\tdb-2\tio:0x3f8:w\t-\t13\t13\t2345678\t13\t1234565\n"
	"labels\t{\"cause\":\"io:0x3f8:w\",\"device\":\"serial\"}\n"
	"row\t3\tdb-2\tother\t-\t0\t0\t0\t0\t0\n"
	"labels\t{\"cause\":\"other\",\"device\":\"-\"}\n"
	"row\t4\tweb-10\tcpuid:0x1\t-\t5\t-\t-\t0\t0\n"
	"labels\t{\"cause\":\"cpuid:0x1\",\"device\":\"features\"}\n"
	"row\t5\tweb-10\tio:0x70:r\t-\t3\t-\t-\t3\t5\n"
	"labels\t{\"cause\":\"io:0x70:r\",\"device\":\"rtc\"}\n";

static void print_to(const char *path, const char *snapshot_text)
{
	FILE *in = fmemopen((void *)snapshot_text, strlen(snapshot_text), "r");
	FILE *out = fopen(path, "w");
	struct snapshot snapshot = { 0 };
	unsigned line = 0;

	assert_non_null(in);
	assert_non_null(out);
	assert_int_equal(snapshot_load(in, &snapshot, &line), 0);
	assert_int_equal(cause_report_print(&snapshot, &(struct sheet_choice){ 0 }, out), 0);
	snapshot_free(&snapshot);
	fclose(out);
	fclose(in);
}

/* Those that took most time first, by VM; what has no number is left out. */
static void test_by_vm(void **state)
{
	char *printed;

	(void)state;
	print_to("out", text);
	printed = read_text("out");
	assert_string_equal(
		printed, "Causes of VM exits by VM:\n\n"
			 "VM     CAUSE      DEVICE   Accesses Samples Exit time To VMM  VMM time\n"
			 "db-2   io:0x3f8:w serial         13      13 2345.68us     13 1234.57us\n"
			 "db-2   none       -               -       7    1.00us      0    0.00us\n"
			 "web-10 io:0x70:r  rtc             3       -         -      3    0.01us\n"
			 "web-10 cpuid:0x1  features        5       -         -      0    0.00us\n"
			 "\n");
	free(printed);
}

static void test_nothing(void **state)
{
	char *printed;

	(void)state;
	print_to("out", "pmdakvm-snapshot\t2\ntable\tcause\ncolumn\taccesses\n"
			"row\t1\t\tother\t-\t0\n");
	printed = read_text("out");
	assert_string_equal(printed, "");
	free(printed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		work_test(test_by_vm),
		work_test(test_nothing),
	};

	return cmocka_run_group_tests_name("cause_report", tests, NULL, NULL);
}
