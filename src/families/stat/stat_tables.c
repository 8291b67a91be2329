// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Tables of the stat family: of the host, of VMs, of vCPUs. */
#include <stdlib.h>

#include "metrics/row_set.h"
#include "families/stat/stat.h"

/* --- rows --- */

static int want_buckets(const struct stat_family *family, struct rows *rows,
			const uint32_t *numbers, const char *name, struct snapshot_labels *labels)
{
	int err = 0;

	for (size_t i = 0; !err && i < family->buckets.n; i++) {
		struct row_want want = { numbers[i], name, family->buckets.names[i], labels };

		if (numbers[i])
			err = rows_want(rows, &want);
	}
	return err;
}

/* Make rows of all VMs, or of their buckets. */
static int vm_rows(struct stat_family *family, struct snapshot_table *table, bool buckets)
{
	const struct vms *vms = family->env.vms;
	struct rows rows = { 0 };
	int err = 0;

	for (size_t i = 0; !err && i < vms->n; i++) {
		const struct vm *vm = vms->list[i];
		struct row_want want = { vm->id, vm->name, NULL, vm->labels };

		if (vm_is_there(vms, vm))
			err = buckets ? want_buckets(family, &rows, vm->buckets, vm->name,
						     vm->labels) :
					rows_want(&rows, &want);
	}
	return rows_follow(&rows, table, err);
}

static int vcpu_rows(struct stat_family *family, struct snapshot_table *table, bool buckets)
{
	const struct vms *vms = family->env.vms;
	struct rows rows = { 0 };
	int err = 0;

	for (size_t i = 0; i < vms->n; i++) {
		const struct vm *vm = vms->list[i];

		for (size_t j = 0; !err && vm_is_there(vms, vm) && j < vm->nvcpus; j++) {
			const struct vcpu *vcpu = &vm->vcpus[j];
			struct row_want want = { vcpu->id, vcpu->name, NULL, vcpu->labels };

			if (vcpu_is_there(vms, vcpu))
				err = buckets ? want_buckets(family, &rows, vcpu->buckets,
							     vcpu->name, vcpu->labels) :
						rows_want(&rows, &want);
		}
	}
	return rows_follow(&rows, table, err);
}

/* --- the tables --- */

static int stock_sync(void *state, struct snapshot_table *table)
{
	int err = stat_columns_make(state, STAT_STOCK, table);

	return err ? err : snapshot_once(snapshot_table_add_row(table, 0, ""));
}

static int host_sync(void *state, struct snapshot_table *table)
{
	int err = stat_columns_make(state, STAT_HOST, table);

	return err ? err : snapshot_once(snapshot_table_add_row(table, 0, ""));
}

/* When nothing is attached, counters keep their last value and gauges are unknown. */
static void host_read(struct stat_family *family, enum stat_table which,
		      struct snapshot_table *table)
{
	const struct stat_columns *columns = &family->columns[which];
	struct snapshot_cell *cells = snapshot_table_cell(table, 0, 0);

	if (!family->totals.counted)
		return;
	stat_columns_put(columns, table, 0, family->totals.now,
			 family->totals.now + family->layout->vm.nvalues);
	for (size_t i = 0; family->source == STAT_NOWHERE && i < columns->n; i++) {
		if (!stat_is_cumulative(columns->list[i].stat))
			snapshot_cell_unset(&cells[columns->list[i].column]);
	}
}

static int stock_read(void *state, struct snapshot_table *table)
{
	host_read(state, STAT_STOCK, table);
	return 0;
}

static int stat_read(void *state, struct snapshot_table *table)
{
	host_read(state, STAT_HOST, table);
	return 0;
}

/* The host's table has a row for every bucket; its number is its index + 1. */
static int host_hist_sync(void *state, struct snapshot_table *table)
{
	struct stat_family *family = state;
	struct rows rows = { 0 };
	int err = stat_columns_make(family, STAT_HOST_HIST, table);

	for (size_t i = 0; !err && i < family->buckets.n; i++)
		err = rows_want(&rows, &(struct row_want){ (uint32_t)i + 1,
							   family->buckets.names[i], NULL, NULL });
	return rows_follow(&rows, table, err);
}

static int host_hist_read(void *state, struct snapshot_table *table)
{
	struct stat_family *family = state;

	if (family->totals.counted)
		stat_columns_put_buckets(family, &family->columns[STAT_HOST_HIST], table,
					 family->buckets.host_number, family->totals.now,
					 family->totals.now + family->layout->vm.nvalues);
	return 0;
}

static int vm_stat_sync(void *state, struct snapshot_table *table)
{
	int err = stat_columns_make(state, STAT_VM, table);

	return err ? err : vm_rows(state, table, false);
}

static int vm_hist_sync(void *state, struct snapshot_table *table)
{
	int err = stat_columns_make(state, STAT_VM_HIST, table);

	return err ? err : vm_rows(state, table, true);
}

static int vcpu_stat_sync(void *state, struct snapshot_table *table)
{
	int err = stat_columns_make(state, STAT_VCPU, table);

	return err ? err : vcpu_rows(state, table, false);
}

static int vcpu_hist_sync(void *state, struct snapshot_table *table)
{
	int err = stat_columns_make(state, STAT_VCPU_HIST, table);

	return err ? err : vcpu_rows(state, table, true);
}

