// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Rows and values of the tables of exit and userspace_exit, from counters made by hand. */
#include "fakes/fake_engine.h"
#include "fakes/support.h"

#include <errno.h>
#include <string.h>

#include "bpf/exit.h"
#include "bpf/userspace_exit.h"
#include "engine/exit_common.h"

enum { OTHER = 0, UNKNOWN = 1, READ_CR0 = 9, HLT = 129, IO = 132 }; /* of REASONS_SVM */

/* The VMs, each later one with a smaller name; the second has two vCPUs, in the wrong order. */
static struct vcpu vcpus[] = {
	{ .id = 21, .address = 0x1000, .vcpu_id = 0, .name = (char *)"web-10::vcpu0" },
	{ .id = 22, .address = 0x2000, .vcpu_id = 1, .name = (char *)"web-2::vcpu1" },
	{ .id = 23, .address = 0x3000, .vcpu_id = 0, .name = (char *)"web-2::vcpu0" },
};
static struct vm vm_list[] = {
	{ .id = 11, .name = (char *)"web-10", .vcpus = &vcpus[0], .nvcpus = 1 },
	{ .id = 12, .name = (char *)"web-2", .vcpus = &vcpus[1], .nvcpus = 2 },
};
static struct vm *list[] = { &vm_list[0], &vm_list[1] };
static struct vms vms;
static struct config config = { .vcpus = 100, .counters = 1000 };
static bool present[2];
static struct cpus cpus = { .present = present, .n = 2 };
static struct exits *exits;
static struct owners owners;
static struct snapshot snapshot;

static void make(const struct exits_kind *kind)
{
	struct family_env env = { .config = &config, .cpus = &cpus, .vms = &vms };

	assert_int_equal(exits_new(&env, kind, &exits), 0);
	fake_engine_load(&exits->counters);
	exits->reasons = true;
}

static int setup(void **state)
{
	(void)state;
	vms = (struct vms){ .proc = "proc", .list = list, .n = ARRAY_SIZE(list), .changes = 1 };
	make(&(struct exits_kind){ "exit", 1, EXIT_SLOTS, REASONS_SVM, exit_tables, EXIT_TABLES,
				   EXIT_NO_REASONS });
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_engine_unload(&exits->counters);
	fake_engine_free();
	exits_close(exits);
	owners_free(&owners);
	snapshot_free(&snapshot);
	return 0;
}

static void userspace(void)
{
	fake_engine_unload(&exits->counters);
	exits_close(exits);
	make(&(struct exits_kind){ "userspace_exit", 1, USERSPACE_EXIT_SLOTS, REASONS_USERSPACE,
				   userspace_exit_tables, USERSPACE_EXIT_TABLES, 0 });
}

static const struct table *declared(const char *name)
{
	for (size_t i = 0; i < EXIT_TABLES; i++)
		if (strcmp(exit_tables[i].name, name) == 0)
			return &exit_tables[i];
	for (size_t i = 0; i < USERSPACE_EXIT_TABLES; i++)
		if (strcmp(userspace_exit_tables[i].name, name) == 0)
			return &userspace_exit_tables[i];
	fail_msg("no table %s", name);
	return NULL;
}

static struct snapshot_table *sync(const char *name)
{
	struct snapshot_table *table = snapshot_find_table(&snapshot, name);

	if (!table)
		assert_int_equal(snapshot_add_table(&snapshot, name, &table), 0);
	assert_int_equal(owners_update(&owners, &vms, &cpus), 0);
	assert_int_equal(table_sync(declared(name), exits, &owners, NULL, table), 0);
	return table;
}

static void put(char *text, size_t size, const struct snapshot_row *row,
		const struct snapshot_cell *cells, size_t ncells)
{
	size_t len = strlen(text);

	if (row->number == 1U << 30)
		len += (size_t)snprintf(text + len, size - len, "by name %s", row->name);
	else
		len += (size_t)snprintf(text + len, size - len, "%u %s", row->number, row->name);
	for (size_t i = 0; i < ncells; i++) {
		if (cells[i].present)
			len += (size_t)snprintf(text + len, size - len, " %llu",
						(unsigned long long)cells[i].number);
		else
			len += (size_t)snprintf(text + len, size - len, " -");
	}
	snprintf(text + len, size - len, "\n");
}

