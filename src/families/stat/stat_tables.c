// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The stat family's tables: of the host, of VMs, of vCPUs. */
#include <stdlib.h>

#include "families/stat/stat.h"

/* --- statistics: the variant of a table is its enum stat_table --- */

static int columns_make(void *state, const struct table *table, struct snapshot_table *to)
{
	return stat_columns_make(state, (enum stat_table)table->variant, to);
}

static bool counted(void *state)
{
	const struct stat_family *family = state;

	return family->totals.counted;
}

/* Counters keep their values while nothing is attached; gauges and peaks are then unknown. */
static int host_fill(void *state, const struct table_row *row)
{
	const struct stat_family *family = state;
	const struct stat_columns *columns = &family->columns[row->table->variant];

	stat_columns_put(columns, row->cells, family->totals.now,
			 family->totals.now + family->layout->vm.nvalues);
	for (size_t i = 0; family->source == STAT_NOWHERE && i < columns->n; i++) {
		if (!stat_is_cumulative(columns->list[i].stat))
			snapshot_cell_unset(&row->cells[columns->list[i].column]);
	}
	return 0;
}

static int host_hist_fill(void *state, const struct table_row *row)
{
	const struct stat_family *family = state;

	stat_columns_put_bucket(&family->columns[row->table->variant], row->cells, row->key,
				family->totals.now,
				family->totals.now + family->layout->vm.nvalues);
	return 0;
}

/* Statistics of VMs are known while passes read them. */
static bool of_vms(void *state)
{
	const struct stat_family *family = state;

	return family->source == STAT_ITERATOR;
}

/* The decoded values of a VM's row or a vCPU's. Returns false if there are none. */
static bool values_of(const struct owner *owner, const uint64_t **ret_vm, const uint64_t **ret_vcpu)
{
	const struct stat_vcpu *vcpu = owner->vcpu ? stat_vcpu_of(owner->vcpu) : NULL;
	const struct stat_vm *vm = owner->vcpu ? NULL : stat_vm_of(owner->vm);

	*ret_vm = vm ? vm->values : NULL;
	*ret_vcpu = vm ? vm->sum : vcpu ? vcpu->values : NULL;
	return *ret_vcpu;
}

static int own_fill(void *state, const struct table_row *row)
{
	const struct stat_family *family = state;
	const uint64_t *vm, *vcpu;

	if (values_of(row->owner, &vm, &vcpu))
		stat_columns_put(&family->columns[row->table->variant], row->cells, vm, vcpu);
	return 0;
}

static int own_hist_fill(void *state, const struct table_row *row)
{
	const struct stat_family *family = state;
	const uint64_t *vm, *vcpu;

	if (values_of(row->owner, &vm, &vcpu))
		stat_columns_put_bucket(&family->columns[row->table->variant], row->cells, row->key,
					vm, vcpu);
	return 0;
}

static int want_bucket(const struct stat_family *family, size_t at, struct table_sync *sync)
{
	const struct stat_bucket *bucket = &family->buckets.list[at];
	struct table_key key = { .key = (uint32_t)at, .number = TABLE_BY_NAME };

	if (*bucket->name)
		key.name = bucket->name;
	else
		key.range = &bucket->range;
	return table_want(sync, &key);
}

/* The host has all buckets from the start. */
static int host_buckets(void *state, const struct owner *owner, struct table_sync *sync)
{
	const struct stat_family *family = state;
	int err = 0;

	(void)owner;
	for (size_t i = 0; !err && i < family->buckets.n; i++)
		err = want_bucket(family, i, sync);
	return err;
}

/* VMs and vCPUs have the buckets into which something fell. */
static int own_buckets(void *state, const struct owner *owner, struct table_sync *sync)
{
	const struct stat_family *family = state;
	const uint64_t *vm, *vcpu;
	int err = 0;

	if (!family->layout || !values_of(owner, &vm, &vcpu))
		return 0;
	stat_buckets_seen(family, vm, vcpu);
	for (size_t i = 0; !err && i < family->buckets.n; i++) {
		if (family->seen[i])
			err = want_bucket(family, i, sync);
	}
	return err;
}

#define BUCKET "bucket"

const struct table stat_tables[STAT_TABLES] = {
	{ .name = "stock",
	  .variant = STAT_STOCK,
	  .make_columns = columns_make,
	  .begin = counted,
	  .fill = host_fill },
	{ .name = "stat",
	  .variant = STAT_HOST,
	  .make_columns = columns_make,
	  .begin = counted,
	  .fill = host_fill },
	{ .name = "stat_hist",
	  .label = BUCKET,
	  .variant = STAT_HOST_HIST,
	  .make_columns = columns_make,
	  .keys = host_buckets,
	  .begin = counted,
	  .fill = host_hist_fill },
	{ .name = "vm_stat",
	  .owner = OWNER_VM,
	  .variant = STAT_VM,
	  .make_columns = columns_make,
	  .begin = of_vms,
	  .fill = own_fill },
	{ .name = "vm_stat_hist",
	  .owner = OWNER_VM,
	  .label = BUCKET,
	  .variant = STAT_VM_HIST,
	  .make_columns = columns_make,
	  .keys = own_buckets,
	  .begin = of_vms,
	  .fill = own_hist_fill },
	{ .name = "vcpu_stat",
	  .owner = OWNER_VCPU,
	  .variant = STAT_VCPU,
	  .make_columns = columns_make,
	  .begin = of_vms,
	  .fill = own_fill },
	{ .name = "vcpu_stat_hist",
	  .owner = OWNER_VCPU,
	  .label = BUCKET,
	  .variant = STAT_VCPU_HIST,
	  .make_columns = columns_make,
	  .keys = own_buckets,
	  .begin = of_vms,
	  .fill = own_hist_fill },
};
