// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Maps statistics to columns of the stat family's tables. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "metrics/metric_table.h"
#include "families/stat/stat.h"

/* Does the stock agent have a metric with this name? */
static bool is_stock(const struct statistic *stat)
{
	for (size_t i = 0; i < metrics_count; i++) {
		if (strcmp(metrics[i].table, "stock") == 0 &&
		    strcmp(metrics[i].column, stat->name) == 0)
			return true;
	}
	return false;
}

static bool is_of_table(enum stat_table which, const struct statistic *stat)
{
	switch (which) {
	case STAT_STOCK:
		return !stat_is_histogram(stat) && is_stock(stat);
	case STAT_HOST:
		return !stat_is_histogram(stat) && !is_stock(stat);
	case STAT_VM:
	case STAT_VCPU:
		return !stat_is_histogram(stat);
	case STAT_HOST_HIST:
	case STAT_VM_HIST:
	case STAT_VCPU_HIST:
	case STAT_TABLES:
		break;
	}
	return stat_is_histogram(stat);
}

/* A histogram's values are counts, whatever units it sorts. */
static void column_describe(struct snapshot_table *table, size_t column,
			    const struct statistic *stat)
{
	bool counts = stat_is_cumulative(stat);

	snapshot_table_describe(table, column, counts ? METRIC_COUNTER : METRIC_INSTANT,
				stat_is_histogram(stat) ? METRIC_COUNT : stat->units);
}

static int columns_add(struct stat_columns *columns, const struct stat_list *list, bool of_vcpu,
		       enum stat_table which, struct snapshot_table *table)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct statistic *stat = &list->list[i];
		struct stat_column *to = &columns->list[columns->n];
		int err;

		if (!is_of_table(which, stat))
			continue;
		err = snapshot_once(snapshot_table_add_column(table, stat->name));
		if (err)
			return err;
		*to = (struct stat_column){
			.stat = stat,
			.of_vcpu = of_vcpu,
			.column = (size_t)snapshot_table_column(table, stat->name),
		};
		for (size_t j = 0; j < columns->n; j++)
			to->again |= columns->list[j].column == to->column;
		column_describe(table, to->column, stat);
		columns->n++;
	}
	return 0;
}

void stat_columns_free(struct stat_columns *columns)
{
	for (size_t i = 0; i < columns->n; i++)
		free(columns->list[i].values);
	free(columns->list);
	*columns = (struct stat_columns){ 0 };
}

/* Where a histogram's buckets are among its values. Returns 0 or -ENOMEM. */
static int bucket_values_make(const struct stat_buckets *buckets, struct stat_column *column)
{
	const uint32_t *places = column->of_vcpu ? buckets->vcpu_place : buckets->vm_place;

	column->values = calloc(buckets->n + 1, sizeof(*column->values));
	if (!column->values)
		return -ENOMEM;
	for (size_t i = 0; i < buckets->n; i++)
		column->values[i] = STAT_NO_VALUE;
	for (uint32_t i = 0; i < column->stat->buckets; i++)
		column->values[places[column->stat->first + i]] = column->stat->first + i;
	return 0;
}

int stat_columns_make(struct stat_family *family, enum stat_table which,
		      struct snapshot_table *table)
{
	const struct stat_layout *layout = family->layout;
	struct stat_columns columns = { .layout = layout };
	bool vcpu_only = which == STAT_VCPU || which == STAT_VCPU_HIST;
	bool host = which == STAT_STOCK || which == STAT_HOST || which == STAT_HOST_HIST;
	int err = 0;

	if (!layout || family->columns[which].layout == layout)
		return 0;
	if (!host && !layout->vm.bytes)
		return 0; /* debugfs has host totals only */
	columns.list = calloc(layout->vm.n + layout->vcpu.n + 1, sizeof(*columns.list));
	if (!columns.list)
		return -ENOMEM;
	if (!vcpu_only)
		err = columns_add(&columns, &layout->vm, false, which, table);
	if (!err)
		err = columns_add(&columns, &layout->vcpu, true, which, table);
	for (size_t i = 0; !err && i < columns.n; i++) {
		if (stat_is_histogram(columns.list[i].stat))
			err = bucket_values_make(&family->buckets, &columns.list[i]);
	}
	if (err) {
		stat_columns_free(&columns);
		return err;
	}
	stat_columns_free(&family->columns[which]);
	family->columns[which] = columns;
	return 0;
}

static void cell_put(struct snapshot_cell *cells, const struct stat_column *column, uint64_t value)
{
	struct snapshot_cell *cell = &cells[column->column];

	snapshot_cell_set(cell, column->again && cell->present ? cell->number + value : value);
}

void stat_columns_put(const struct stat_columns *columns, struct snapshot_cell *cells,
		      const uint64_t *vm, const uint64_t *vcpu)
{
	for (size_t i = 0; i < columns->n; i++) {
		const struct stat_column *column = &columns->list[i];
		const uint64_t *values = column->of_vcpu ? vcpu : vm;

		cell_put(cells, column, values[column->stat->first]);
	}
}

void stat_columns_put_bucket(const struct stat_columns *columns, struct snapshot_cell *cells,
			     uint32_t bucket, const uint64_t *vm, const uint64_t *vcpu)
{
	for (size_t i = 0; i < columns->n; i++) {
		const struct stat_column *column = &columns->list[i];
		uint32_t value = column->values[bucket];

		if (value != STAT_NO_VALUE)
			cell_put(cells, column, (column->of_vcpu ? vcpu : vm)[value]);
	}
}
