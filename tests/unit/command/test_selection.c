// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Which rows are kept of a snapshot, and how exits are reduced to slow ones. */
#include "fakes/support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command/selection.h"
#include "command/slower.h"

#define VM1 "\"vm\":\"one\",\"pid\":1"
#define VM2 "\"vm\":\"two\",\"pid\":22"

static const char everything[] =
	"pmdakvm-snapshot\t2\n"
	"table\texit\ncolumn\tcount\ncolumn\ttime\ncolumn\tmax\n"
	"row\t1\t\thlt\t-\t9\t900\t500\nlabels\t{\"reason\":\"hlt\"}\n"
	"row\t2\t\tio\t-\t7\t70\t40\nlabels\t{\"reason\":\"io\"}\n"
	"table\texit_latency\ncolumn\tlatency\n"
	"row\t1\t\thlt\t256-511\t9\nlabels\t{\"reason\":\"hlt\",\"bucket\":\"256-511\"}\n"
	"row\t2\t\tio\t8-15\t4\nlabels\t{\"reason\":\"io\",\"bucket\":\"8-15\"}\n"
	"row\t3\t\tio\t16-31\t2\nlabels\t{\"reason\":\"io\",\"bucket\":\"16-31\"}\n"
	"row\t4\t\tio\t32-63\t1\nlabels\t{\"reason\":\"io\",\"bucket\":\"32-63\"}\n"
	"table\tvm_exit\ncolumn\tcount\ncolumn\ttime\n"
	"row\t1\tone-1\tio\t-\t3\t30\nlabels\t{" VM1 ",\"reason\":\"io\"}\n"
	"row\t2\ttwo-22\tio\t-\t4\t40\nlabels\t{" VM2 ",\"reason\":\"io\"}\n"
	"row\t3\ttwo-22.2\tEPT_VIOLATION\t-\t5\t50\n"
	"labels\t{" VM2 ",\"reason\":\"EPT_VIOLATION\"}\n"
	"table\tvm_exit_latency\ncolumn\tlatency\n"
	"row\t1\tone-1\tio\t16-31\t3\nlabels\t{" VM1 ",\"reason\":\"io\"}\n"
	"row\t2\ttwo-22\tio\t8-15\t4\nlabels\t{" VM2 ",\"reason\":\"io\"}\n"
	"table\tvcpu\ncolumn\texits\n"
	"row\t1\tone-1::vcpu0\t\t-\t1\nlabels\t{" VM1 ",\"vcpu\":0}\n"
	"row\t2\tone-1::vcpu12\t\t-\t2\nlabels\t{" VM1 ",\"vcpu\":12}\n"
	"table\tvcpu_exit\ncolumn\tcount\n"
	"row\t1\tone-1::vcpu0\tio\t-\t6\nlabels\t{" VM1 ",\"vcpu\":0,\"reason\":\"io\"}\n"
	"row\t2\tone-1::vcpu1\tio\t-\t7\nlabels\t{" VM1 ",\"vcpu\":1,\"reason\":\"io\"}\n"
	"table\tvcpu_thread\ncolumn\trun_delay\ncolumn\ttid\n"
	"row\t1\tone-1::vcpu0\t\t-\t13\t11\nlabels\t{" VM1 ",\"vcpu\":0}\n"
	"row\t2\tone-1::vcpu1\t\t-\t14\t13\nlabels\t{" VM1 ",\"vcpu\":1}\n"
	"row\t3\tone-1::vcpu12\t\t-\t15\t-\nlabels\t{" VM1 ",\"vcpu\":12}\n"
	"table\tcause\ncolumn\ttime\n"
	"row\t1\t\tio:0x3f8:w\t-\t7\nlabels\t{\"cause\":\"io:0x3f8:w\"}\n"
	"table\ttrace\ncolumn\tkvm_exit\ncolumn\tkvm_pio\n"
	"row\t0\tcpu0\t\t-\t16\t7\nlabels\t{\"cpu\":0}\n"
	"table\tevent\ncolumn\tattached\n"
	"row\t0\t\tkvm_pio\t-\t1\nlabels\t{\"event\":\"kvm_pio\"}\n"
	"row\t1\t\tkvm_exit\t-\t1\nlabels\t{\"event\":\"kvm_exit\"}\n";

static struct snapshot snapshot;
static struct selection selection;

static int setup(void **state)
{
	unsigned line;

	(void)state;
	return snapshot_bytes_load(everything, strlen(everything), &snapshot, &line) ||
	       selection_init(&selection, 10);
}

