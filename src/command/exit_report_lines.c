// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "command/exit_report_lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command/percentiles.h"
#include "kvm/exit_reasons.h"

void exit_lines_free(struct exit_lines *lines)
{
	free(lines->entries);
	free(lines->groups);
}

static void entry_name(struct exit_line *entry, const struct snapshot_row *row, bool by_vm)
{
	entry->vm = row->name;
	entry->vm_len = by_vm ? row->owner_bytes : 0;
	entry->name = row->name + entry->vm_len;
	if (entry->vm_len && row->key_bytes)
		entry->name += strlen("::");
	entry->name_len = strlen(entry->name);
}

static struct exit_value value_read(const struct snapshot_table *table, size_t row,
				    const char *column)
{
	int at = column ? snapshot_table_column(table, column) : -1;
	const struct snapshot_cell *cell;

	if (at < 0)
		return (struct exit_value){ 0 };
	cell = snapshot_table_cell(table, row, (size_t)at);
	if (!cell->present || cell->text)
		return (struct exit_value){ 0 };
	return (struct exit_value){ .present = true, .number = cell->number };
}

static void value_add(struct exit_value *sum, const struct exit_value *value)
{
	if (!value->present)
		return;
	sum->present = true;
	if (__builtin_add_overflow(sum->number, value->number, &sum->number))
		sum->number = UINT64_MAX;
}

/* Subtract a vCPU's halt time from its exit time; without the halt time both are unknown. */
static void time_take_halt(struct exit_line *entry)
{
	struct exit_value *time = &entry->values[EXIT_NUMBER_TIME],
			  *halt = &entry->values[EXIT_NUMBER_HALT];

	if (time->present && halt->present)
		time->number -= halt->number < time->number ? halt->number : time->number;
	else
		*time = (struct exit_value){ 0 };
}

static int percentiles_read(const struct snapshot *snapshot, const char *table,
			    struct exit_line *entry)
{
	static const struct {
		enum exit_number number;
		unsigned percent;
	} wanted[] = { { EXIT_NUMBER_P50, 50 }, { EXIT_NUMBER_P99, 99 } };
	const struct exit_value *max = &entry->values[EXIT_NUMBER_MAX];
	struct histogram latency;
	int err;

	err = histogram_read(snapshot_find_table(snapshot, table), entry->name, &latency);
	if (err)
		return err == -ENOMEM ? err : 0;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		struct exit_value *value = &entry->values[wanted[i].number];

		value->present = true;
		value->number = histogram_percentile(&latency, wanted[i].percent,
						     max->present ? &max->number : NULL,
						     &value->more);
	}
	histogram_free(&latency);
	return 0;
}

/* The run delay of the row of this name; at: where to look first. */
static struct exit_value delay_read(const struct snapshot_table *table, const char *name,
				    size_t *at)
{
	int row = table ? snapshot_table_find_row(table, name, strlen(name), at) : -1;

	if (row < 0)
		return (struct exit_value){ 0 };
	return value_read(table, (size_t)row, "run_delay");
}

static int entries_read(const struct exit_lines_source *source, const struct snapshot *snapshot,
			bool awake, struct exit_lines *lines)
{
	const struct snapshot_table *table = snapshot_find_table(snapshot, source->table);
	const struct snapshot_table *delays =
		source->delays ? snapshot_find_table(snapshot, source->delays) : NULL;
	size_t nrows = table ? table->nrows : 0, delay = 0;
	int err = 0;

	lines->entries = calloc(nrows + 1, sizeof(*lines->entries));
	if (!lines->entries)
		return -ENOMEM;
	for (size_t row = 0; !err && row < nrows; row++) {
		struct exit_line *entry = &lines->entries[lines->n];

		*entry = (struct exit_line){ .order = row };
		entry_name(entry, &table->rows[row], source->by_vm);
		for (size_t i = 0; i < EXIT_NUMBER_READ; i++)
			entry->values[i] = value_read(table, row, source->numbers[i]);
		if (source->delays)
			entry->values[EXIT_NUMBER_DELAY] = delay_read(delays, table->rows[row].name,
								      &delay);
		if (!entry->values[EXIT_NUMBER_COUNT].number &&
		    !entry->values[EXIT_NUMBER_TIME].number)
			continue;
		lines->some = true;
		if (awake && reasons_sleeps(entry->name, entry->name_len))
			continue;
		if (awake && source->numbers[EXIT_NUMBER_HALT])
			time_take_halt(entry);
		if (source->latency)
			err = percentiles_read(snapshot, source->latency, entry);
		lines->n++;
	}
	return err;
}

