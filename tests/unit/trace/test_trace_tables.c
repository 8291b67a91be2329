// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Tables of the trace family. */
#include "fakes/fake_trace_kernel.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Slots are item numbers, rows are CPUs; the order of columns is that of the configuration. */
static void test_counts(void **state)
{
	const struct snapshot_table *table;

	(void)state;
	kernel.rows[0].count[1] = 13;
	open_and_attach("kvm_pio kvm_exit");
	kernel.rows[0].count[141] = 5;
	kernel.rows[1].count[1] = 1000; /* a CPU that is not present */
	kernel.rows[2].count[1] = UINT64_MAX;
	kernel.rows[2].count[2] = 1000; /* an event that is not configured */
	assert_table("trace", "kvm_pio kvm_exit", "0 cpu0 5 13\n2 cpu2 0 18446744073709551615\n");
	table = snapshot_find_table(&snapshot, "trace");
	assert_int_equal(table->rows[1].own->n, 1);
	assert_string_equal(table->rows[1].own->list[0].key, "cpu");
	assert_int_equal(table->rows[1].own->list[0].number, 2);
	present[1] = present[3] = true;
	kernel.rows[3].count[1] = 7;
	assert_table("trace", "kvm_pio kvm_exit",
		     "0 cpu0 5 13\n1 cpu1 0 1000\n2 cpu2 0 18446744073709551615\n3 cpu3 0 7\n");
}

/* Events that appear later get columns behind the others. */
static void test_columns_that_are_new(void **state)
{
	(void)state;
	events.n = 2;
	open_and_attach("kvm_p* kvm_exit");
	assert_table("trace", "kvm_exit", "0 cpu0 0\n2 cpu2 0\n");
	events.n = 3;
	attach(0);
	kernel.rows[2].count[141] = 5;
	assert_table("trace", "kvm_exit kvm_pio", "0 cpu0 0 0\n2 cpu2 0 5\n");
	assert_table("trace", "kvm_exit kvm_pio", "0 cpu0 0 0\n2 cpu2 0 5\n");
}

/* An event that was never attached has no count, unless an earlier agent has counted it. */
static void test_events_that_are_not_counted(void **state)
{
	(void)state;
	kernel.fails = "kvm_pio";
	kernel.attach_err = -EPERM;
	open_and_attach("kvm_pio kvm_exit nonsense");
	assert_table("trace", "kvm_pio kvm_exit", "0 cpu0 - 0\n2 cpu2 - 0\n");
	trace_family.close(trace);
	snapshot_free(&snapshot);
	kernel.rows[3].count[141] = 1;
	open_and_attach("");
	assert_table("trace", "kvm_pio kvm_exit", "0 cpu0 0 0\n2 cpu2 0 0\n");
}

/* Counts stay when the family is detached. */
static void test_detached(void **state)
{
	(void)state;
	open_and_attach("kvm_exit");
	kernel.rows[0].count[1] = 13;
	trace_family.detach(trace);
	assert_table("trace", "kvm_exit", "0 cpu0 13\n2 cpu2 0\n");
	assert_table("event", "attached status", "1 kvm_exit 0 detached\n");
}

/* Another family's program counts an event for as long as it is attached, and both are. */
static void test_shared_events(void **state)
{
	__u32 slot = 9, other = 9;

	(void)state;
	open_trace("kvm_exit kvm_pio", 0);
	assert_int_equal(shared.fd, kernel.map_fd);
	event_rows_offer(&shared, &(struct event_source){ "kvm_exit", &slot, 77 });
	event_rows_offer(&shared, &(struct event_source){ "kvm_entry", &other, 78 });
	assert_int_equal(slot, 0);
	attach(0);
	assert_int_equal(kernel.opens, 1); /* of kvm_pio */
	assert_int_equal(slot, 1);
	assert_int_equal(other, 0); /* it is not configured */
	trace_family.detach(trace);
	assert_int_equal(slot, 0);
	attach(0);
	assert_int_equal(slot, 1);
	assert_int_equal(kernel.opens, 2);
	event_rows_withdraw(&shared, "kvm_exit");
	assert_int_equal(slot, 0);
	assert_int_equal(kernel.opens, 3);
	event_rows_offer(&shared, &(struct event_source){ "kvm_exit", &slot, 77 });
	assert_int_equal(slot, 1);
	assert_int_equal(kernel.opens, 3);
	trace_family.detach(trace);
	event_rows_withdraw(&shared, "kvm_exit"); /* while detached */
	assert_int_equal(kernel.opens, 3);
	attach(0);
	assert_int_equal(kernel.opens, 5);
}

