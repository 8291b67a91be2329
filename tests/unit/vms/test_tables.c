// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Rows that come and go: their names, numbers, labels, order. */
#include "fakes/fake_tables.h"

#include "metrics/past_names.h"

#include <string.h>

static void test_host(void **state)
{
	(void)state;
	fake_begin(OWNER_HOST, false);
	sync_rows();
	assert_names("");
	fake_owners("0");
	sync_rows();
	assert_names("#0");
	assert_row_labels("", "{}");
	assert_null(fake.to->rows[0].labels);
	assert_null(fake.to->rows[0].own);
	assert_int_equal(fake.taken, 0);
}

static void test_host_keys(void **state)
{
	(void)state;
	fake_begin(OWNER_HOST, true);
	fake_owners("0");
	sync_rows();
	assert_names("");
	fake_keys(0, "1:hlt 3:io#70 5:mmio=4-7 9=8-8 10=0-18446744073709551615#3");
	sync_rows();
	assert_names("hlt~1 io#70 mmio::4-7~2 8~3 0+#3");
	assert_row_labels("hlt", "{\"reason\":\"hlt\"}");
	assert_row_labels("mmio::4-7", "{\"reason\":\"mmio\",\"bucket\":\"4-7\"}");
	assert_row_labels("0+", "{\"bucket\":\"0+\"}");
	assert_int_equal(fake.taken, 3);
	fake_keys(0, "3:io#70 4:x#71 9=8-8");
	sync_rows();
	assert_names("io#70 x#71 8~3");
	assert_int_equal(fake.released, 2);
	fake_keys(0, "1:hlt 9=8-8");
	sync_rows();
	assert_names("hlt~1 8~3");
	fake_keys(0, "");
	sync_rows();
	assert_names("");
	assert_int_equal(fake.taken, 4);
	assert_int_equal(fake.released, 4);
}

static void test_cpus(void **state)
{
	(void)state;
	fake_begin(OWNER_CPU, false);
	fake_owners("0 2 5");
	sync_rows();
	assert_names("cpu0#0 cpu2#2 cpu5#5");
	assert_row_labels("cpu2", "{\"cpu\":2}");
	assert_null(fake.to->rows[1].labels);
	fake_owners("0 2 3 5 6");
	sync_rows();
	assert_names("cpu0#0 cpu2#2 cpu3#3 cpu5#5 cpu6#6");
	assert_int_equal(fake.taken, 0);
}

static void test_cpu_keys(void **state)
{
	(void)state;
	fake_begin(OWNER_CPU, true);
	fake_owners("0 1");
	fake_keys(0, "1:a#1 2:b");
	fake_keys(1, "1:a=2-3");
	sync_rows();
	assert_names("cpu0::a#1 cpu0::b~1 cpu1::a::2-3~2");
	assert_row_labels("cpu0::b", "{\"cpu\":0,\"reason\":\"b\"}");
	assert_row_labels("cpu1::a::2-3", "{\"cpu\":1,\"reason\":\"a\",\"bucket\":\"2-3\"}");
	fake_keys(1, "1:a=2-3 2:b");
	sync_rows();
	assert_row_labels("cpu1::b", "{\"cpu\":1,\"reason\":\"b\"}");
}

static void test_vms(void **state)
{
	(void)state;
	fake_begin(OWNER_VM, false);
	fake_owners("4 1 9");
	sync_rows();
	assert_names("vm4~1 vm1~2 vm9~3");
	assert_row_labels("vm1", "{\"vm\":\"vm1\"}");
	assert_null(fake.to->rows[1].own);
	fake_owners("4 2 1 7 9 3"); /* in the middle, and at the end */
	sync_rows();
	assert_names("vm4~1 vm2~4 vm1~2 vm7~5 vm9~3 vm3~6");
	fake_owners("2 7 9");
	sync_rows();
	assert_names("vm2~4 vm7~5 vm9~3");
	fake_owners("8 4 2 9 1"); /* some come back, under their numbers */
	sync_rows();
	assert_names("vm8~7 vm4~1 vm2~4 vm9~3 vm1~2");
	fake_owners("");
	sync_rows();
	fake_owners("9");
	sync_rows();
	assert_names("vm9~3");
	assert_int_equal(fake.taken, 3 + 3 + 3 + 1);
	assert_int_equal(fake.released, 3 + 1 + 5);
}