static int vm_compare(const void *a, const void *b)
{
	const struct exit_line *left = a, *right = b;
	size_t len = left->vm_len < right->vm_len ? left->vm_len : right->vm_len;
	int order = memcmp(left->vm, right->vm, len);

	return order ? order : (left->vm_len > right->vm_len) - (left->vm_len < right->vm_len);
}

/* Sum up entries by VM; in a table without VMs, all entries form one group. */
static int lines_group(struct exit_lines *lines)
{
	lines->groups = calloc(lines->n + 1, sizeof(*lines->groups));
	if (!lines->groups)
		return -ENOMEM;
	qsort(lines->entries, lines->n, sizeof(*lines->entries), vm_compare);
	for (size_t i = 0; i < lines->n; i++) {
		struct exit_line *entry = &lines->entries[i], *group;

		if (!i || vm_compare(entry - 1, entry))
			lines->groups[lines->ngroups++] =
				(struct exit_line){ .vm = entry->vm, .vm_len = entry->vm_len };
		entry->group = lines->ngroups - 1;
		group = &lines->groups[entry->group];
		value_add(&group->values[EXIT_NUMBER_COUNT], &entry->values[EXIT_NUMBER_COUNT]);
		value_add(&group->values[EXIT_NUMBER_TIME], &entry->values[EXIT_NUMBER_TIME]);
	}
	return 0;
}

/*
 * Replace the lines by one for each group, a VM. The count of a VM is its total, which includes
 * exits whose reason is unknown; but it includes sleeping exits too, so awake does not use it.
 */
static int lines_total(struct exit_lines *lines, const struct snapshot_table *totals, bool awake)
{
	size_t nrows = totals && !awake ? totals->nrows : 0;
	struct exit_lines whole = { .some = lines->some };
	int err;

	whole.entries = calloc(lines->ngroups + nrows + 1, sizeof(*whole.entries));
	if (!whole.entries)
		return -ENOMEM;
	for (; whole.n < lines->ngroups; whole.n++)
		whole.entries[whole.n] = lines->groups[whole.n];
	for (size_t row = 0; row < nrows; row++) {
		struct exit_line vm = { .vm = totals->rows[row].name, .order = row }, *found;
		struct exit_value total = value_read(totals, row, "total");

		vm.vm_len = strlen(vm.vm);
		if (!total.number)
			continue;
		whole.some = true;
		found = bsearch(&vm, whole.entries, lines->ngroups, sizeof(vm), vm_compare);
		if (!found) {
			found = &whole.entries[whole.n++];
			*found = vm;
		}
		found->values[EXIT_NUMBER_COUNT] = total;
	}
	for (size_t i = 0; i < whole.n; i++) {
		struct exit_line *entry = &whole.entries[i];

		entry->name = entry->vm;
		entry->name_len = entry->vm_len;
		entry->vm_len = 0;
	}
	err = lines_group(&whole);
	exit_lines_free(lines);
	*lines = whole;
	return err;
}

static int number_compare(const struct exit_line *a, const struct exit_line *b,
			  enum exit_number number)
{
	return (a->values[number].number < b->values[number].number) -
	       (a->values[number].number > b->values[number].number);
}

/* Sort by descending time: first the VMs, then the lines of each VM. */
static int line_compare(const void *a, const void *b, void *data)
{
	const struct exit_line *left = a, *right = b, *groups = data;
	int order = number_compare(&groups[left->group], &groups[right->group], EXIT_NUMBER_TIME);

	if (!order)
		order = (left->group > right->group) - (left->group < right->group);
	if (!order)
		order = number_compare(left, right, EXIT_NUMBER_TIME);
	if (!order)
		order = number_compare(left, right, EXIT_NUMBER_COUNT);
	return order ? order : (left->order > right->order) - (left->order < right->order);
}

int exit_lines_read(const struct exit_lines_source *source, const struct snapshot *snapshot,
		    bool awake, struct exit_lines *lines)
{
	int err;

	*lines = (struct exit_lines){ 0 };
	err = entries_read(source, snapshot, awake, lines);
	if (!err)
		err = lines_group(lines);
	if (!err && source->totals)
		err = lines_total(lines, snapshot_find_table(snapshot, source->totals), awake);
	if (!err)
		qsort_r(lines->entries, lines->n, sizeof(*lines->entries), line_compare,
			lines->groups);
	return err;
}
