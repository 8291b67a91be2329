// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Halts and wake-ups by VM and vCPU: sums over ledgers, rows of buckets, ledgers that retire. */
#include "fakes/fake_ledgers.h"
#include "fakes/support.h"

#include <string.h>

#include "families/ledger/ledger.h"
#include "families/ledger/ledger_halts.h"

/* ids in the register */
enum { WEB = 7, DB = 9, WEB_0 = 70, WEB_1 = 71, DB_0 = 90 };

static struct fake_ledgers memory;
static struct vcpu_counters counters;
static struct record_use uses[FAKE_LEDGERS];
static struct record_place places[] = {
	{ WEB, WEB_0, 1 },
	{ WEB, WEB_0, 4 },
	{ WEB, WEB_1, 2 },
	{ DB, DB_0, 3 },
};
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
	web.nvcpus = 2;
	vms = (struct vms){ .list = list, .n = 2 };
	counters = (struct vcpu_counters){ .records = *fake_ledgers_pool(&memory) };
	ledger = (struct ledger){
		.family.records = { .counters = &counters,
				    .uses = uses,
				    .nuses = FAKE_LEDGERS,
				    .places = places,
				    .nplaces = ARRAY_SIZE(places) },
		.ended = &memory.ended,
		.has_polls = true,
		.has_attempts = true,
		.has_read = true,
	};
	ledger.totals = (struct ledger_totals){ .records = &ledger.family.records,
						.ended = &memory.ended };
	for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
		uses[places[i].record] = (struct record_use){ .vm = places[i].vm,
							      .vcpu = places[i].vcpu };
		memory.records[i + 1].head.start = i + 1;
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ledger_totals_free(&ledger.totals);
	return 0;
}

static uint64_t *bucket(unsigned record, enum ledger_histogram histogram, unsigned number)
{
	return (uint64_t *)&memory.records[record].halts.bucket[histogram][number];
}

/* The columns of a row: "-" for no value. */
static void assert_row(unsigned table, const struct vm *vm, const struct vcpu *vcpu, uint32_t key,
		       const char *wanted)
{
	struct snapshot_cell cells[3] = { { .present = false } };
	const struct owner owner = { .vm = vm, .vcpu = vcpu };
	const struct table_row row = {
		.table = &ledger_tables[table], .owner = &owner, .key = key, .cells = cells
	};
	char text[64] = "";

	assert_int_equal(row.table->fill(&ledger, &row), 0);
	for (unsigned i = 0; row.table->columns[i]; i++) {
		size_t at = strlen(text);

		if (cells[i].present)
			snprintf(text + at, sizeof(text) - at, " %llu",
				 (unsigned long long)cells[i].number);
		else
			snprintf(text + at, sizeof(text) - at, " -");
	}
	assert_string_equal(text + 1, wanted);
}

enum { VM_HALT = 3, VM_BUCKETS, VCPU_BUCKETS };

static void test_tables(void **state)
{
	(void)state;
	assert_string_equal(ledger_tables[VM_HALT].name, "vm_halt");
	assert_string_equal(ledger_tables[VM_BUCKETS].name, "vm_halt_time");
	assert_string_equal(ledger_tables[VCPU_BUCKETS].name, "vcpu_halt_time");
}

/* A vCPU that two threads have run has the halts of both. */
static void test_sums(void **state)
{
	(void)state;
	*bucket(1, LEDGER_WAKE, 12) = 3;
	*bucket(4, LEDGER_WAKE, 12) = 10;
	*bucket(2, LEDGER_WAKE, 12) = 100;
	*bucket(3, LEDGER_WAKE, 12) = 1000;
	*bucket(2, LEDGER_POLLED, 12) = 5;
	*bucket(1, LEDGER_WAITED, 31) = 6;
	*bucket(1, LEDGER_LATE, 0) = 7;
	assert_row(VM_BUCKETS, &web, NULL, 12, "113 5 -");
	assert_row(VM_BUCKETS, &web, NULL, 31, "- - 6");
	assert_row(VM_BUCKETS, &db, NULL, 12, "1000 - -");
	assert_row(VCPU_BUCKETS, &web, &web_vcpus[0], 12, "13 -");
	assert_row(VCPU_BUCKETS, &web, &web_vcpus[0], 0, "- 7");
	assert_row(VCPU_BUCKETS, &web, &web_vcpus[1], 12, "100 -");
}