static int vm_stat_read(void *state, struct snapshot_table *table)
{
	struct stat_family *family = state;
	const struct vms *vms = family->env.vms;

	for (size_t i = 0; i < vms->n; i++) {
		int row = snapshot_table_row(table, vms->list[i]->id);

		if (row >= 0)
			stat_columns_put(&family->columns[STAT_VM], table, (size_t)row,
					 vms->list[i]->values, vms->list[i]->sum);
	}
	return 0;
}

static int vm_hist_read(void *state, struct snapshot_table *table)
{
	struct stat_family *family = state;
	const struct vms *vms = family->env.vms;

	for (size_t i = 0; i < vms->n; i++) {
		const struct vm *vm = vms->list[i];

		stat_columns_put_buckets(family, &family->columns[STAT_VM_HIST], table, vm->buckets,
					 vm->values, vm->sum);
	}
	return 0;
}

static int vcpu_stat_read(void *state, struct snapshot_table *table)
{
	struct stat_family *family = state;
	const struct vms *vms = family->env.vms;

	for (size_t i = 0; i < vms->n; i++) {
		for (size_t j = 0; j < vms->list[i]->nvcpus; j++) {
			const struct vcpu *vcpu = &vms->list[i]->vcpus[j];
			int row = snapshot_table_row(table, vcpu->id);

			if (row >= 0)
				stat_columns_put(&family->columns[STAT_VCPU], table, (size_t)row,
						 NULL, vcpu->values);
		}
	}
	return 0;
}

static int vcpu_hist_read(void *state, struct snapshot_table *table)
{
	struct stat_family *family = state;
	const struct vms *vms = family->env.vms;

	for (size_t i = 0; i < vms->n; i++) {
		for (size_t j = 0; j < vms->list[i]->nvcpus; j++) {
			const struct vcpu *vcpu = &vms->list[i]->vcpus[j];

			stat_columns_put_buckets(family, &family->columns[STAT_VCPU_HIST], table,
						 vcpu->buckets, NULL, vcpu->values);
		}
	}
	return 0;
}

enum { VMS_VMS, VMS_VCPUS };

static int vms_sync(void *state, struct snapshot_table *table)
{
	int err = snapshot_once(snapshot_table_add_column(table, "vms"));

	(void)state;
	if (!err)
		err = snapshot_once(snapshot_table_add_column(table, "vcpus"));
	return err ? err : snapshot_once(snapshot_table_add_row(table, 0, ""));
}

/* The number of vCPUs present in the last pass. */
static uint64_t count_vcpus(const struct vms *vms, const struct vm *vm)
{
	uint64_t n = 0;

	for (size_t i = 0; i < vm->nvcpus; i++)
		n += vcpu_is_there(vms, &vm->vcpus[i]);
	return n;
}

static int vms_read(void *state, struct snapshot_table *table)
{
	struct stat_family *family = state;
	const struct vms *vms = family->env.vms;
	uint64_t n = 0, nvcpus = 0;

	for (size_t i = 0; i < vms->n; i++) {
		if (!vm_is_there(vms, vms->list[i]))
			continue;
		n++;
		nvcpus += count_vcpus(vms, vms->list[i]);
	}
	if (family->source != STAT_ITERATOR) {
		snapshot_table_unset(table);
		return 0;
	}
	snapshot_cell_set(snapshot_table_cell(table, 0, VMS_VMS), n);
	snapshot_cell_set(snapshot_table_cell(table, 0, VMS_VCPUS), nvcpus);
	return 0;
}

enum { VM_VCPUS, VM_PID, VM_NAME };

static int vm_sync(void *state, struct snapshot_table *table)
{
	static const char *const names[] = {
		[VM_VCPUS] = "vcpus",
		[VM_PID] = "pid",
		[VM_NAME] = "name",
	};
	int err = 0;

	for (size_t i = table->ncolumns; !err && i < sizeof(names) / sizeof(names[0]); i++)
		err = snapshot_table_add_column(table, names[i]);
	return err ? err : vm_rows(state, table, false);
}

static int vm_read(void *state, struct snapshot_table *table)
{
	struct stat_family *family = state;
	const struct vms *vms = family->env.vms;
	int err = 0;

	for (size_t i = 0; !err && i < vms->n; i++) {
		const struct vm *vm = vms->list[i];
		int row = snapshot_table_row(table, vm->id);
		struct snapshot_cell *cells;

		if (row < 0)
			continue;
		cells = snapshot_table_cell(table, (size_t)row, 0);
		snapshot_cell_set(&cells[VM_VCPUS], count_vcpus(vms, vm));
		snapshot_cell_set(&cells[VM_PID], vm->pid);
		err = snapshot_cell_set_text(&cells[VM_NAME], vm->identity.name);
	}
	return err;
}

const struct family_table stat_tables[STAT_FAMILY_TABLES] = {
	{ "vms", vms_sync, vms_read },
	{ "vm", vm_sync, vm_read },
	{ "stock", stock_sync, stock_read },
	{ "stat", host_sync, stat_read },
	{ "stat_hist", host_hist_sync, host_hist_read },
	{ "vm_stat", vm_stat_sync, vm_stat_read },
	{ "vm_stat_hist", vm_hist_sync, vm_hist_read },
	{ "vcpu_stat", vcpu_stat_sync, vcpu_stat_read },
	{ "vcpu_stat_hist", vcpu_hist_sync, vcpu_hist_read },
};