static void assert_filled(const char *name, const char *expected)
{
	struct snapshot_table *table = snapshot_find_table(&snapshot, name);
	char text[2048] = "";

	assert_int_equal(table_fill(declared(name), exits, &owners, table), 0);
	for (size_t i = 0; i < table->nrows; i++)
		put(text, sizeof(text), &table->rows[i], snapshot_table_cell(table, i, 0),
		    table->ncolumns);
	assert_string_equal(text, expected);
}

/* After a sync the table has these rows: "NUMBER NAME VALUE ...", "-" for an absent value. */
static void assert_rows(const char *name, const char *expected)
{
	sync(name);
	assert_filled(name, expected);
}

static void assert_columns(const char *name, const char *expected)
{
	const struct snapshot_table *table = sync(name);
	char text[256] = "";

	for (size_t i = 0; i < table->ncolumns; i++)
		strcat(strcat(text, i ? " " : ""), table->columns[i].name);
	assert_string_equal(text, expected);
}

static void count(unsigned slot, uint64_t exits_counted, uint64_t time, uint64_t max)
{
	exits->counters.total[slot] = (struct slot_sums){ exits_counted, time, max };
}

/* What a fetch does before tables are brought up to date. */
static void refresh(void)
{
	vcpu_counters_walk(&exits->counters);
	assert_true(vcpu_counters_read_buckets(&exits->counters) >= 0);
	assert_int_equal(vm_counters_update(&exits->vms, &vms), 0);
}

/* Pairs of a new thread of a vCPU. */
static uint32_t take(unsigned vcpu, unsigned slot, uint64_t exits_counted, uint64_t time,
		     unsigned bucket)
{
	static uint32_t tid;
	uint32_t record = fake_record(++tid, vcpus[vcpu].address, false);

	fake_engine->records[record].head.isa = 0;
	fake_engine->records[record].head.guest_time = 500;
	fake_count(record, slot, exits_counted, time, bucket);
	refresh();
	return record;
}

static void test_columns(void **state)
{
	(void)state;
	assert_columns("exit_total", "total total_time");
	assert_columns("exit", "count time max");
	assert_columns("exit_latency", "latency");
	assert_columns("vm_exit_total", "total");
	assert_columns("vm_exit", "count time max");
	assert_columns("vm_exit_latency", "latency");
	assert_columns("vcpu", "exits guest_time exit_time halt_time");
	assert_columns("vcpu_exit", "count time max");
	assert_columns("userspace_exit", "count time max");
	assert_columns("userspace_exit_latency", "latency");
	assert_columns("vm_userspace_exit_total", "total");
	assert_columns("vm_userspace_exit", "count time max");
	assert_columns("vm_userspace_exit_latency", "latency");
}

/* 0 is a value only if this KVM fires the event, and if it is counted at all. */
static void test_total(void **state)
{
	(void)state;
	assert_rows("exit_total", "0  - -\n");
	exits->fires = true;
	assert_rows("exit_total", "0  0 0\n");
	exits->counters.object.family = NULL;
	assert_rows("exit_total", "0  - -\n");
	exits->counters.object.family = (void *)exits;
	exits->fires = false;
	exits->reasons = false;
	count(OTHER, 5, 50, 1);
	count(EXIT_SLOT_NESTED - 1, 7, 70, 1);
	assert_rows("exit_total", "0  12 120\n");
}

/* Without a pair that ended in this epoch there is no max. */
static void test_reasons(void **state)
{
	const struct snapshot_table *table;

	(void)state;
	assert_rows("exit", "");
	count(HLT, 3, 3000, 2000);
	assert_rows("exit", "385 hlt 3 3000 2000\n");
	count(IO, 13, 130, 0);
	count(READ_CR0, 5, 0, 7);
	count(OTHER, 1, 2, 0);
	count(READ_CR0 + 1, 0, 99, 99);
	assert_rows("exit", "256 other 1 2 -\n265 read_cr0 5 0 7\n385 hlt 3 3000 2000\n"
			    "388 io 13 130 -\n");
	table = snapshot_find_table(&snapshot, "exit");
	assert_int_equal(table->rows[2].own->n, 1);
	assert_string_equal(table->rows[2].own->list[0].key, "reason");
	assert_string_equal(table->rows[2].own->list[0].text, "hlt");
	/* a row stays, if its values fall or are unknown until the next sync */
	count(HLT, 0, 0, 0);
	assert_filled("exit", "256 other 1 2 -\n265 read_cr0 5 0 7\n385 hlt 0 0 -\n"
			      "388 io 13 130 -\n");
}

