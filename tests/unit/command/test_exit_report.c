// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/fake_smartcols.h"
#include "fakes/support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kvm/exit_reasons.h"
#include "command/exit_report.h"

#define MAGIC		"pmdakvm-snapshot\t2\n"
#define COUNT_TIME	"column\tcount\ncolumn\ttime\n"
#define EXIT		"table\texit\n" COUNT_TIME
#define VM_EXIT		"table\tvm_exit\n" COUNT_TIME
#define VM_EXIT_TOTAL	"table\tvm_exit_total\ncolumn\ttotal\n"
#define VM_EXIT_SHARES	"VM exits by VM and reason, as shares of the VM's"
#define WITHOUT_LATENCY "VM-EXIT Samples Samples% Time% p50 p99 Max Time Avg time\n"

/* All tables of the views, with unsorted rows, and labels and columns that no view uses. */
static const char everything[] = MAGIC
	"table\texit_total\ncolumn\ttotal\ncolumn\ttotal_time\nrow\t0\t\t\t-\t1009\t1903100000\n"
	"table\texit\ncolumn\tmax\ncolumn\tx\ncolumn\ttime\ncolumn\tcount\n"
	"row\t3\t\tnpf\t-\t5000\t-\t100000\t300\n"
	"row\t7\t\tio\t-\t99000\t-\t3000000\t609\n"
	"row\t9\t\thlt\t-\t2500000000\t-\t1900000000\t100\n"
	"table\texit_latency\ncolumn\tlatency\n"
	"row\t0\t\thlt\t1048576-2097151\t50\n"
	"row\t1\t\thlt\t2147483648-18446744073709551615\t50\n"
	"row\t2\t\tio\t2048-4095\t300\n"
	"row\t3\t\tio\t4096-8191\t290\n"
	"row\t4\t\tio\t65536-131071\t19\n" VM_EXIT_TOTAL "row\t0\tdb-1\t\t-\t300\n"
	"row\t1\tweb1-4711\t\t-\t709\n" VM_EXIT "row\t0\tdb-1\tnpf\t-\t300\t100000\n"
	"row\t1\tweb1-4711\tio\t-\t609\t3000000\n"
	"labels\t{\"vm\":\"web1-4711\"}\n"
	"row\t2\tweb1-4711\thlt\t-\t100\t1900000000\n"
	"table\tvcpu\ncolumn\texits\ncolumn\tguest_time\ncolumn\texit_time\n"
	"column\thalt_time\n"
	"row\t0\tdb-1::vcpu0\t\t-\t300\t4000000000\t100000\t0\n"
	"row\t1\tweb1-4711::vcpu0\t\t-\t709\t5000000000\t1903000000\t1900000000\n"
	"table\tvcpu_thread\ncolumn\tx\ncolumn\trun_delay\n"
	"row\t0\tother-1::vcpu0\t\t-\t7\t99\n"
	"row\t1\tweb1-4711::vcpu0\t\t-\t7\t12345\n"
	"row\t2\tdb-1::vcpu0\t\t-\t7\t-\n"
	"table\tuserspace_exit\n" COUNT_TIME "row\t2\t\tIO\t-\t600\t3000000\n"
	"row\t5\t\tHLT\t-\t7\t7000\n"
	"table\tvm_userspace_exit\n" COUNT_TIME "row\t0\tweb1-4711\tIO\t-\t600\t3000000\n"
	"row\t1\tweb1-4711\tHLT\t-\t7\t7000\n"
	"table\ttrace\ncolumn\tkvm_exit\nrow\t0\tcpu0\t\t-\t1009\n";

static const struct sheet_choice choice;
static const struct exit_report_options plain = { .choice = &choice };
static struct snapshot snapshot;
static const struct snapshot_table *shown[EXIT_REPORT_TABLES + 1];

static void load(const char *text)
{
	unsigned line;

	snapshot_free(&snapshot);
	assert_int_equal(snapshot_bytes_load(text, strlen(text), &snapshot, &line), 0);
}

static int teardown(void **state)
{
	(void)state;
	snapshot_free(&snapshot);
	return 0;
}

static char *views(bool awake)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	assert_non_null(file);
	untouched_fill(shown, sizeof(shown));
	assert_int_equal(exit_report_print(&snapshot,
					   &(struct exit_report_options){ .awake = awake,
									  .choice = &choice },
					   file, shown),
			 0);
	fclose(file);
	return text;
}

static void assert_views(bool awake, const char *expected)
{
	char *text = views(awake);

	assert_string_equal(text, expected);
	free(text);
}