static int teardown(void **state)
{
	(void)state;
	snapshot_free(&snapshot);
	selection_free(&selection);
	return 0;
}

/* The names of all rows, by table: "exit: hlt io; ..." of those that have any. */
static char *rows_left(void)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	assert_non_null(file);
	for (size_t i = 0; i < snapshot.ntables; i++) {
		const struct snapshot_table *table = snapshot.tables[i];

		if (table->nrows)
			fprintf(file, "%s:", table->name);
		for (size_t row = 0; row < table->nrows; row++)
			fprintf(file, " %s%s", table->rows[row].name,
				row + 1 < table->nrows ? "" : "; ");
	}
	fclose(file);
	return text;
}

static void assert_left(const char *wanted)
{
	char *left = rows_left();

	assert_string_equal(left, wanted);
	free(left);
}

static void add(enum selection_by by, const char *pattern)
{
	assert_int_equal(selection_add(&selection, by, pattern), 0);
}

static void test_by_vm(void **state)
{
	(void)state;
	add(BY_VM, "one");
	assert_int_equal(selection_apply(&selection, &snapshot), 0);
	assert_left("vm_exit: one-1::io; vm_exit_latency: one-1::io::16-31; "
		    "vcpu: one-1::vcpu0 one-1::vcpu12; "
		    "vcpu_exit: one-1::vcpu0::io one-1::vcpu1::io; "
		    "vcpu_thread: one-1::vcpu0 one-1::vcpu1 one-1::vcpu12; ");
}

/* The instance tells VMs of one process apart. */
static void test_by_instance(void **state)
{
	(void)state;
	add(BY_VM, "two-22.2");
	add(BY_VM, "none");
	assert_int_equal(selection_apply(&selection, &snapshot), 0);
	assert_left("vm_exit: two-22.2::EPT_VIOLATION; ");
}

static void test_by_pid_and_reason(void **state)
{
	(void)state;
	add(BY_PID, "2-21,22");
	add(BY_REASON, "IO");
	assert_int_equal(selection_apply(&selection, &snapshot), 0);
	assert_left("vm_exit: two-22::io; vm_exit_latency: two-22::io::8-15; ");
}

static void test_by_vcpu(void **state)
{
	(void)state;
	add(BY_VCPU, "1,10-12");
	assert_int_equal(selection_apply(&selection, &snapshot), 0);
	assert_left("vcpu: one-1::vcpu12; vcpu_exit: one-1::vcpu1::io; "
		    "vcpu_thread: one-1::vcpu1 one-1::vcpu12; ");
}

/* One table has the threads; the rows of their vCPUs are kept in all, and no others. */
static void test_by_thread(void **state)
{
	(void)state;
	add(BY_TID, "13-14,22");
	assert_int_equal(selection_apply(&selection, &snapshot), 0);
	assert_left("vcpu_exit: one-1::vcpu1::io; vcpu_thread: one-1::vcpu1; ");
}

static void test_by_threads_and_vcpu(void **state)
{
	(void)state;
	add(BY_TID, "11");
	add(BY_TID, "13");
	add(BY_VCPU, "0");
	assert_int_equal(selection_apply(&selection, &snapshot), 0);
	assert_left("vcpu: one-1::vcpu0; vcpu_exit: one-1::vcpu0::io; vcpu_thread: one-1::vcpu0; ");
}

static void test_by_cause(void **state)
{
	(void)state;
	add(BY_CAUSE, "io:*");
	assert_int_equal(selection_apply(&selection, &snapshot), 0);
	assert_left("cause: io:0x3f8:w; ");
}

/* Events have rows, and columns in the table of counts. */
static void test_by_event(void **state)
{
	const struct snapshot_table *trace = snapshot_find_table(&snapshot, "trace");

	(void)state;
	assert_false(selection_is_of_vms(&selection));
	add(BY_EVENT, "kvm_p*");
	assert_false(selection_is_of_vms(&selection));
	assert_int_equal(selection_apply(&selection, &snapshot), 0);
	assert_left("trace: cpu0; event: kvm_pio; ");
	assert_false(snapshot_table_cell(trace, 0, 0)->present);
	assert_true(snapshot_table_cell(trace, 0, 1)->present);
}

static void test_nothing_is_selected(void **state)
{
	char *before = rows_left();

	(void)state;
	assert_int_equal(selection_apply(&selection, &snapshot), 0);
	assert_left(before);
	free(before);
}