/* Does the table have a row of this name, with these values? */
static bool has_row(const char *name, const char *expected)
{
	struct snapshot_table *table = sync(name);

	assert_int_equal(table_fill(declared(name), exits, &owners, table), 0);
	for (size_t i = 0; i < table->nrows; i++) {
		char text[256] = "";

		put(text, sizeof(text), &table->rows[i], snapshot_table_cell(table, i, 0),
		    table->ncolumns);
		if (strcmp(text, expected) == 0)
			return true;
	}
	return false;
}

static size_t rows(const char *name)
{
	return sync(name)->nrows;
}

/* Where the event is fired, a dozen reasons of the vendor that is here exist from the start. */
static void test_listed_reasons(void **state)
{
	size_t listed;

	(void)state;
	assert_int_equal(rows("exit"), 0);
	exits->fires = true;
	listed = rows("exit");
	assert_in_range(listed, 10, 14);
	assert_true(has_row("exit", "385 hlt 0 0 -\n"));
	count(HLT, 3, 3000, 2000);
	assert_true(has_row("exit", "385 hlt 3 3000 2000\n"));
	assert_int_equal(rows("exit"), listed);
	count(READ_CR0, 1, 10, 10);
	assert_int_equal(rows("exit"), listed + 1);
	assert_int_equal(rows("exit_latency"), 0);
	assert_int_equal(rows("vm_exit"), 0);
	assert_int_equal(rows("vcpu_exit"), 0);
	exits->reasons = false;
	assert_int_equal(rows("exit"), 0);
	exits->reasons = true;
	exits->counters.object.family = NULL; /* nothing counts: 0 would be wrong */
	assert_int_equal(rows("exit"), 2);
	exits->counters.object.family = (void *)exits;
	vcpu_counters_set_isa(&exits->counters, REASONS_VMX + 1);
	count(HLT, 0, 0, 0);
	count(READ_CR0, 0, 0, 0);
	assert_true(has_row("exit", "57 EPT_VIOLATION 0 0 -\n"));
}

static void test_listed_userspace(void **state)
{
	(void)state;
	userspace();
	assert_int_equal(rows("userspace_exit"), 0);
	exits->fires = true;
	assert_in_range(rows("userspace_exit"), 6, 14);
	assert_true(has_row("userspace_exit", "783 MMIO 0 0 -\n"));
	assert_int_equal(rows("vm_userspace_exit"), 0);
}

/* A code that has claimed a slot can have another slot next time, so its number is by name. */
static void test_unknown_codes(void **state)
{
	(void)state;
	fake_engine->codes[UNKNOWN] = 0x4d2;
	fake_engine->codes[REASONS_SLOT_FIRST - 1] = 0xabcdef;
	count(UNKNOWN, 1, 10, 1);
	count(REASONS_SLOT_FIRST - 1, 2, 20, 2);
	count(READ_CR0 + 0xaf, 3, 30, 3); /* a code of a range that has no name */
	exits->counters.latency[UNKNOWN][3] = 4;
	exits->counters.latency[REASONS_SLOT_FIRST - 1][4] = 5;
	assert_rows("exit", "by name 0x4d2 1 10 1\nby name 0xabcdef 2 20 2\n"
			    "440 0xaf 3 30 3\n");
	assert_rows("exit_latency", "by name 0x4d2::8-15 4\nby name 0xabcdef::16-31 5\n");
}