/* The same with runs of blanks squeezed, and no blanks at the beginning and end of lines. */
static void assert_text(bool awake, const char *expected)
{
	char *text = views(awake), *to = text;

	for (const char *p = text; *p; p++) {
		if (*p != ' ' || (p[1] != ' ' && p[1] != '\n' && to > text && to[-1] != '\n'))
			*to++ = *p;
	}
	*to = '\0';
	assert_string_equal(text, expected);
	free(text);
}

/* ret_shown has exactly the tables of these names, in any order. */
static void assert_shown(const char *const *names)
{
	size_t n = 0;

	for (; names[n]; n++) {
		size_t i = 0;

		while (shown[i] && shown[i] != snapshot_find_table(&snapshot, names[n]))
			i++;
		assert_non_null(shown[i]);
	}
	assert_null(shown[n]);
}

static void test_all_views(void **state)
{
	(void)state;
	load(everything);
	assert_views(
		false,
		"VM exits by reason, all VMs:\n\n"
		"VM-EXIT Samples Samples%  Time%       p50          p99     Max Time   Avg time\n"
		"hlt         100    9.91% 99.84% 2097.15us 2492949.67us 2500000.00us 19000.00us\n"
		"io          609   60.36%  0.16%    4.17us      88.43us      99.00us     4.93us\n"
		"npf         300   29.73%  0.01%         -            -       5.00us     0.33us\n"
		"\nTotal Samples:1009, Total events handled time:1903100.00us.\n\n"
		"VM exits by VM:\n\n"
		"VM        Samples Samples%  Time%  Avg time\n"
		"web1-4711     709   70.27% 99.99% 2684.06us\n"
		"db-1          300   29.73%  0.01%    0.33us\n\n" VM_EXIT_SHARES ":\n\n"
		"VM        VM-EXIT Samples Samples%   Time%   Avg time\n"
		"web1-4711 hlt         100   14.10%  99.84% 19000.00us\n"
		"web1-4711 io          609   85.90%   0.16%     4.93us\n"
		"db-1      npf         300  100.00% 100.00%     0.33us\n\n"
		"VM exits by vCPU:\n\n"
		"VCPU             Samples Samples%  Time%  Avg time    Exit time   Guest time    Halt time Run delay\n"
		"web1-4711::vcpu0     709   70.27% 99.99% 2684.06us 1903000.00us 5000000.00us 1900000.00us   12.35us\n"
		"db-1::vcpu0          300   29.73%  0.01%    0.33us     100.00us 4000000.00us       0.00us         -\n\n"
		"Exits to userspace by reason, all VMs:\n\n"
		"USERSPACE-EXIT Samples Samples%  Time% Avg time\n"
		"IO                 600   98.85% 99.77%   5.00us\n"
		"HLT                  7    1.15%  0.23%   1.00us\n"
		"\nTotal Samples:607, Total events handled time:3007.00us.\n\n"
		"Exits to userspace by VM and reason, as shares of the VM's:\n\n"
		"VM        USERSPACE-EXIT Samples Samples%  Time% Avg time\n"
		"web1-4711 IO                 600   98.85% 99.77%   5.00us\n"
		"web1-4711 HLT                  7    1.15%  0.23%   1.00us\n\n");
	assert_shown((const char *const[]){ "exit", "exit_total", "exit_latency", "vm_exit",
					    "vm_exit_total", "vcpu", "vcpu_thread",
					    "userspace_exit", "vm_userspace_exit", NULL });
}

