// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Which tables are synced when VMs, vCPUs, CPUs or keys change; the register is a real one. */
#include "fakes/fake_families.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Alpha has a table for each kind of owner, in this order. */
static unsigned syncs[OWNER_KINDS], fills[OWNER_KINDS];

static int owner_columns(void *state, const struct table *table, struct snapshot_table *to)
{
	const struct fake *fake = state;

	syncs[table->owner]++;
	if (fake->sync_err)
		return fake->sync_err;
	return snapshot_once(snapshot_table_add_column(to, "id"));
}

static int owner_fill(void *state, const struct table_row *row)
{
	(void)state;
	fills[row->table->owner]++;
	snapshot_cell_set(&row->cells[0], row->owner->id);
	return 0;
}

#define OWNER_TABLE(kind)                                           \
	[kind] = { .name = #kind,                                   \
		   .owner = (kind),                                 \
		   .make_columns = owner_columns,                   \
		   .keys = (kind) == OWNER_HOST ? fake_keys : NULL, \
		   .fill = owner_fill }

static const struct table tables[OWNER_KINDS] = {
	OWNER_TABLE(OWNER_HOST),
	OWNER_TABLE(OWNER_CPU),
	OWNER_TABLE(OWNER_VM),
	OWNER_TABLE(OWNER_VCPU),
};

#define BIT(kind) (1ULL << (kind))
#define ALL	  (BIT(OWNER_KINDS) - 1)

static unsigned refreshes; /* of the register */

void __wrap_vms_refresh(struct vms *vms);
void __wrap_vms_refresh(struct vms *vms)
{
	(void)vms;
	refreshes++;
}

static int setup(void **state)
{
	int err = fake_setup(state);

	fake_alpha_tables(tables, ARRAY_SIZE(tables));
	memset(syncs, 0, sizeof(syncs));
	memset(fills, 0, sizeof(fills));
	return err;
}

/* Make a pass that shows the VMs 1 ... n, each with one vCPU. */
static void pass(unsigned n)
{
	struct vms *vms = fakes[ALPHA].env.vms;
	struct vm_record record = { .birth = 1, .comm = "vmm", .run_delay = VMS_NO_DELAY };

	record.pid = record.tgid = record.creator = (uint32_t)getpid();
	vms_begin(vms);
	for (unsigned i = 1; i <= n; i++) {
		record.kvm = i;
		record.vcpu = 0;
		assert_int_equal(vms_see(vms, &record, NULL), 0);
		record.vcpu = 100 + i;
		assert_int_equal(vms_see(vms, &record, NULL), 0);
	}
	vms_end(vms);
}

static unsigned snapshot_table_index(const char *name)
{
	const struct snapshot *snapshot = collector_snapshot(collector);
	unsigned i = 0;

	while (strcmp(snapshot->tables[i]->name, name))
		i++;
	return i;
}

static struct snapshot_table *table_of(enum owner_kind kind)
{
	return collector_snapshot(collector)->tables[kind];
}

/* The tables in the mask were synced once since the last call, and no others. */
static void assert_synced(uint64_t mask)
{
	for (int i = 0; i < OWNER_KINDS; i++) {
		assert_int_equal(syncs[i], (mask & BIT(i)) != 0);
		syncs[i] = 0;
	}
}

static void open_and_sync(void)
{
	open_all();
	assert_synced(ALL);
}

/* Tables of which most are never read have columns at the start, and rows once they are read. */
static void test_rows_late(void **state)
{
	(void)state;
	config.rows_late = true;
	open_and_sync(); /* columns alone */
	config.rows_late = false;
	assert_int_equal(table_of(OWNER_HOST)->ncolumns, 1);
	assert_int_equal(table_of(OWNER_HOST)->nrows, 0);
	pass(2);
	collector_tick(collector, &report);
	assert_synced(0);
	assert_int_equal(collector_read(collector, BIT(OWNER_VM)), 0);
	assert_synced(BIT(OWNER_VM));
	assert_int_equal(table_of(OWNER_VM)->nrows, 2);
	assert_int_equal(table_of(OWNER_VCPU)->nrows, 0);
	assert_int_equal(collector_read(collector, BIT(OWNER_VM) | BIT(OWNER_HOST)), 0);
	assert_synced(BIT(OWNER_HOST));
	assert_int_equal(table_of(OWNER_HOST)->nrows, 1);
	pass(3);
	assert_int_equal(collector_read(collector, BIT(OWNER_VM)), 0);
	assert_synced(BIT(OWNER_VM));
	assert_int_equal(table_of(OWNER_VM)->nrows, 3);
}

