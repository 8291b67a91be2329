// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Slow exits by vCPU and VM: which are the newest, what has no value, threads that end. */
#include "fakes/support.h"

#include <stdlib.h>
#include <string.h>

#include "families/slow/slow.h"
#include "kvm/cause_key.h"

/* ids in the register */
enum { WEB = 7, DB = 9, WEB_0 = 70, WEB_1 = 71 };

#define RECORDS 8
#define ALL	(SLOW_STATES | SLOW_CAUSE | SLOW_READY | SLOW_POLL)
#define REAL	1000000000000 /* ns */

static struct slow_record records[RECORDS];
static char *chunks[] = { (char *)records };
static struct vcpu_counters counters;
static struct record_use uses[RECORDS];
static struct record_links links;
static struct slow slow;
static struct vcpu web_vcpus[] = { { .id = WEB_0 }, { .id = WEB_1 } };
static struct vm web = { .id = WEB, .vcpus = web_vcpus, .nvcpus = 2 }, db = { .id = DB };
static struct vm *list[] = { &web, &db };
static struct vms vms;

static int setup(void **state)
{
	(void)state;
	memset(records, 0, sizeof(records));
	vms = (struct vms){ .list = list, .n = 2 };
	web.nvcpus = 2;
	links = (struct record_links){ .n = 2 };
	counters = (struct vcpu_counters){
		.records = { .bits = 3,
			     .size = sizeof(struct slow_record),
			     .limit = RECORDS - 1,
			     .chunks = chunks,
			     .nchunks = 1,
			     .max_chunks = 1 },
	};
	slow = (struct slow){
		.family = { .links = &links,
			    .records = { .counters = &counters, .uses = uses, .nuses = RECORDS } },
		.real = REAL,
		.has_read = true,
	};
	slow.totals.records = &slow.family.records;
	uses[1] = (struct record_use){ .vm = WEB, .vcpu = WEB_0 };
	uses[2] = (struct record_use){ .vm = WEB, .vcpu = WEB_1 };
	uses[3] = (struct record_use){ .vm = WEB, .vcpu = WEB_0 };
	uses[4] = (struct record_use){ .vm = 0 };
	for (unsigned i = 1; i <= 4; i++)
		records[i].head.start = i;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	slow_totals_free(&slow.totals);
	return 0;
}

/* As the program does. */
static struct slow_exit *happens(struct slow_record *record, uint64_t end, uint64_t duration)
{
	struct slow_exit *exit = &record->exits[record->count % SLOW_EXITS];

	*exit = (struct slow_exit){
		.number = ++record->count,
		.end = end,
		.duration = duration,
		.known = ALL,
		.reason = (REASONS_SVM + 1) << LEDGER_ISA_SHIFT |
			  (uint32_t)reasons_slot_of(REASONS_SVM, 0x7b),
		.cause = cause_key(CAUSE_PIO, 0x70, false),
		.time = { [LEDGER_KVM] = duration },
	};
	exit->check = slow_sum(exit, exit->number);
	return exit;
}

static void checked(struct slow_exit *exit)
{
	exit->check = slow_sum(exit, exit->number);
}

static void read_all(void)
{
	assert_int_equal(slow_totals_read(&slow.totals, &vms), 0);
}

/* --- rows --- */

enum { WHEN, DURATION, REASON, CAUSE, GUEST, KVM, POLL, HALTED, VMM, READY, COLUMNS };

static struct snapshot_cell cells[COLUMNS];

static void cells_clear(void)
{
	for (unsigned i = 0; i < COLUMNS; i++)
		free(cells[i].text);
	memset(cells, 0, sizeof(cells));
}

/* Fill a row of a vCPU: a slow exit, or of no vCPU: a VM. */
static void fill(const struct vm *vm, const struct vcpu *vcpu, uint32_t key)
{
	const struct table *table = &slow_tables[vcpu ? 1 : 0];
	const struct owner owner = { .vm = vm, .vcpu = vcpu };
	const struct table_row row = { table, &owner, key, cells };

	cells_clear();
	assert_string_equal(table->name, vcpu ? "vcpu_slow" : "vm_slow");
	assert_true(table->begin(&slow));
	assert_int_equal(table->fill(&slow, &row), 0);
}

static void duration_is(const struct vcpu *vcpu, uint32_t key, uint64_t wanted)
{
	fill(&web, vcpu, key);
	assert_int_equal(cells[DURATION].present, wanted != 0);
	assert_int_equal(cells[DURATION].number, wanted);
	cells_clear();
}

static void count_is(const struct vm *vm, uint64_t wanted)
{
	fill(vm, NULL, 0);
	assert_true(cells[0].present);
	assert_int_equal(cells[0].number, wanted);
	cells_clear();
}

/* --- tests --- */