/* Without sleep, vCPUs have no count: the number of their sleeping exits is unknown. */
static void test_all_views_without_sleep(void **state)
{
	(void)state;
	load(everything);
	assert_text(true,
		    "VM exits by reason, all VMs, without those that sleep:\n\n" WITHOUT_LATENCY
		    "io 609 67.00% 96.77% 4.17us 88.43us 99.00us 4.93us\n"
		    "npf 300 33.00% 3.23% - - 5.00us 0.33us\n\n"
		    "Total Samples:909, Total events handled time:3100.00us.\n\n"
		    "VM exits by VM, without those that sleep:\n\n"
		    "VM Samples Samples% Time% Avg time\n"
		    "web1-4711 609 67.00% 96.77% 4.93us\n"
		    "db-1 300 33.00% 3.23% 0.33us\n\n" VM_EXIT_SHARES
		    ", without those that sleep:\n\n"
		    "VM VM-EXIT Samples Samples% Time% Avg time\n"
		    "web1-4711 io 609 100.00% 100.00% 4.93us\n"
		    "db-1 npf 300 100.00% 100.00% 0.33us\n\n"
		    "VM exits by vCPU, without those that sleep:\n\n"
		    "VCPU Time% Exit time Guest time Run delay\n"
		    "web1-4711::vcpu0 96.77% 3000.00us 5000000.00us 12.35us\n"
		    "db-1::vcpu0 3.23% 100.00us 4000000.00us -\n\n"
		    "Exits to userspace by reason, all VMs, without those that sleep:\n\n"
		    "USERSPACE-EXIT Samples Samples% Time% Avg time\n"
		    "IO 600 100.00% 100.00% 5.00us\n\n"
		    "Total Samples:600, Total events handled time:3000.00us.\n\n"
		    "Exits to userspace by VM and reason, as shares of the VM's, "
		    "without those that sleep:\n\n"
		    "VM USERSPACE-EXIT Samples Samples% Time% Avg time\n"
		    "web1-4711 IO 600 100.00% 100.00% 5.00us\n\n");
}

/* A table that is absent or all 0 makes no view and is not in ret_shown. */
static void test_nothing_to_show(void **state)
{
	(void)state;
	snapshot_free(&snapshot);
	assert_views(false, "");
	assert_shown((const char *const[]){ NULL });
	load(MAGIC EXIT "row\t0\t\tio\t-\t0\t0\nrow\t1\t\thlt\t-\t-\t-\nrow\t2\t\tnpf\t-\t'1\t'2\n"
			"table\texit_total\ncolumn\ttotal\nrow\t0\t\t\t-\t1009\n" VM_EXIT_TOTAL
			"row\t0\tweb-1\t\t-\t0\n" VM_EXIT
			"table\tvcpu\nrow\t0\tweb-1::vcpu0\t\t-\n");
	assert_views(false, "");
	assert_shown((const char *const[]){ NULL });
	assert_views(true, "");
}

/* A table with sleeping exits only makes no view, but is in ret_shown. */
static void test_all_asleep(void **state)
{
	(void)state;
	load(MAGIC EXIT "row\t0\t\thlt\t-\t5\t5000\n");
	assert_views(true, "");
	assert_shown((const char *const[]){ "exit", NULL });
}

/* An absent time is not shown as 0; exits that have not ended have no average. */
static void test_absent_and_zero(void **state)
{
	(void)state;
	load(MAGIC "table\texit\ncolumn\tcount\nrow\t0\t\tio\t-\t3\nrow\t1\t\tnpf\t-\t5\n");
	assert_text(false, "VM exits by reason, all VMs:\n\n" WITHOUT_LATENCY
			   "npf 5 62.50% - - - - -\nio 3 37.50% - - - - -\n\n"
			   "Total Samples:8.\n\n");
	load(MAGIC EXIT
	     "row\t0\t\tio\t-\t3\t-\nrow\t1\t\tnpf\t-\t5\t10\nrow\t2\t\tmsr\t-\t1\t0\nrow\t3\t\tcpuid\t-\t-\t9\n"
	     "row\t4\t\tshutdown\t-\t1\t0\n"
	     "table\texit_latency\ncolumn\tlatency\nrow\t0\t\tnpf\t1-2\t-\n");
	assert_text(false, "VM exits by reason, all VMs:\n\n" WITHOUT_LATENCY
			   "npf 5 50.00% 52.63% - - - 0.00us\n"
			   "cpuid - - 47.37% - - - -\n"
			   "io 3 30.00% - - - - -\n"
			   "msr 1 10.00% 0.00% - - - -\n"
			   "shutdown 1 10.00% 0.00% - - - -\n\n"
			   "Total Samples:10, Total events handled time:0.02us.\n\n");
	load(MAGIC EXIT
	     "row\t0\t\tio\t-\t3\t0\nrow\t1\t\tnpf\t-\t'many\t0\nrow\t2\t\tmsr\t-\t1\t'long\n");
	assert_text(false, "VM exits by reason, all VMs:\n\n" WITHOUT_LATENCY
			   "io 3 75.00% - - - - -\nmsr 1 25.00% - - - - -\n\n"
			   "Total Samples:4, Total events handled time:0.00us.\n\n");
	load(MAGIC EXIT "row\t0\t\tio\t-\t'many\t100\n");
	assert_text(false, "VM exits by reason, all VMs:\n\n" WITHOUT_LATENCY
			   "io - - 100.00% - - - -\n\n");
	load(MAGIC
	     "table\tvcpu\ncolumn\texits\ncolumn\texit_time\ncolumn\thalt_time\n"
	     "row\t0\ta-1::vcpu0\t\t-\t4\t70\t90\nrow\t1\ta-1::vcpu1\t\t-\t4\t100\t-\nrow\t2\ta-1::vcpu2\t\t-\t4\t30\t10\n");
	assert_text(true, "VM exits by vCPU, without those that sleep:\n\n"
			  "VCPU Time% Exit time Guest time Run delay\n"
			  "a-1::vcpu2 100.00% 0.02us - -\n"
			  "a-1::vcpu0 0.00% 0.00us - -\n"
			  "a-1::vcpu1 - - - -\n\n");
}