/* Slots of different instruction sets have different numbers. */
static void test_instruction_sets(void **state)
{
	static const struct {
		enum reasons_isa isa;
		const char *rows, *buckets;
	} cases[] = {
		{ REASONS_VMX, "9 EXCEPTION_NMI 1 1 1\n", "288 EXCEPTION_NMI::0-1 1\n" },
		{ REASONS_SVM, "265 read_cr0 1 1 1\n", "8480 read_cr0::0-1 1\n" },
		{ REASONS_ARM64, "521 IRQ 1 1 1\n", "16672 IRQ::0-1 1\n" },
	};

	(void)state;
	count(9, 1, 1, 1);
	exits->counters.latency[9][0] = 1;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		reason_slots_set_isa(&exits->counters.slots, cases[i].isa);
		snapshot_free(&snapshot);
		assert_rows("exit", cases[i].rows);
		assert_rows("exit_latency", cases[i].buckets);
	}
}

static void test_buckets(void **state)
{
	const struct snapshot_table *table;

	(void)state;
	assert_rows("exit_latency", "");
	exits->counters.latency[HLT][0] = 3;
	exits->counters.latency[HLT][EXIT_BUCKETS - 1] = 5;
	exits->counters.latency[IO][1] = 7;
	exits->counters.latency[IO][12] = 11;
	exits->counters.latency[OTHER][2] = 13;
	assert_rows("exit_latency", "8194 other::4-7 13\n"
				    "12320 hlt::0-1 3\n"
				    "12351 hlt::2147483648+ 5\n"
				    "12417 io::2-3 7\n"
				    "12428 io::4096-8191 11\n");
	table = snapshot_find_table(&snapshot, "exit_latency");
	assert_int_equal(table->rows[4].own->n, 2);
	assert_string_equal(table->rows[4].own->list[0].text, "io");
	assert_string_equal(table->rows[4].own->list[1].key, "bucket");
	assert_string_equal(table->rows[4].own->list[1].text, "4096-8191");
	assert_int_equal(table->rows[4].range.first, 4096);
	assert_int_equal(table->rows[4].range.last, 8191);
	assert_int_equal(table->rows[2].range.last, UINT64_MAX);
}

/* VMs and vCPUs have rows from the start, and values once they have run. */
static void test_vms(void **state)
{
	(void)state;
	assert_rows("vm_exit_total", "by name web-2 -\nby name web-10 -\n");
	assert_rows("vcpu", "by name web-2::vcpu0 - - - -\nby name web-2::vcpu1 - - - -\n"
			    "by name web-10::vcpu0 - - - -\n");
	assert_rows("vm_exit", "");
	assert_rows("vcpu_exit", "");
	take(1, IO, 13, 10, 3);
	assert_rows("vm_exit_total", "by name web-2 13\nby name web-10 -\n");
	assert_rows("vm_exit", "by name web-2::io 13 130 10\n");
	take(0, HLT, 3, 1000, 9);
	take(2, HLT, 5, 1000, 9);
	take(2, IO, 1, 30, 4);
	take(1, OTHER, 1, 0, 0);
	assert_rows("vm_exit_total", "by name web-2 20\nby name web-10 3\n");
	assert_rows("vm_exit", "by name web-2::other 1 0 -\nby name web-2::hlt 5 5000 1000\n"
			       "by name web-2::io 14 160 30\nby name web-10::hlt 3 3000 1000\n");
	assert_rows("vcpu", "by name web-2::vcpu0 6 1000 5030 5000\n"
			    "by name web-2::vcpu1 14 1000 130 0\n"
			    "by name web-10::vcpu0 3 500 3000 3000\n");
	assert_rows("vcpu_exit",
		    "by name web-2::vcpu0::hlt 5 5000 1000\nby name web-2::vcpu0::io 1 30 30\n"
		    "by name web-2::vcpu1::other 1 0 -\nby name web-2::vcpu1::io 13 130 10\n"
		    "by name web-10::vcpu0::hlt 3 3000 1000\n");
}

/* Exits of nested guests belong to no sum of reasons, and stay when their thread ends. */
static void test_nested(void **state)
{
	uint32_t record = take(1, IO, 13, 10, 3);

	(void)state;
	fake_count(record, EXIT_SLOT_NESTED, 7, 0, 0);
	fake_count(record, EXIT_SLOT_REFLECTED, 5, 0, 0);
	exits->nested = true; /* this KVM has the events */
	assert_int_equal(vm_counters_keep(&exits->vms, take(2, EXIT_SLOT_NESTED, 2, 0, 0)), 0);
	vcpu_counters_read(&exits->counters);
	assert_rows("vm_nested", "by name web-2 11 5\nby name web-10 - -\n");
	assert_rows("vm_exit_total", "by name web-2 13\nby name web-10 -\n");
	assert_rows("exit_total", "0  13 130\n");
}