static void test_bad_patterns(void **state)
{
	static const char *const bad[] = { "",
					   "x",
					   "-1",
					   "1-",
					   "1-x",
					   "2-1",
					   "1,",
					   ",1",
					   "1,,2",
					   "1 ",
					   "0x1",
					   "1.5",
					   "18446744073709551616" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(selection_add(&selection, BY_VCPU, bad[i]), -EINVAL);
		assert_int_equal(selection_add(&selection, BY_PID, bad[i]), -EINVAL);
		assert_int_equal(selection_add(&selection, BY_TID, bad[i]), -EINVAL);
	}
	assert_int_equal(selection_add(&selection, BY_VM, ""), -EINVAL);
	assert_false(selection_is_of_vms(&selection));
}

/* A reason that is known to KVM is no mistake; all else has to be in the snapshot. */
static void test_unknown(void **state)
{
	static const struct {
		enum selection_by by;
		const char *pattern;
		bool unknown;
	} cases[] = {
		{ BY_VM, "one", false },
		{ BY_VM, "o*-1", false },
		{ BY_VM, "One", true },
		{ BY_PID, "22", false },
		{ BY_PID, "2", true },
		{ BY_TID, "11", false },
		{ BY_TID, "12", true },
		{ BY_VCPU, "0-3", false },
		{ BY_VCPU, "2-3", true },
		{ BY_REASON, "ept_*", false },
		{ BY_REASON, "cpuid", false },
		{ BY_REASON, "mmio", false },
		{ BY_REASON, "cpuids", true },
		{ BY_CAUSE, "io:0x3f8:*", false },
		{ BY_CAUSE, "io:0x3f9:*", true },
		{ BY_EVENT, "kvm_exit", false },
		{ BY_EVENT, "kvm_msr", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		selection_free(&selection);
		assert_int_equal(selection_init(&selection, 1), 0);
		add(cases[i].by, cases[i].pattern);
		assert_int_equal(selection_unknown(&selection, &snapshot), cases[i].unknown);
	}
}

static uint64_t number(const char *table, size_t row, size_t column)
{
	const struct snapshot_cell *cell =
		snapshot_table_cell(snapshot_find_table(&snapshot, table), row, column);

	assert_true(cell->present);
	return cell->number;
}

static bool is_present(const char *table, size_t row, size_t column)
{
	return snapshot_table_cell(snapshot_find_table(&snapshot, table), row, column)->present;
}

static void test_slower_bound(void **state)
{
	(void)state;
	assert_int_equal(slower_bound(1), 1);
	assert_int_equal(slower_bound(16), 16);
	assert_int_equal(slower_bound(17), 32);
	assert_int_equal(slower_bound(100000), 131072);
	assert_int_equal(slower_bound(UINT64_MAX), UINT64_C(1) << 63);
}

static void test_slower(void **state)
{
	(void)state;
	slower_apply(16, &snapshot);
	assert_left("exit: io; exit_latency: io::16-31 io::32-63; vm_exit: one-1::io; "
		    "vm_exit_latency: one-1::io::16-31; ");
	assert_int_equal(number("exit", 0, 0), 3);
	assert_false(is_present("exit", 0, 1)); /* which part of the time it was is not known */
	assert_int_equal(number("exit", 0, 2), 40);
	assert_int_equal(number("vm_exit", 0, 0), 3);
	slower_apply(32, &snapshot);
	assert_left("exit: io; exit_latency: io::32-63; ");
	assert_int_equal(number("exit", 0, 0), 1);
	slower_apply(64, &snapshot);
	assert_left("");
}

/* A maximum of a later epoch can be below the bound, and is not of these exits. */
static void test_slower_than_the_maximum(void **state)
{
	snapshot_cell_set(snapshot_table_cell(snapshot_find_table(&snapshot, "exit"), 1, 2), 31);
	(void)state;
	slower_apply(32, &snapshot);
	assert_int_equal(number("exit", 0, 0), 1);
	assert_false(is_present("exit", 0, 2));
}

#define selection_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		selection_test(test_by_vm),
		selection_test(test_by_instance),
		selection_test(test_by_pid_and_reason),
		selection_test(test_by_vcpu),
		selection_test(test_by_thread),
		selection_test(test_by_threads_and_vcpu),
		selection_test(test_by_cause),
		selection_test(test_by_event),
		selection_test(test_nothing_is_selected),
		selection_test(test_bad_patterns),
		selection_test(test_unknown),
		selection_test(test_slower_bound),
		selection_test(test_slower),
		selection_test(test_slower_than_the_maximum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