static void test_vm_keys(void **state)
{
	(void)state;
	fake_begin(OWNER_VM, true);
	fake_owners("1 2 3");
	fake_keys(1, "1:hlt 2:io");
	fake_keys(3, "1:hlt 2:io=0-1 3:io=2-3");
	sync_rows();
	assert_names("vm1::hlt~1 vm1::io~2 vm3::hlt~3 vm3::io::0-1~4 vm3::io::2-3~5");
	assert_row_labels("vm3::io::2-3", "{\"vm\":\"vm3\",\"reason\":\"io\",\"bucket\":\"2-3\"}");
	assert_ptr_equal(fake.to->rows[0].own, fake.to->rows[2].own); /* they share labels */
	fake_keys(2, "2:io 7:mmio");
	fake_keys(3, "1:hlt 3:io=2-3");
	sync_rows();
	assert_names("vm1::hlt~1 vm1::io~2 vm2::io~6 vm2::mmio~7 vm3::hlt~3 vm3::io::2-3~5");
	fake_owners("2 3");
	fake_keys(2, "1:hlt 2:io");
	sync_rows();
	assert_names("vm2::hlt~8 vm2::io~6 vm3::hlt~3 vm3::io::2-3~5");
	fake_owners("1 2 3");
	sync_rows();
	assert_names("vm1::hlt~1 vm1::io~2 vm2::hlt~8 vm2::io~6 vm3::hlt~3 vm3::io::2-3~5");
}

static void test_vcpus(void **state)
{
	(void)state;
	fake_begin(OWNER_VCPU, false);
	fake_owners("1 2");
	sync_rows();
	assert_names("vm::vcpu1~1 vm::vcpu2~2");
	assert_row_labels("vm::vcpu2", "{\"vm\":\"vm::vcpu2\"}");
	fake_owners("2 10");
	sync_rows();
	assert_names("vm::vcpu2~2 vm::vcpu10~3");
}

static void test_vcpu_keys(void **state)
{
	(void)state;
	fake_begin(OWNER_VCPU, true);
	fake_owners("1 2");
	fake_keys(1, "0=0-0 1=1-1");
	fake_keys(2, "1=1-1 2=2-18446744073709551615");
	sync_rows();
	assert_names("vm::vcpu1::0~1 vm::vcpu1::1~2 vm::vcpu2::1~3 vm::vcpu2::2+~4");
	assert_row_labels("vm::vcpu2::2+", "{\"vm\":\"vm::vcpu2\",\"bucket\":\"2+\"}");
}

/* Without a label of the table, names of keys are none. */
static void test_no_label(void **state)
{
	(void)state;
	fake_begin(OWNER_VM, true);
	fake.table.label = NULL;
	fake_owners("1");
	fake_keys(1, "1:a 2:b=1-2");
	sync_rows();
	assert_row_labels("vm1::a", "{\"vm\":\"vm1\"}");
	assert_row_labels("vm1::b::1-2", "{\"vm\":\"vm1\",\"bucket\":\"1-2\"}");
}

/* Under the same key, another name or range is another row. */
static void test_key_means_another(void **state)
{
	static const char *const keys[] = {
		"1:a 2:b=0-1 3:c", "1:a 2:b=0-2 3:c", "1:a 2:b=1-2 3:c", "1:a 2:d=1-2 3:c",
		"1:a 2:b 3:c",	   "1:a 2:bb 3:c",    "1:a 2:b 3:c",	 "1:a 2=0-1 3:c",
		"1:a 2:b=0-1 3:c", "1:c 2:b 3:a",     "1:a 2 3:c",
	};
	unsigned taken = 3;

	(void)state;
	fake_begin(OWNER_VM, true);
	fake_owners("1");
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		uint64_t changes = fake.to->changes;

		fake_keys(1, keys[i]);
		sync_rows();
		assert_true(fake.to->changes > changes);
		if (i && i < 9) /* the other two are as before */
			assert_int_equal(fake.taken, ++taken);
	}
	/* so it is without an owner's name */
	fake_end(state);
	fake_begin(OWNER_HOST, true);
	fake_owners("0");
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		fake_keys(0, keys[i]);
		sync_rows();
	}
}