static void test_rows_at_the_start(void **state)
{
	static const size_t nrows[] = { 1, 0, 0, 0 };

	(void)state;
	open_and_sync();
	for (int i = 0; i < OWNER_KINDS; i++)
		assert_int_equal(table_of(i)->nrows, nrows[i]);
	assert_int_equal(collector_read(collector, ALL), 0);
	assert_synced(0);
}

/* A read of VMs, of vCPUs, or of the register's own tables asks for a pass, once; no other does. */
static void test_who_needs_a_pass(void **state)
{
	static const unsigned passes[OWNER_KINDS] = { 0, 0, 1, 1 };
	uint64_t registers;

	(void)state;
	open_and_sync();
	for (int i = 0; i < OWNER_KINDS; i++) {
		refreshes = 0;
		assert_int_equal(collector_read(collector, BIT(i)), 0);
		assert_int_equal(refreshes, passes[i]);
		assert_int_equal(collector_read_with_rows(collector, 0, BIT(i)), 0);
		assert_int_equal(refreshes, 2 * passes[i]);
	}
	refreshes = 0;
	assert_int_equal(collector_read(collector, ALL), 0);
	assert_int_equal(refreshes, 1);
	registers = 1ULL << snapshot_table_index("vms");
	assert_int_equal(collector_read(collector, registers), 0);
	assert_int_equal(refreshes, 2);
}

/* VMs that appear cost a sync of the tables that are asked for, when they are, and never the
 * host's. */
static void test_sync_on_demand(void **state)
{
	(void)state;
	open_and_sync();
	pass(2);
	assert_int_equal(collector_read(collector, BIT(OWNER_VM)), 0);
	assert_synced(BIT(OWNER_VM));
	assert_int_equal(table_of(OWNER_VM)->nrows, 2);
	assert_int_equal(table_of(OWNER_VCPU)->nrows, 0);
	assert_int_equal(fills[OWNER_VM], 2);
	assert_int_equal(cell_at("OWNER_VM", 1, "id")->number, fakes[ALPHA].env.vms->list[1]->id);
	assert_int_equal(collector_read(collector, BIT(OWNER_VM) | BIT(OWNER_HOST)), 0);
	assert_synced(0);
	assert_int_equal(collector_read(collector, ALL), 0);
	assert_synced(BIT(OWNER_CPU) | BIT(OWNER_VCPU));
	assert_int_equal(table_of(OWNER_VCPU)->nrows, 2);
	pass(2);
	assert_int_equal(collector_read(collector, ALL), 0);
	assert_synced(0);
	pass(1);
	assert_int_equal(collector_read(collector, ALL), 0);
	assert_synced(ALL & ~BIT(OWNER_HOST));
	assert_int_equal(table_of(OWNER_VM)->nrows, 1);
	assert_int_equal(cell_at("OWNER_VCPU", 0, "id")->number,
			 fakes[ALPHA].env.vms->list[0]->vcpus[0].id);
}

/* Rows of a table can be asked for without its values. */
static void test_rows_without_values(void **state)
{
	(void)state;
	open_and_sync();
	pass(2);
	assert_int_equal(collector_read_with_rows(collector, BIT(OWNER_VCPU), BIT(OWNER_VM)), 0);
	assert_synced(BIT(OWNER_VM) | BIT(OWNER_VCPU));
	assert_int_equal(table_of(OWNER_VM)->nrows, 2);
	assert_int_equal(fills[OWNER_VM], 0);
	assert_int_equal(fills[OWNER_VCPU], 2);
	assert_false(cell_at("OWNER_VM", 0, "id")->present);
}

/* Keys that changed: a refresh of the family says so, whichever of its tables it was for. */
static void test_keys_on_demand(void **state)
{
	(void)state;
	fake_hooks(ALPHA);
	open_and_sync();
	fakes[ALPHA].refresh_ret = 1;
	fakes[ALPHA].more_rows = 2;
	assert_int_equal(collector_read(collector, BIT(OWNER_VCPU)), 0);
	assert_synced(BIT(OWNER_VCPU));
	assert_int_equal(table_of(OWNER_HOST)->nrows, 1);
	fakes[ALPHA].refresh_ret = 0;
	assert_int_equal(collector_read(collector, BIT(OWNER_HOST)), 0);
	assert_synced(BIT(OWNER_HOST));
	assert_int_equal(table_of(OWNER_HOST)->nrows, 3);
	assert_int_equal(collector_read(collector, BIT(OWNER_HOST) | BIT(OWNER_VCPU)), 0);
	assert_synced(0);
}