static void test_buckets_of_vms(void **state)
{
	(void)state;
	assert_rows("vm_exit_latency", "");
	take(1, IO, 7, 1, 12);
	take(2, IO, 4, 1, 12);
	take(1, HLT, 1, 1, 31);
	take(0, IO, 9, 1, 0);
	assert_rows("vm_exit_latency",
		    "by name web-2::hlt::2147483648+ 1\nby name web-2::io::4096-8191 11\n"
		    "by name web-10::io::0-1 9\n");
}

/* Counts that are gone while the rows are still there leave absent values. */
static void test_sums_that_are_gone(void **state)
{
	uint32_t record = take(1, IO, 13, 10, 12);

	(void)state;
	sync("vm_exit_total");
	sync("vm_exit");
	sync("vm_exit_latency");
	sync("vcpu");
	sync("vcpu_exit");
	fake_engine->records[record].head.start = 0;
	exits->vms.outdated = true;
	refresh();
	assert_filled("vm_exit_total", "by name web-2 -\nby name web-10 -\n");
	assert_filled("vm_exit", "by name web-2::io - - -\n");
	assert_filled("vm_exit_latency", "by name web-2::io::4096-8191 -\n");
	assert_filled("vcpu", "by name web-2::vcpu0 - - - -\nby name web-2::vcpu1 - - - -\n"
			      "by name web-10::vcpu0 - - - -\n");
	assert_filled("vcpu_exit", "by name web-2::vcpu1::io - - -\n");
	take(1, HLT, 1, 1, 1);
	assert_filled("vm_exit_latency", "by name web-2::io::4096-8191 -\n");
}

/* If reasons cannot be read, all exits count as "other", which would be no reason to show. */
static void test_without_reasons(void **state)
{
	(void)state;
	exits->reasons = false;
	count(OTHER, 13, 130, 99);
	exits->counters.latency[OTHER][5] = 13;
	take(1, OTHER, 13, 10, 5);
	exits->counters.total[OTHER] = (struct slot_sums){ 13, 130, 99 };
	assert_rows("exit_total", "0  13 130\n");
	assert_rows("exit", "");
	assert_rows("exit_latency", "");
	assert_rows("vm_exit", "");
	assert_rows("vm_exit_latency", "");
	assert_rows("vcpu_exit", "");
	assert_rows("vm_exit_total", "by name web-2 13\nby name web-10 -\n");
	assert_rows("vcpu", "by name web-2::vcpu0 - - - -\nby name web-2::vcpu1 13 500 130 -\n"
			    "by name web-10::vcpu0 - - - -\n");
}

static void test_userspace(void **state)
{
	(void)state;
	userspace();
	count(READ_CR0 + 2, 13, 130, 99);
	count(USERSPACE_EXIT_SLOTS - 1, 0, 5, 5);
	count(73, 5, 50, 0);
	count(UNKNOWN, 1, 1, 1);
	fake_engine->codes[UNKNOWN] = 99;
	exits->counters.latency[READ_CR0 + 2][4] = 3;
	assert_rows("userspace_exit", "by name 0x63 1 1 1\n779 IO 13 130 99\n841 restart 5 50 -\n");
	assert_rows("userspace_exit_latency", "24932 IO::16-31 3\n");
	take(0, READ_CR0 + 5, 7, 10, 3);
	assert_rows("vm_userspace_exit", "by name web-10::HLT 7 70 10\n");
	assert_rows("vm_userspace_exit_latency", "by name web-10::HLT::8-15 7\n");
}

#define exits_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		exits_test(test_columns),
		exits_test(test_total),
		exits_test(test_reasons),
		exits_test(test_listed_reasons),
		exits_test(test_listed_userspace),
		exits_test(test_unknown_codes),
		exits_test(test_instruction_sets),
		exits_test(test_buckets),
		exits_test(test_vms),
		exits_test(test_nested),
		exits_test(test_buckets_of_vms),
		exits_test(test_sums_that_are_gone),
		exits_test(test_without_reasons),
		exits_test(test_userspace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