/* One key of two owners can have two names: so can their labels. */
static void test_key_of_two_owners(void **state)
{
	(void)state;
	fake_begin(OWNER_VM, true);
	fake_owners("1 2 3");
	fake_keys(1, "1:a 257:b 300=0-1");
	fake_keys(2, "1:b 257:a 300=0-2");
	fake_keys(3, "1=0-1 257:a=0-1 300:b");
	sync_rows();
	assert_row_labels("vm1::a", "{\"vm\":\"vm1\",\"reason\":\"a\"}");
	assert_row_labels("vm2::b", "{\"vm\":\"vm2\",\"reason\":\"b\"}");
}

/* An owner's id can come to have another name, and with it another place. */
static void test_owner_is_another(void **state)
{
	(void)state;
	fake_begin(OWNER_VM, true);
	fake_owners("1 2 3");
	for (uint32_t i = 1; i <= 3; i++)
		fake_keys(i, "1:a 2:b");
	sync_rows();
	strcpy(fake.pool[1].name, "vm9");
	fake_owners("1 2 3");
	sync_rows();
	assert_names("vm9::a~7 vm9::b~8 vm2::a~3 vm2::b~4 vm3::a~5 vm3::b~6");
	strcpy(fake.pool[1].name, "x");
	fake_owners("2 3 1");
	sync_rows();
	strcpy(fake.pool[2].name, "vm10"); /* a longer name */
	fake_owners("3 2 1");
	sync_rows();
	assert_names("vm3::a~5 vm3::b~6 vm10::a~11 vm10::b~12 x::a~9 x::b~10");
	strcpy(fake.pool[3].name, "x"); /* two of one name share its number */
	strcpy(fake.pool[1].name, "vm3");
	fake_owners("1 2 3");
	sync_rows();
	assert_names("vm3::a~5 vm3::b~6 vm10::a~11 vm10::b~12 x::a~9 x::b~10");
}

/* An owner's new labels are those of its rows, too; that is no change of rows. */
static void test_labels_follow(void **state)
{
	struct labels *old;
	uint64_t changes;

	(void)state;
	fake_begin(OWNER_VM, true);
	fake_owners("1 2 3");
	fake_keys(1, "1:a");
	fake_keys(3, "1:a 2:b");
	sync_rows();
	changes = fake.to->changes;
	old = labels_ref(fake.pool[3].labels);
	assert_int_equal(old->refs, 2 + 2);
	fake_label(3, "other");
	fake_owners("1 2 3");
	sync_rows();
	assert_row_labels("vm3::b", "{\"vm\":\"other\",\"reason\":\"b\"}");
	assert_row_labels("vm1::a", "{\"vm\":\"vm1\",\"reason\":\"a\"}");
	assert_int_equal(old->refs, 1);
	labels_unref(old);
	assert_int_equal(fake.to->changes, changes);
	fake_label(1, "first");
	fake_owners("1 2 3");
	fake_keys(2, "5:new"); /* along with a change of rows */
	sync_rows();
	assert_row_labels("vm1::a", "{\"vm\":\"first\",\"reason\":\"a\"}");
	labels_unref(fake.pool[3].labels);
	fake.pool[3].labels = NULL;
	fake_owners("1 2 3");
	sync_rows();
	assert_row_labels("vm3::b", "{\"reason\":\"b\"}");
}

