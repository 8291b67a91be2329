// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Causes by VM and for the host: sums, the limit of a VM's keys, records that retire. */
#include "fakes/fake_causes.h"
#include "fakes/support.h"

#include <string.h>

#include "families/cause/cause_totals.h"

#define PORT(n) CAUSE_KEY(CAUSE_PIO, 1, n)

static struct fake_causes memory;
static struct cause_sums sums;
static struct vcpu_counters counters;
static struct record_use uses[FAKE_CAUSE_RECORDS];
static struct vm_counters records = { .counters = &counters, .uses = uses, .nuses = 4 };
static struct cause_row rows[2];
static struct cause_totals totals;
static struct vm web = { .id = 7 }, db = { .id = 9 };
static struct vm *list[] = { &web, &db };
static struct vms vms;

/* ns */
static uint64_t now = 1;

uint64_t __wrap_clock_ns(void);
uint64_t __wrap_clock_ns(void)
{
	return now;
}

static int setup(void **state)
{
	(void)state;
	memset(&memory, 0, sizeof(memory));
	memset(uses, 0, sizeof(uses));
	memset(rows, 0, sizeof(rows));
	vms = (struct vms){ .list = list, .n = 2 };
	fake_causes_open(&memory, &sums);
	counters = (struct vcpu_counters){ .records = *fake_causes_pool(&memory) };
	totals = (struct cause_totals){
		.sums = &sums, .records = &records, .rows = rows, .nrows = 2, .vm_keys = 3
	};
	for (unsigned i = 1; i < FAKE_CAUSE_RECORDS; i++)
		memory.records[i].head.start = i;
	uses[1].vm = uses[2].vm = 7;
	uses[3].vm = 9;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	cause_totals_free(&totals);
	cause_sums_free(&sums);
	return 0;
}

static void start(unsigned record, unsigned slot, uint64_t key, uint64_t count)
{
	fake_causes_start(&memory.records[record], slot, key);
	fake_causes_count(&memory.records[record], slot, count);
}

static void read_all(void)
{
	assert_int_equal(cause_totals_read(&totals, &vms), 0);
}

static void assert_total(uint32_t vm, uint64_t key, uint64_t n)
{
	const struct cause_total *total = cause_totals_find(&totals, vm, key);

	assert_non_null(total);
	assert_int_equal(total->vm, vm);
	assert_causes(total->counts, n);
}

static void test_sums(void **state)
{
	const struct cause_total *first;
	size_t n;

	(void)state;
	start(1, 5, PORT(2), 10);
	start(2, 5, PORT(2), 3);
	start(2, 6, PORT(1), 1);
	start(3, 5, PORT(2), 100);
	memory.records[3].none.count = 4;
	rows[1].counts.accesses = 6;
	read_all();
	assert_true(totals.grown && totals.exits && totals.trips);
	assert_total(7, PORT(2), 13);
	assert_total(7, PORT(1), 1);
	assert_total(9, PORT(2), 100);
	assert_total(0, PORT(2), 113);
	assert_int_equal(cause_totals_find(&totals, 9, CAUSE_NONE)->counts.count, 4);
	assert_int_equal(cause_totals_find(&totals, 0, CAUSE_OTHER)->counts.accesses, 6);
	assert_null(cause_totals_find(&totals, 9, PORT(1)));
	/* none, two ports, other */
	first = cause_totals_of(&totals, 7, &n);
	assert_int_equal(n, 4);
	assert_int_equal(first[0].key, CAUSE_NONE);
	assert_int_equal(first[1].key, PORT(1));
	assert_int_equal(first[3].key, CAUSE_OTHER);
	totals.grown = false;
	read_all();
	assert_false(totals.grown);
	assert_null(cause_totals_of(&totals, 8, &n));
	assert_int_equal(n, 0);
}

/* Each of a VM's vCPUs may have the VM's keys; no vCPU a fourth one. */
static void test_limit(void **state)
{
	(void)state;
	start(1, 1, PORT(1), 1);
	start(1, 2, PORT(2), 2);
	read_all();
	start(2, 1, PORT(3), 3);
	start(2, 2, PORT(4), 4);
	start(2, 5, PORT(1), 5);
	start(3, 1, PORT(4), 6);
	read_all();
	assert_total(7, PORT(1), 6);
	assert_total(7, PORT(2), 2);
	assert_total(7, PORT(3), 3);
	assert_null(cause_totals_find(&totals, 7, PORT(4)));
	assert_total(7, CAUSE_OTHER, 4);
	assert_total(9, PORT(4), 6);
	assert_total(0, PORT(4), 6);
	assert_total(0, CAUSE_OTHER, 4);
}

/* A VM keeps what its retired records had, while it runs; the host keeps it for good. */
static void test_retire(void **state)
{
	(void)state;
	start(1, 1, PORT(1), 10);
	start(2, 1, PORT(1), 3);
	read_all();
	assert_int_equal(cause_totals_retire(&totals, 1), 0);
	memory.records[1].head.start = 0;
	uses[1].vm = 0;
	for (unsigned i = 0; i < 2; i++) {
		read_all();
		assert_total(7, PORT(1), 13);
		assert_total(0, PORT(1), 13);
	}
	/* its number is another thread's, of another VM */
	memory.records[1].head.start = 17;
	uses[1].vm = 9;
	start(1, 1, PORT(1), 2);
	read_all();
	assert_total(7, PORT(1), 13);
	assert_total(9, PORT(1), 2);
	assert_total(0, PORT(1), 15);
	vms.list = list + 1;
	vms.n = 1;
	uses[2].vm = 0;
	read_all();
	assert_null(cause_totals_find(&totals, 7, PORT(1)));
	assert_total(0, PORT(1), 15);
}

/* As many keys as before, of another VM; then of none. */
static void test_others(void **state)
{
	(void)state;
	memory.records[2].head.start = memory.records[3].head.start = 0;
	start(1, 5, PORT(2), 10);
	read_all();
	totals.grown = false;
	read_all();
	assert_false(totals.grown);
	uses[1].vm = 9;
	read_all();
	assert_true(totals.grown);
	assert_null(cause_totals_find(&totals, 7, PORT(2)));
	assert_total(9, PORT(2), 10);
	assert_total(0, PORT(2), 10);
	totals.grown = false;
	uses[1].vm = 0;
	read_all();
	assert_true(totals.grown);
	assert_int_equal(totals.vms.n, 0);
	assert_total(0, PORT(2), 10);
}

/* A tick right after a fetch need not read again; the next one does, and one without a fetch. */
static void test_fresh(void **state)
{
	(void)state;
	read_all();
	assert_false(cause_totals_fresh(&totals));
	cause_totals_fetched(&totals);
	now += 99999999;
	assert_true(cause_totals_fresh(&totals));
	assert_false(cause_totals_fresh(&totals));
	cause_totals_fetched(&totals);
	now += 100000000;
	assert_false(cause_totals_fresh(&totals));
}

/* Of an unknown VM: at most as many keys of a record. */
static void test_unknown_vm(void **state)
{
	(void)state;
	uses[1].vm = 0;
	for (unsigned i = 0; i < 5; i++)
		start(1, i, PORT(i), 1);
	read_all();
	assert_int_equal(cause_sums_of(&sums, 1), 3);
	assert_total(0, CAUSE_OTHER, 2);
}

int main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		test(test_sums),   test(test_limit), test(test_retire),
		test(test_others), test(test_fresh), test(test_unknown_vm),
	};

	return cmocka_run_group_tests_name("cause_totals", tests, NULL, NULL);
}