static void test_newest_first(void **state)
{
	(void)state;
	for (unsigned i = 1; i <= 11; i++)
		happens(&records[1], i * 100, 10 + i);
	happens(&records[2], 5000, 77);
	read_all();
	for (unsigned i = 0; i < SLOW_EXITS; i++)
		duration_is(&web_vcpus[0], i, 21 - i);
	duration_is(&web_vcpus[1], 0, 77);
	duration_is(&web_vcpus[1], 1, 0);
	count_is(&web, 12);
	count_is(&db, 0);
}

static void test_values(void **state)
{
	struct slow_exit *exit = happens(&records[1], 500, 100);

	(void)state;
	exit->time[LEDGER_KVM] = 10;
	exit->time[LEDGER_VMM] = 60;
	exit->time[LEDGER_READY] = 30;
	checked(exit);
	read_all();
	fill(&web, &web_vcpus[0], 0);
	assert_int_equal(cells[WHEN].number, REAL + 500);
	assert_string_equal(cells[REASON].text, "io");
	assert_string_equal(cells[CAUSE].text, "io:0x70:r");
	for (unsigned i = GUEST; i < COLUMNS; i++) {
		static const uint64_t wanted[COLUMNS] = { [KVM] = 10, [VMM] = 60, [READY] = 30 };

		assert_true(cells[i].present);
		assert_int_equal(cells[i].number, wanted[i]);
	}
	cells_clear();
}

/* What is not known has no value; but for what is part of a sum. */
static void test_unknown(void **state)
{
	struct slow_exit *exit = happens(&records[1], 500, 100);

	(void)state;
	exit->known = SLOW_STATES | SLOW_CAUSE;
	exit->cause = CAUSE_NONE;
	exit->reason = (REASONS_SVM + 1) << LEDGER_ISA_SHIFT | REASONS_SLOT_UNKNOWN;
	exit->time[LEDGER_POLL] = 7;
	checked(exit);
	exit = happens(&records[1], 600, 200);
	exit->known = 0;
	exit->reason = 0;
	checked(exit);
	read_all();
	fill(&web, &web_vcpus[0], 1);
	assert_string_equal(cells[REASON].text, "other");
	assert_string_equal(cells[CAUSE].text, "none");
	assert_true(cells[KVM].present && cells[HALTED].present && cells[POLL].present);
	assert_false(cells[READY].present);
	fill(&web, &web_vcpus[0], 0);
	for (unsigned i = REASON; i < COLUMNS; i++)
		assert_false(cells[i].present);
	cells_clear();
}

/* A row that is being written, and one that has come and not been counted. */
static void test_torn(void **state)
{
	struct slow_exit *exit;

	(void)state;
	happens(&records[1], 100, 11);
	exit = happens(&records[1], 200, 12);
	exit->duration++;
	exit = happens(&records[1], 300, 13);
	exit->number = 0;
	read_all();
	duration_is(&web_vcpus[0], 0, 11);
	duration_is(&web_vcpus[0], 1, 0);
	count_is(&web, 3);
	exit->number = 3;
	records[1].count = 2;
	read_all();
	duration_is(&web_vcpus[0], 0, 13);
	count_is(&web, 3);
}

/* The threads of a vCPU share its list; its count never falls, and ends with the VM. */
static void test_threads(void **state)
{
	(void)state;
	for (unsigned i = 1; i <= 6; i++) {
		happens(&records[1], i * 100, 10 + i);
		happens(&records[3], i * 100 + 50, 30 + i);
	}
	read_all();
	for (unsigned i = 0; i < SLOW_EXITS; i++)
		duration_is(&web_vcpus[0], i, (i % 2 ? 16 : 36) - i / 2);
	assert_int_equal(slow_totals_retire(&slow.totals, 3), 0);
	memset(&records[3], 0, sizeof(records[3]));
	read_all();
	duration_is(&web_vcpus[0], 0, 36);
	duration_is(&web_vcpus[0], 7, 13);
	count_is(&web, 12);
	happens(&records[1], 9000, 99);
	read_all();
	duration_is(&web_vcpus[0], 0, 99);
	/* the vCPU goes, then the VM */
	uses[1].vcpu = 0;
	web_vcpus[0].id = 72;
	read_all();
	duration_is(&web_vcpus[0], 0, 0);
	count_is(&web, 13);
	web_vcpus[0].id = WEB_0;
	vms.n = 0;
	memset(&records[1], 0, sizeof(records[1]));
	read_all();
	assert_int_equal(slow.totals.kept.n, 0);
}

/* Nobody can record any: there is no count, but what there was. */
static void test_no_count(void **state)
{
	(void)state;
	links.n = 0;
	happens(&records[2], 100, 11);
	read_all();
	fill(&db, NULL, 0);
	assert_false(cells[0].present);
	count_is(&web, 1);
	counters.reading = slow.family.counters.reading = true;
	count_is(&db, 0);
}

int main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		test(test_newest_first), test(test_values),  test(test_unknown),
		test(test_torn),	 test(test_threads), test(test_no_count),
	};

	return cmocka_run_group_tests_name("slow_tables", tests, NULL, NULL);
}