/* changes moves with the rows, and not without. */
static void test_changes(void **state)
{
	static const struct {
		const char *owners, *keys;
		bool changed;
	} steps[] = {
		{ "", "", false },	   { "1", "", false },		{ "1", "1:a 2:b", true },
		{ "1", "1:a 2:b", false }, { "1 2", "1:a 2:b", false }, { "2 1", "1:a 2:b", false },
		{ "1", "1:a 3:b", true },  { "1", "1:a 3:c", true },	{ "1", "1:a", true },
		{ "1", "2:a", true },	   { "1", "2:a 4:d", true },	{ "2", "2:a", true },
		{ "1", "", false },
	};

	(void)state;
	fake_begin(OWNER_VM, true);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		uint64_t changes = fake.to->changes;

		fake_owners(steps[i].owners);
		fake_keys(1, steps[i].keys);
		sync_rows();
		assert_int_equal(fake.to->changes > changes, steps[i].changed);
	}
}

/* A row keeps its number, even if its key comes with another. */
static void test_number_stays(void **state)
{
	(void)state;
	fake_begin(OWNER_VM, true);
	fake_owners("1");
	fake_keys(1, "1:a#7 2:b");
	assert_int_equal(fake_sync(), 0);
	fake_keys(1, "1:a#8 2:b#9");
	assert_int_equal(fake_sync(), 0);
	assert_names("vm1::a#7 vm1::b~1");
}

/* Nobody looks at numbers: nothing is taken or released. */
static void test_no_numbers(void **state)
{
	(void)state;
	fake_begin(OWNER_VM, true);
	fake.has_numbers = false;
	fake_owners("1");
	fake_keys(1, "1:a#7 2:b 3:c");
	sync_rows();
	assert_names("vm1::a#7 vm1::b~0 vm1::c~0");
	fake_keys(1, "3:c");
	sync_rows();
	assert_int_equal(fake.taken + fake.released, 0);
}

/* A row without a number, or with a name that cannot be shown, is left out; others are not. */
static void test_left_out(void **state)
{
	(void)state;
	fake_begin(OWNER_VM, true);
	fake.no_number = "vm1::b";
	fake_owners("1 2");
	fake_keys(1, "1:a 2:b 3:c\n 4:d");
	fake_keys(2, "2:b");
	for (int i = 0; i < 3; i++) {
		uint64_t changes = fake.to->changes;

		sync_rows();
		assert_names("vm1::a~1 vm1::d~2 vm2::b~3");
		assert_int_equal(fake.to->changes > changes, i == 0);
	}
	fake.no_number = NULL;
	sync_rows();
	assert_names("vm1::a~1 vm1::b~4 vm1::d~2 vm2::b~3");
	strcpy(fake.pool[1].name, "\n");
	fake_owners("1 2");
	sync_rows();
	assert_names("vm2::b~3");
}

#define tables_test(test) cmocka_unit_test_teardown(test, fake_end)

/* The names of rows that go are kept, with their numbers; those of rows with fixed numbers need
 * not. */
static void test_past_names(void **state)
{
	struct past_names *past = past_names_new();
	uint32_t number;

	(void)state;
	fake_begin(OWNER_VM, true);
	fake.to->past = past;
	fake_owners("1 2");
	fake_keys(1, "1:a");
	fake_keys(2, "1:a 9:c#9");
	sync_rows();
	number = fake.to->rows[1].number;
	assert_true(fake.to->rows[1].by_name);
	assert_null(past_names_find(past, fake.to, number));
	fake_owners("1");
	sync_rows();
	assert_synced();
	assert_non_null(past_names_find(past, fake.to, number));
	assert_non_null(strstr(past_names_find(past, fake.to, number), "::a"));
	assert_null(past_names_find(past, fake.to, 9));
	assert_null(past_names_find(past, fake.to, fake.to->rows[0].number));
	past_names_free(past);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		tables_test(test_host),
		tables_test(test_host_keys),
		tables_test(test_cpus),
		tables_test(test_cpu_keys),
		tables_test(test_vms),
		tables_test(test_vm_keys),
		tables_test(test_vcpus),
		tables_test(test_vcpu_keys),
		tables_test(test_no_label),
		tables_test(test_key_means_another),
		tables_test(test_key_of_two_owners),
		tables_test(test_owner_is_another),
		tables_test(test_labels_follow),
		tables_test(test_changes),
		tables_test(test_number_stays),
		tables_test(test_no_numbers),
		tables_test(test_left_out),
		cmocka_unit_test_teardown(test_past_names, fake_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