static void test_polls(void **state)
{
	struct vm idle = { .id = 12 };

	(void)state;
	memory.records[1].halts.poll_time = 500;
	memory.records[2].halts.poll_time = 50;
	memory.records[2].halts.poll_attempts = 3;
	memory.records[4].halts.poll_attempts = 4;
	assert_row(VM_HALT, &web, NULL, 0, "550 7");
	assert_row(VM_HALT, &db, NULL, 0, "0 0");
	assert_row(VM_HALT, &idle, NULL, 0, "- -");
	ledger.has_attempts = false;
	assert_row(VM_HALT, &web, NULL, 0, "550 -");
	ledger.has_polls = false;
	assert_row(VM_HALT, &web, NULL, 0, "- -");
}

/* A number changes with a bucket's first count, not with the next ones; not by one's record. */
static void test_seen(void **state)
{
	uint64_t none = ledger_halts_seen(&ledger.totals), one;

	(void)state;
	*bucket(2, LEDGER_POLLED, 7) = 1;
	one = ledger_halts_seen(&ledger.totals);
	assert_int_not_equal(one, none);
	*bucket(2, LEDGER_POLLED, 7) = 2;
	assert_int_equal(ledger_halts_seen(&ledger.totals), one);
	*bucket(2, LEDGER_WAITED, 7) = 2;
	assert_int_not_equal(ledger_halts_seen(&ledger.totals), one);
	*bucket(2, LEDGER_WAITED, 7) = 0;
	*bucket(2, LEDGER_POLLED, 7) = 0;
	*bucket(3, LEDGER_POLLED, 7) = 1;
	assert_int_not_equal(ledger_halts_seen(&ledger.totals), one);
}

/* A VM keeps what its retired ledgers had, while it runs. */
static void test_retire(void **state)
{
	(void)state;
	*bucket(1, LEDGER_WAKE, 12) = 3;
	memory.records[1].halts.poll_time = 500;
	*bucket(4, LEDGER_WAKE, 12) = 10;
	for (unsigned number = 1; number <= 4; number += 3) {
		assert_int_equal(ledger_totals_retire(&ledger.totals, number), 0);
		memset(&memory.records[number], 0, sizeof(memory.records[number]));
		uses[number] = (struct record_use){ .vm = 0 };
	}
	ledger.family.records.places = &places[2];
	ledger.family.records.nplaces = 2;
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(ledger_totals_read(&ledger.totals, &vms, 0, 1), 0);
		assert_row(VCPU_BUCKETS, &web, &web_vcpus[0], 12, "13 -");
		assert_row(VM_BUCKETS, &web, NULL, 12, "13 - -");
		assert_row(VM_HALT, &web, NULL, 0, "500 0");
	}
	/* the vCPU is gone: it is its VM's */
	web.vcpus = &web_vcpus[1];
	web.nvcpus = 1;
	assert_int_equal(ledger_totals_read(&ledger.totals, &vms, 0, 1), 0);
	assert_row(VM_BUCKETS, &web, NULL, 12, "13 - -");
	assert_row(VCPU_BUCKETS, &web, &web_vcpus[0], 12, "- -");
	/* the VM is */
	vms.list = list + 1;
	vms.n = 1;
	assert_int_equal(ledger_totals_read(&ledger.totals, &vms, 0, 1), 0);
	assert_row(VM_BUCKETS, &web, NULL, 12, "- - -");
	assert_int_equal(ledger.totals.kept.n, 0);
	web.vcpus = web_vcpus;
}

int main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		test(test_tables), test(test_sums),   test(test_polls),
		test(test_seen),   test(test_retire),
	};

	return cmocka_run_group_tests_name("ledger_halts", tests, NULL, NULL);
}