/* What no read has asked for since is synced by a tick. */
static void test_a_tick_catches_up(void **state)
{
	(void)state;
	open_and_sync();
	pass(1);
	assert_int_equal(collector_read(collector, BIT(OWNER_HOST)), 0);
	assert_synced(0);
	assert_true(collector_tick(collector, &report));
	assert_synced(ALL);
	assert_int_equal(table_of(OWNER_VM)->nrows, 1);
	assert_false(collector_tick(collector, &report));
	assert_synced(0);
}

static void test_new_cpus(void **state)
{
	(void)state;
	open_and_sync();
	fakes[ALPHA].env.cpus->present[3] = true;
	machine.update_ret = 1;
	assert_true(collector_tick(collector, &report));
	assert_synced(ALL);
	fakes[ALPHA].env.cpus->present[1] = true;
	assert_true(collector_tick(collector, &report));
	assert_synced(ALL);
	assert_int_equal(table_of(OWNER_CPU)->nrows, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(table_of(OWNER_CPU)->rows[i].number, i ? 3 : 1);
		assert_string_equal(table_of(OWNER_CPU)->rows[i].name, i ? "cpu3" : "cpu1");
	}
	assert_int_equal(collector_read(collector, BIT(OWNER_CPU)), 0);
	assert_int_equal(cell_at("OWNER_CPU", 1, "id")->number, 3);
}

/* Attaching can change keys and columns; other families' tables are as they were. */
static void test_sync_after_attaching(void **state)
{
	unsigned others;

	(void)state;
	open_and_sync();
	others = fakes[BETA].syncs;
	assert_int_equal(collector_switch(collector, ALPHA, false, &report), 0);
	assert_synced(0);
	fakes[ALPHA].more_rows = 1;
	assert_int_equal(collector_switch(collector, ALPHA, true, &report), 0);
	assert_synced(ALL);
	assert_int_equal(table_of(OWNER_HOST)->nrows, 2);
	assert_int_equal(fakes[BETA].syncs, others);
}

/* A sync that fails leaves the rows as they are, and the next read tries again; so does a tick. */
static void test_sync_that_fails(void **state)
{
	(void)state;
	open_and_sync();
	for (unsigned i = 1; i <= 2; i++) {
		pass(i);
		fakes[ALPHA].sync_err = -ENOMEM;
		assert_int_equal(collector_read(collector, BIT(OWNER_VM)), 0);
		assert_synced(BIT(OWNER_VM));
		assert_int_equal(table_of(OWNER_VM)->nrows, i - 1);
		fakes[ALPHA].sync_err = 0;
		if (i == 1)
			assert_int_equal(collector_read(collector, BIT(OWNER_VM)), 0);
		else
			assert_true(collector_tick(collector, &report));
		assert_synced(i == 1 ? BIT(OWNER_VM) : ALL);
		assert_int_equal(table_of(OWNER_VM)->nrows, i);
	}
}

/* Numbers of VMs are by name: the same for another agent, and different for different VMs. */
static void test_numbers(void **state)
{
	uint32_t first[2];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(instance_numbers_open(NULL, 100, &report, &machine.numbers), 0);
		open_and_sync();
		pass(2);
		assert_int_equal(collector_read(collector, ALL), 0);
		for (unsigned j = 0; j < 2; j++) {
			const struct snapshot_row *row = &table_of(OWNER_VM)->rows[j];

			assert_int_equal(row->number >> 30, 1);
			assert_int_not_equal(row->number, 1U << 30);
			assert_true(row->by_name);
			if (!i)
				first[j] = row->number;
			assert_int_equal(row->number, first[j]);
		}
		assert_int_not_equal(first[0], first[1]);
		collector_close(collector);
		collector = NULL;
		instance_numbers_close(machine.numbers);
		memset(syncs, 0, sizeof(syncs));
	}
}

#define rows_test(test) cmocka_unit_test_setup_teardown(test, setup, fake_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		rows_test(test_rows_at_the_start),
		rows_test(test_rows_late),
		rows_test(test_who_needs_a_pass),
		rows_test(test_sync_on_demand),
		rows_test(test_rows_without_values),
		rows_test(test_keys_on_demand),
		rows_test(test_a_tick_catches_up),
		rows_test(test_new_cpus),
		rows_test(test_sync_after_attaching),
		rows_test(test_sync_that_fails),
		rows_test(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