/* In the order of kvm.conf; numbers are item numbers, or by name. */
static void test_events(void **state)
{
	const struct snapshot_table *table;

	(void)state;
	kernel.fails = "kvm_entry";
	kernel.attach_err = -EPERM;
	open_and_attach("kvm_pio made_up nonsense kvm_e*");
	assert_table("event", "attached status",
		     "141 kvm_pio 1 attached\n"
		     "1073741824 made_up 1 attached\n"
		     "1073741824 nonsense 0 no such event in this kernel\n"
		     "2 kvm_entry 0 Operation not permitted\n"
		     "1 kvm_exit 1 attached\n");
	table = snapshot_find_table(&snapshot, "event");
	for (size_t i = 0; i < table->nrows; i++) {
		assert_int_equal(table->rows[i].own->n, 1);
		assert_string_equal(table->rows[i].own->list[0].key, "event");
		assert_string_equal(table->rows[i].own->list[0].text, table->rows[i].name);
	}
	assert_table("trace_events", "count", "0  5\n");
}

/* Runs that the kernel skipped: of an event that has a program, and of all. */
static void test_missed(void **state)
{
	uint64_t missed = 0;

	(void)state;
	open_trace("kvm_pio nonsense kvm_exit", 0);
	assert_table("event_missed", "missed", "");
	assert_int_equal(trace_family.missed(trace, &missed), -ENODATA);
	attach(0); /* the programs have missed none */
	kernel.misses = 7;
	assert_table("event_missed", "missed",
		     "141 kvm_pio 7\n1073741824 nonsense -\n1 kvm_exit 7\n");
	assert_int_equal(trace_family.missed(trace, &missed), 0);
	assert_int_equal(missed, 14);
}

/* Without its object the family lists its events, with the error, and has no counts. */
static void test_not_loaded(void **state)
{
	(void)state;
	kernel.load_err = -EPERM;
	open_trace("kvm_pio kvm_exit", -EPERM);
	assert_table("trace", "kvm_pio kvm_exit", "0 cpu0 - -\n2 cpu2 - -\n");
	assert_table("event", "attached status",
		     "141 kvm_pio 0 Operation not permitted\n"
		     "1 kvm_exit 0 Operation not permitted\n");
	assert_table("event_missed", "missed", "141 kvm_pio -\n1 kvm_exit -\n");
	assert_table("trace_events", "count", "0  2\n");
	assert_int_equal(trace_family.generation(trace), 0);
}

static void test_no_events(void **state)
{
	(void)state;
	open_trace("", -ENODATA);
	assert_table("trace", "", "0 cpu0\n2 cpu2\n");
	assert_table("event", "attached status", "");
	assert_table("trace_events", "count", "0  0\n");
	assert_int_equal(kernel.closes, 0);
	trace_family.close(trace);
	trace = NULL;
}

static void test_closing(void **state)
{
	(void)state;
	trace_family.close(NULL);
	open_and_attach("kvm_exit");
	trace_family.close(trace);
	trace = NULL;
	assert_int_equal(kernel.closes, 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		trace_test(test_counts),
		trace_test(test_columns_that_are_new),
		trace_test(test_events_that_are_not_counted),
		trace_test(test_detached),
		trace_test(test_shared_events),
		trace_test(test_events),
		trace_test(test_missed),
		trace_test(test_not_loaded),
		trace_test(test_no_events),
		trace_test(test_closing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
