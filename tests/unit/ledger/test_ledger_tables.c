// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Ledgers by vCPU, VM and host: sums, what is open, what has no value, ledgers that retire. */
#include "fakes/fake_ledgers.h"
#include "fakes/support.h"

#include <string.h>

#include "families/ledger/ledger.h"

/* ids in the register */
enum { WEB = 7, DB = 9, WEB_0 = 70, WEB_1 = 71, DB_0 = 90 };

static struct fake_ledgers memory;
static struct vcpu_counters counters;
static struct record_use uses[FAKE_LEDGERS];
static struct ledger ledger;
static struct vcpu web_vcpus[] = { { .id = WEB_0 }, { .id = WEB_1 } },
		   db_vcpus[] = { { .id = DB_0 } };
static struct vm web = { .id = WEB, .vcpus = web_vcpus, .nvcpus = 2 };
static struct vm db = { .id = DB, .vcpus = db_vcpus, .nvcpus = 1 };
static struct vm *list[] = { &web, &db };
static struct vms vms;

static int setup(void **state)
{
	(void)state;
	memset(&memory, 0, sizeof(memory));
	vms = (struct vms){ .list = list, .n = 2 };
	counters = (struct vcpu_counters){ .records = *fake_ledgers_pool(&memory) };
	ledger = (struct ledger){
		.family.records = { .counters = &counters, .uses = uses, .nuses = FAKE_LEDGERS },
		.ended = &memory.ended,
		.exits = true,
		.names_vcpus = true,
		.has_ready = true,
		.has_polls = true,
	};
	ledger.totals = (struct ledger_totals){ .records = &ledger.family.records,
						.ended = &memory.ended };
	uses[1] = (struct record_use){ .vm = WEB, .vcpu = WEB_0 };
	uses[2] = (struct record_use){ .vm = WEB, .vcpu = WEB_1 };
	uses[3] = (struct record_use){ .vm = DB, .vcpu = DB_0 };
	uses[4] = (struct record_use){ .vm = 0 };
	for (unsigned i = 1; i < FAKE_LEDGERS; i++) {
		memory.records[i].head.start = i;
		fake_ledger_begin(&memory.records[i], 1000, LEDGER_GUEST);
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ledger_totals_free(&ledger.totals);
	return 0;
}

static void read_at(uint64_t now)
{
	assert_int_equal(ledger_totals_read(&ledger.totals, &vms, FAKE_FLAG, now), 0);
	ledger.has_read = true;
}

/* --- rows --- */

#define COLUMNS_MAX 16

static const struct table *table_of(const char *name)
{
	for (size_t i = 0; i < LEDGER_TABLES; i++) {
		if (strcmp(ledger_tables[i].name, name) == 0)
			return &ledger_tables[i];
	}
	fail();
	return NULL;
}

static size_t column_of(const struct table *table, const char *name)
{
	for (size_t i = 0; table->columns[i]; i++) {
		if (strcmp(table->columns[i], name) == 0)
			return i;
	}
	fail_msg("%s has no column %s", table->name, name);
	return 0;
}

/* A value; false: none. */
static bool value_of(const char *name, const struct vm *vm, const struct vcpu *vcpu,
		     const char *column, uint64_t *ret_value)
{
	const struct table *table = table_of(name);
	struct snapshot_cell cells[COLUMNS_MAX] = { { .present = false } };
	const struct owner owner = { .vm = vm, .vcpu = vcpu };
	const struct table_row row = { .table = table, .owner = &owner, .cells = cells };
	const struct snapshot_cell *cell = &cells[column_of(table, column)];

	assert_true(table->begin(&ledger));
	assert_int_equal(table->fill(&ledger, &row), 0);
	*ret_value = cell->number;
	return cell->present;
}

static void assert_value(const char *table, const struct vm *vm, const struct vcpu *vcpu,
			 const char *column, uint64_t wanted)
{
	uint64_t value;

	if (!value_of(table, vm, vcpu, column, &value))
		fail_msg("%s: no value of %s", table, column);
	assert_int_equal(value, wanted);
}

static void assert_none(const char *table, const struct vm *vm, const struct vcpu *vcpu,
			const char *column)
{
	uint64_t value;

	if (value_of(table, vm, vcpu, column, &value))
		fail_msg("%s: %s has a value", table, column);
}

#define vm_is(vm, column, wanted)     assert_value("vm_time", vm, NULL, column, wanted)
#define vcpu_is(vcpu, column, wanted) assert_value("vcpu_time", &web, vcpu, column, wanted)
#define host_is(column, wanted)	      assert_value("time", NULL, NULL, column, wanted)

static void test_sums(void **state)
{
	(void)state;
	fake_ledger_edge(&memory.records[1], 1300, LEDGER_KVM);
	fake_ledger_edge(&memory.records[2], 1400, LEDGER_VMM);
	fake_ledger_edge(&memory.records[2], 1500, LEDGER_GUEST);
	fake_ledger_edge(&memory.records[3], 1001, LEDGER_KVM);
	fake_ledger_edge(&memory.records[4], 5000, LEDGER_KVM);
	memory.ended.time[LEDGER_HALTED] = 10000;
	read_at(1600);
	vcpu_is(&web_vcpus[0], "guest", 300);
	vcpu_is(&web_vcpus[0], "total", 300);
	vcpu_is(&web_vcpus[1], "vmm", 100);
	vcpu_is(&web_vcpus[1], "total", 500);
	vm_is(&web, "guest", 700);
	vm_is(&web, "vmm", 100);
	vm_is(&web, "poll", 0);
	vm_is(&web, "total", 800);
	vm_is(&db, "total", 1);
	/* the host has vCPUs that nobody knows, and those of before */
	host_is("guest", 4701);
	host_is("halted", 10000);
	host_is("total", 4701 + 100 + 10000);
}

static void test_open(void **state)
{
	(void)state;
	fake_ledger_edge(&memory.records[1], 1300, LEDGER_VMM);
	read_at(2000);
	vcpu_is(&web_vcpus[0], "open", 700);
	vcpu_is(&web_vcpus[0], "state", 4);
	vcpu_is(&web_vcpus[0], "open_vmm", 700);
	vcpu_is(&web_vcpus[0], "open_guest", 0);
	vcpu_is(&web_vcpus[1], "state", 0);
	vm_is(&web, "open_vmm", 700);
	vm_is(&web, "open_guest", 1000);
	vm_is(&web, "open_halted", 0);
	/* an edge that the clock here is behind of */
	read_at(1299);
	vcpu_is(&web_vcpus[0], "open", 0);
	/* detached */
	assert_int_equal(ledger_totals_read(&ledger.totals, &vms, 0, 2000), 0);
	vcpu_is(&web_vcpus[0], "guest", 300);
	assert_none("vcpu_time", &web, &web_vcpus[0], "open");
	assert_none("vcpu_time", &web, &web_vcpus[0], "state");
	assert_none("vm_time", &web, NULL, "open_vmm");
}

/* Two threads have run a vCPU: it has the time of both, and is where the later one is. */
static void test_threads(void **state)
{
	(void)state;
	uses[2].vcpu = WEB_0;
	fake_ledger_edge(&memory.records[1], 1300, LEDGER_VMM);
	fake_ledger_edge(&memory.records[2], 1500, LEDGER_KVM);
	read_at(2000);
	vcpu_is(&web_vcpus[0], "guest", 800);
	vcpu_is(&web_vcpus[0], "open", 500);
	vcpu_is(&web_vcpus[0], "state", 1);
	vm_is(&web, "open_vmm", 0);
	assert_none("vcpu_time", &web, &web_vcpus[1], "guest");
	fake_ledger_edge(&memory.records[1], 1800, LEDGER_GUEST);
	read_at(2000);
	vcpu_is(&web_vcpus[0], "open", 200);
	vcpu_is(&web_vcpus[0], "state", 0);
}

/* Without exits guest and KVM have no value; nor has what the kernel does not tell. */
static void test_no_value(void **state)
{
	(void)state;
	ledger.exits = ledger.has_polls = false;
	memory.records[1].last = UINT64_C(1000) << LEDGER_STATE_BITS | LEDGER_UNKNOWN;
	fake_ledger_edge(&memory.records[1], 1300, LEDGER_VMM);
	read_at(2000);
	assert_none("vcpu_time", &web, &web_vcpus[0], "guest");
	assert_none("vcpu_time", &web, &web_vcpus[0], "kvm");
	assert_none("vcpu_time", &web, &web_vcpus[0], "open_guest");
	vcpu_is(&web_vcpus[0], "unknown", 300);
	vcpu_is(&web_vcpus[0], "poll", 0);
	vcpu_is(&web_vcpus[0], "ready", 0);
	vcpu_is(&web_vcpus[0], "total", 300);
	ledger.exits = true;
	ledger.has_ready = false;
	assert_none("vcpu_time", &web, &web_vcpus[0], "poll");
	assert_none("vcpu_time", &web, &web_vcpus[0], "ready");
	ledger.names_vcpus = false;
	vcpu_is(&web_vcpus[0], "poll", 0);
	/* what was counted is shown: it is part of the sum */
	memory.records[1].time[LEDGER_READY] += 5;
	memory.records[1].time[LEDGER_UNKNOWN] -= 5;
	read_at(2000);
	vcpu_is(&web_vcpus[0], "ready", 5);
}

/* A VM keeps what its retired ledgers had, while it runs; the host keeps it for good. */
static void test_retire(void **state)
{
	(void)state;
	fake_ledger_edge(&memory.records[1], 1300, LEDGER_VMM);
	read_at(2000);
	assert_int_equal(ledger_totals_retire(&ledger.totals, 1), 0);
	memory.records[1].head.start = 0;
	uses[1] = (struct record_use){ .vm = 0 };
	for (unsigned i = 0; i < 2; i++) {
		read_at(2000);
		vcpu_is(&web_vcpus[0], "guest", 300);
		assert_none("vcpu_time", &web, &web_vcpus[0], "open");
		vm_is(&web, "guest", 300);
		host_is("guest", 300);
	}
	/* the vCPU is gone: it is its VM's */
	web.vcpus = &web_vcpus[1];
	web.nvcpus = 1;
	read_at(2000);
	vm_is(&web, "guest", 300);
	assert_none("vcpu_time", &web, &web_vcpus[0], "guest");
	/* the VM is */
	vms.list = list + 1;
	vms.n = 1;
	uses[2].vm = 0;
	read_at(2000);
	assert_none("vm_time", &web, NULL, "guest");
	host_is("guest", 300);
	assert_int_equal(ledger.totals.kept.n, 0);
	web.vcpus = web_vcpus;
	web.nvcpus = 2;
}

int main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		test(test_sums),     test(test_open),	test(test_threads),
		test(test_no_value), test(test_retire),
	};

	return cmocka_run_group_tests_name("ledger_tables", tests, NULL, NULL);
}