/* A VM's count includes exits of unknown reason, except without sleep. */
static void test_totals_of_vms(void **state)
{
	static const char vms[] = "VM Samples Samples% Time% Avg time\n";
	char expected[1024];

	(void)state;
	load(MAGIC VM_EXIT_TOTAL
	     "row\t0\tb-2\t\t-\t1\nrow\t1\ta-1\t\t-\t3\nrow\t2\tc-3\t\t-\t-\nrow\t3\td-4\t\t-\t0\n");
	snprintf(expected, sizeof(expected),
		 "VM exits by VM:\n\n%sa-1 3 75.00%% - -\nb-2 1 25.00%% - -\n\n", vms);
	assert_text(false, expected);
	assert_shown((const char *const[]){ "vm_exit_total", NULL });
	assert_text(true, "");
	assert_shown((const char *const[]){ NULL });
	load(MAGIC VM_EXIT
	     "row\t0\ta-1\tio\t-\t3\t100\nrow\t1\tb-2\tio\t-\t1\t50\nrow\t2\ta-1\tnpf\t-\t4\t100\n" VM_EXIT_TOTAL
	     "row\t0\ta-1\t\t-\t8\nrow\t1\tc-3\t\t-\t1\n");
	snprintf(expected, sizeof(expected),
		 "VM exits by VM:\n\n%s"
		 "a-1 8 80.00%% 80.00%% 0.03us\n"
		 "b-2 1 10.00%% 20.00%% 0.05us\n"
		 "c-3 1 10.00%% - -\n\n"
		 "%s:\n\nVM VM-EXIT Samples Samples%% Time%% Avg time\n"
		 "a-1 npf 4 57.14%% 50.00%% 0.03us\n"
		 "a-1 io 3 42.86%% 50.00%% 0.03us\n"
		 "b-2 io 1 100.00%% 100.00%% 0.05us\n\n",
		 vms, VM_EXIT_SHARES);
	assert_text(false, expected);
}

/* Values near 2^64, whose sums overflow. */
static void test_huge_numbers(void **state)
{
	(void)state;
	load(MAGIC
	     "table\texit\n" COUNT_TIME "column\tmax\n"
	     "row\t0\t\tio\t-\t18446744073709551615\t18446744073709551615\t18446744073709551615\n"
	     "row\t1\t\tnpf\t-\t18446744073709551615\t18446744073709551614\t18446744073709551615\n"
	     "row\t2\t\tmsr\t-\t1\t18446744073709551613\t1\n"
	     "table\texit_latency\ncolumn\tlatency\n"
	     "row\t0\t\tio\t0-0\t18446744073709551615\n"
	     "row\t1\t\tio\t2147483648-18446744073709551615\t18446744073709551615\n"
	     "row\t2\t\tmsr\t2147483648-18446744073709551615\t3\n");
	assert_text(false,
		    "VM exits by reason, all VMs:\n\n" WITHOUT_LATENCY
		    "io 18446744073709551615 100.00% 100.00% 0.00us >2147483.65us "
		    "18446744073709551.62us 0.00us\n"
		    "npf 18446744073709551615 100.00% 100.00% - - 18446744073709551.62us 0.00us\n"
		    "msr 1 0.00% 100.00% >2147483.65us >2147483.65us 0.00us "
		    "18446744073709551.61us\n\n"
		    "Total Samples:18446744073709551615, "
		    "Total events handled time:18446744073709551.62us.\n\n");
}

