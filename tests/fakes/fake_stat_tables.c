// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/fake_stat_tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vms/vm_tables.h"

struct stat_family family;
struct snapshot snapshot;
struct owners owners;
static uint64_t scratch[VM_VALUES + VCPU_VALUES];
static bool seen[FAKE_BUCKETS];
struct shown a, a0, a1, b;

const struct table *table_at(size_t i)
{
	return i < STAT_TABLES ? &stat_tables[i] : &vm_tables[i - STAT_TABLES];
}

void *state_at(size_t i)
{
	return i < STAT_TABLES ? (void *)&family : vms;
}

int __wrap_vms_attached(const struct vms *of, const char **ret_error);
int __wrap_vms_attached(const struct vms *of, const char **ret_error)
{
	assert_ptr_equal(of, vms);
	*ret_error = NULL;
	return family.source == STAT_ITERATOR ? 0 : -ENOENT;
}

int sync_one(size_t i)
{
	return table_sync(table_at(i), state_at(i), &owners, NULL, snapshot.tables[i]);
}

void owners_follow(void)
{
	assert_int_equal(owners_update(&owners, vms, &(struct cpus){ 0 }), 0);
}

void tables_sync(void)
{
	owners_follow();
	for (size_t i = 0; i < TABLES; i++)
		assert_int_equal(sync_one(i), 0);
}

int read_one(size_t i)
{
	return table_fill(table_at(i), state_at(i), &owners, snapshot.tables[i]);
}

void tables_read(void)
{
	for (size_t i = 0; i < TABLES; i++)
		assert_int_equal(read_one(i), 0);
}

void tables_refresh(void)
{
	stat_totals_sum(&family.totals, vms);
	tables_sync();
	tables_read();
}

static void count_ended(const struct vm *vm)
{
	stat_totals_ended(&family.totals, vm);
}

int stat_tables_setup(void **state)
{
	struct snapshot_table *table;

	if (fakes_setup(state))
		return -1;
	snapshot = (struct snapshot){ 0 };
	owners = (struct owners){ 0 };
	family = (struct stat_family){ .env.vms = vms,
				       .source = STAT_ITERATOR,
				       .layout = &layout,
				       .scratch = scratch,
				       .seen = seen };
	if (vm_tables_count != TABLES - STAT_TABLES)
		return -1;
	for (size_t i = 0; i < TABLES; i++) {
		if (snapshot_add_table(&snapshot, table_at(i)->name, &table))
			return -1;
	}
	if (stat_totals_init(&layout, &family.totals) ||
	    stat_buckets_init(&layout, &family.buckets))
		return -1;
	when_ended = count_ended;
	a = shown_vm(100, 7);
	a0 = shown_vcpu(&a, 11, 0);
	a1 = shown_vcpu(&a, 22, 1);
	b = shown_vm(200, 8);
	for (int i = 0; i < VM_HIST; i++) {
		a.values[i] = 10 + (unsigned)i;
		a0.values[i] = 100 + (unsigned)i;
		a1.values[i] = 1000 + (unsigned)i;
	}
	return 0;
}

int stat_tables_teardown(void **state)
{
	for (int i = 0; i < STAT_TABLES; i++)
		stat_columns_free(&family.columns[i]);
	stat_totals_free(&family.totals);
	stat_buckets_free(&family.buckets);
	snapshot_free(&snapshot);
	owners_free(&owners);
	return fakes_teardown(state);
}

struct snapshot_table *table_of(const char *name)
{
	struct snapshot_table *table = snapshot_find_table(&snapshot, name);

	assert_non_null(table);
	return table;
}

void assert_columns(const char *name, const char *text)
{
	const struct snapshot_table *table = table_of(name);
	char found[1024] = "";

	for (size_t i = 0; i < table->ncolumns; i++) {
		const struct snapshot_column *column = &table->columns[i];

		snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s%s:%s:%s",
			 i ? " " : "", column->name, metric_semantics_name(column->semantics),
			 metric_units_name(column->units));
	}
	assert_string_equal(found, text);
}

void assert_rows(const char *name, const char *text)
{
	const struct snapshot_table *table = table_of(name);
	char found[1024] = "";

	for (size_t i = 0; i < table->nrows; i++) {
		strcat(found, i ? " " : "");
		strcat(found, table->rows[i].name);
	}
	assert_string_equal(found, text);
}

const struct snapshot_cell *cell_of(const char *name, const char *row, const char *column)
{
	const struct snapshot_table *table = table_of(name);
	int number = snapshot_table_column(table, column);

	assert_true(number >= 0);
	for (size_t i = 0; i < table->nrows; i++) {
		if (strcmp(table->rows[i].name, row) == 0)
			return snapshot_table_cell(table, i, (size_t)number);
	}
	fail_msg("%s has no row %s", name, row);
	return NULL;
}

void assert_cell(const char *name, const char *row, const char *column, uint64_t expected)
{
	const struct snapshot_cell *cell = cell_of(name, row, column);

	assert_true(cell->present);
	assert_int_equal(cell->number, expected);
}

void assert_absent(const char *name, const char *row, const char *column)
{
	assert_false(cell_of(name, row, column)->present);
}
