// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Columns and values of tables. */
#include "fakes/fake_tables.h"

#include <errno.h>

/* Each kind of owners, with keys and without. */
static void test_values(void **state)
{
	(void)state;
	for (int kind = 0; kind < OWNER_KINDS; kind++) {
		for (int keys = 0; keys < 2; keys++) {
			fake_begin((enum owner_kind)kind, keys);
			assert_int_equal(fake_sync(), 0);
			assert_int_equal(fake_fill(), 0); /* no rows */
			fake_owners(kind == OWNER_HOST ? "0" : "3 0 4 1");
			fake_keys(0, "1:a 5:b 9=1-2");
			fake_keys(4, "0:a 4294967294:b");
			fake_keys(1, "1:a");
			sync_rows();
			assert_values(false);
			assert_int_equal(fake_fill(), 0);
			assert_values(true);
			assert_true(fake.to->nrows > 0);
			fake_keys(0, "5:b");
			sync_rows();
			assert_values(!keys); /* new rows are absent until they are filled */
			assert_int_equal(fake_fill(), 0);
			assert_int_equal(fake_fill(), 0);
			assert_values(true);
			fake_end(state);
		}
	}
}

/* Nothing is known: the values of before are absent. */
static void test_begin(void **state)
{
	(void)state;
	fake_begin(OWNER_VM, true);
	fake_owners("1");
	fake_keys(1, "1:a 2:b");
	sync_rows();
	assert_int_equal(fake_fill(), 0);
	assert_values(true);
	fake.begins = false;
	fake.fill_error = -EIO; /* is not called */
	assert_int_equal(fake_fill(), 0);
	assert_values(false);
	fake.fill_error = 0;
	fake.begins = true;
	assert_int_equal(fake_fill(), 0);
	assert_values(true);
	fake.table.begin = NULL;
	assert_int_equal(fake_fill(), 0);
	assert_values(true);
	assert_int_equal(fake.to->nrows, 2);
}

static void test_fill_fails(void **state)
{
	unsigned n;

	(void)state;
	for (n = 0;; n++) {
		int err;

		fake_begin(OWNER_VM, false);
		fake_owners("1 2 3");
		sync_rows();
		alloc_fail_at(n);
		err = fake_fill();
		if (!alloc_failed())
			break;
		assert_int_equal(err, -ENOMEM);
		assert_int_equal(snapshot_table_cell(fake.to, 0, 1)->present, n > 0);
		assert_false(snapshot_table_cell(fake.to, n, 1)->present);
		fake_end(state);
	}
	assert_int_equal(n, 3);
	assert_values(true);
	fake.fill_error = -ENOMEM;
	assert_int_equal(fake_fill(), -ENOMEM);
	assert_values(false);
}

/* Rows can be behind the owners, if there was no memory: no value goes to another's row. */
static void test_behind(void **state)
{
	(void)state;
	fake_begin(OWNER_VM, false);
	fake_owners("1 2 3");
	sync_rows();
	fake_owners("1 5 2 6 3 7"); /* new ones have no rows yet */
	assert_int_equal(fake_fill(), 0);
	assert_values(true);
	fake_owners("1 3");
	assert_int_equal(fake_fill(), 0);
	assert_true(snapshot_table_cell(fake.to, 0, 0)->present);
	assert_false(snapshot_table_cell(fake.to, 1, 0)->present);
	assert_false(snapshot_table_cell(fake.to, 1, 1)->present);
	fake_owners("");
	assert_int_equal(fake_fill(), 0);
	assert_values(false);
	fake_owners("3 2 1");
	assert_int_equal(fake_fill(), 0);
	assert_true(snapshot_table_cell(fake.to, 0, 0)->present);
	assert_false(snapshot_table_cell(fake.to, 1, 0)->present);
	assert_names("vm1~1 vm2~2 vm3~3");
}

static const char *made[] = { "number", "text", NULL, NULL };

static int make_columns(void *state, const struct table *table, struct snapshot_table *to)
{
	int err = 0;

	(void)state;
	assert_ptr_equal(table, &fake.table);
	assert_ptr_equal(to, fake.to);
	for (size_t i = 0; !err && made[i]; i++)
		err = snapshot_once(snapshot_table_add_column(to, made[i]));
	return err;
}

/* Columns as declared, once. */
static void test_columns(void **state)
{
	(void)state;
	fake_begin(OWNER_VM, false);
	sync_rows();
	sync_rows();
	assert_int_equal(fake.to->ncolumns, 2);
	assert_string_equal(fake.to->columns[0].name, "number");
	assert_string_equal(fake.to->columns[1].name, "text");
}

/* Columns that the family makes; more of them, while rows stay. */
static void test_made_columns(void **state)
{
	(void)state;
	fake_begin(OWNER_VM, false);
	fake.table.columns = NULL;
	fake.table.make_columns = make_columns;
	fake_owners("1 2");
	sync_rows();
	assert_int_equal(fake.to->ncolumns, 2);
	assert_int_equal(fake_fill(), 0);
	made[2] = "late";
	sync_rows();
	made[2] = NULL;
	assert_int_equal(fake.to->ncolumns, 3);
	assert_values(true);
	assert_false(snapshot_table_cell(fake.to, 1, 2)->present);
	fake_owners("1 3 2");
	sync_rows();
	assert_int_equal(fake_fill(), 0);
	assert_values(true);
	assert_false(snapshot_table_cell(fake.to, 2, 2)->present);
}

#define tables_test(test) cmocka_unit_test_teardown(test, fake_end)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values), tables_test(test_begin),
		tables_test(test_fill_fails),  tables_test(test_behind),
		tables_test(test_columns),     tables_test(test_made_columns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