/* VM and reason are separate, whatever characters they have; a bad row affects only itself. */
static void test_names(void **state)
{
	(void)state;
	load(MAGIC VM_EXIT
	     "row\t0\thlt-1\tDE excp\t-\t1\t30\nrow\t1\thlt-1\ta::b\t-\t1\t20\n"
	     "row\t2\thlt\t\t-\t1\t10\nrow\t3\t\tio\t-\t1\t9\nrow\t4\thlt:10\tio\t-\t2\t40\n"
	     "row\t5\t\t\t-\t1\t5\nrow\t6\tn\"%s\\-2\thlts\t-\t1\t3\nrow\t7\tn\"%s\\-2\thl\t-\t1\t2\n"
	     "row\t8\tn\"%s\\-2\thlt\t-\t1\t1\n");
	assert_text(true, "VM exits by VM, without those that sleep:\n\n"
			  "VM Samples Samples% Time% Avg time\n"
			  "hlt-1 2 22.22% 42.02% 0.03us\n"
			  "hlt:10 2 22.22% 33.61% 0.02us\n"
			  "2 22.22% 11.76% 0.01us\n"
			  "hlt 1 11.11% 8.40% 0.01us\n"
			  "n\"%s\\-2 2 22.22% 4.20% 0.00us\n\n" VM_EXIT_SHARES
			  ", without those that sleep:\n\n"
			  "VM VM-EXIT Samples Samples% Time% Avg time\n"
			  "hlt-1 DE excp 1 50.00% 60.00% 0.03us\n"
			  "hlt-1 a::b 1 50.00% 40.00% 0.02us\n"
			  "hlt:10 io 2 100.00% 100.00% 0.02us\n"
			  "io 1 50.00% 64.29% 0.01us\n"
			  "1 50.00% 35.71% 0.01us\n"
			  "hlt 1 100.00% 100.00% 0.01us\n"
			  "n\"%s\\-2 hlts 1 50.00% 60.00% 0.00us\n"
			  "n\"%s\\-2 hl 1 50.00% 40.00% 0.00us\n\n");
}

/* The reasons in which a vCPU sleeps, among all reasons of all processors. */
static void test_reasons_that_sleep(void **state)
{
	char *text = NULL, *words;
	char slept[256] = "";
	size_t size, n;
	FILE *file;

	(void)state;
	for (enum reasons_isa isa = 0; isa < REASONS_ISAS; isa++) {
		const struct reason *list = reasons_list(isa, &n);

		file = open_memstream(&text, &size);
		assert_non_null(file);
		fputs(MAGIC EXIT "row\t0\t\tone\t-\t1\t1\n", file);
		for (size_t i = 0; i < n; i++)
			fprintf(file, "row\t%zu\t\t%s\t-\t1\t1\n", i + 1, list[i].name);
		fclose(file);
		load(text);
		free(text);
		words = views(true);
		for (size_t i = 0; i < n; i++) {
			char line[64];

			snprintf(line, sizeof(line), "\n%s ", list[i].name);
			if (!strstr(words, line))
				strcat(strcat(slept, list[i].name), " ");
		}
		free(words);
	}
	assert_string_equal(slept, "HLT hlt idle-halt vmgexit_ap_hlt_loop WFx HLT AP_RESET_HOLD ");
}

static void test_writing_that_fails(void **state)
{
	(void)state;
	load(everything);
	untouched_fill(shown, sizeof(shown));
	for (size_t room = 0; room < 1500; room += 17) {
		FILE *file = open_failing_writer(room, ENOSPC);

		assert_int_equal(exit_report_print(&snapshot, &plain, file, shown), -ENOSPC);
		fclose(file);
		file = open_failing_writer(room, ENOSPC);
		setvbuf(file, NULL, _IONBF, 0);
		assert_true(exit_report_print(&snapshot, &plain, file, shown) < 0);
		fclose(file);
	}
	assert_untouched(shown, sizeof(shown));
}

static void test_no_memory(void **state)
{
	FILE *file = open_failing_writer(SIZE_MAX, EIO);
	unsigned n;

	(void)state;
	load(everything);
	for (n = 0;; n++) {
		int err;

		untouched_fill(shown, sizeof(shown));
		alloc_fail_at(n);
		err = exit_report_print(&snapshot, &plain, file, shown);
		if (!alloc_failed())
			break;
		assert_int_equal(err, -ENOMEM);
		assert_untouched(shown, sizeof(shown));
	}
	assert_true(n > 150);
	fclose(file);
}

#define report_test(test) cmocka_unit_test_teardown(test, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		report_test(test_all_views),	      report_test(test_all_views_without_sleep),
		report_test(test_nothing_to_show),    report_test(test_all_asleep),
		report_test(test_absent_and_zero),    report_test(test_totals_of_vms),
		report_test(test_huge_numbers),	      report_test(test_names),
		report_test(test_reasons_that_sleep), report_test(test_writing_that_fails),
		report_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
