// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The metrics of a snapshot as a sheet: a row for each value. */
#define _GNU_SOURCE
#include "command/metric_output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command/sheet_choice.h"
#include "command/sheet_print.h"
#include "metrics/metric_table.h"

enum { METRIC, INSTANCE, VALUE, UNITS, SEMANTICS, LABELS };

static const struct sheet_column columns[] = {
	[METRIC] = { .name = "METRIC" },
	[INSTANCE] = { .name = "INSTANCE" },
	[VALUE] = { .name = "VALUE", .right = true },
	[UNITS] = { .name = "UNITS" },
	[SEMANTICS] = { .name = "SEMANTICS", .extra = true },
	/* the name of a label in lower case */
	[LABELS] = { .name = "VM", .extra = true },
	{ .name = "PID", .right = true, .extra = true },
	{ .name = "VCPU", .right = true, .extra = true },
	{ .name = "REASON", .extra = true },
	{ .name = "CAUSE", .extra = true },
	{ .name = "DEVICE", .extra = true },
	{ .name = "BUCKET", .extra = true },
	{ .name = "CPU", .right = true, .extra = true },
	{ .name = "EVENT", .extra = true },
	{ .name = "FAMILY", .extra = true },
	{ .name = "MAP", .extra = true },
	{ .name = "UUID", .extra = true },
	{ .name = "MACHINE", .extra = true },
	{ .name = "CGROUP", .extra = true },
	{ .name = "POD", .extra = true },
};

#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

/* A value: a row of the table of a place. */
struct value {
	size_t place, row;
};

struct values {
	const struct output_options *options;
	bool all;
	struct metric_place *places;
	struct value *list;
	size_t nplaces, n, room;
	size_t hidden;
};

const struct sheet_column *output_columns(size_t *ret_n)
{
	*ret_n = COLUMNS;
	return columns;
}

static int value_add(struct values *values, size_t row)
{
	if (values->n == values->room) {
		size_t room = values->room ? values->room * 2 : 256;
		struct value *list = reallocarray(values->list, room, sizeof(*list));

		if (!list)
			return -ENOMEM;
		values->list = list;
		values->room = room;
	}
	values->list[values->n++] = (struct value){ values->nplaces - 1, row };
	return 0;
}

static int place_visit(const struct metric_place *place, void *data)
{
	struct values *values = data;
	/* metrics about the agent itself, except counters of what was missed or dropped */
	bool own = metric_is_own(place->metric) && place->semantics != METRIC_COUNTER;
	struct metric_place *places;
	int err = 0;

	if (!output_wants_place(values->options, place))
		return 0;
	places = reallocarray(values->places, values->nplaces + 1, sizeof(*places));
	if (!places)
		return -ENOMEM;
	values->places = places;
	places[values->nplaces++] = *place;
	for (size_t row = 0; !err && row < place->table->nrows; row++) {
		const struct snapshot_cell *cell = snapshot_table_cell(place->table, row,
								       place->column);

		if (!cell->present)
			continue;
		if (!values->all && (own || (!cell->text && !cell->number)))
			values->hidden++;
		else
			err = value_add(values, row);
	}
	return err;
}

/* What identifies a row of its own replaces what identifies its owner. */
static const struct label *label_find(const struct snapshot_row *row, const char *name)
{
	const struct labels *sets[] = { row->own, row->labels };

	for (size_t i = 0; i < 2; i++) {
		for (size_t j = 0; sets[i] && j < sets[i]->n; j++) {
			if (strcasecmp(sets[i]->list[j].key, name) == 0)
				return &sets[i]->list[j];
		}
	}
	return NULL;
}

static int label_cell(const struct metric_place *place, size_t row, const char *name,
		      struct sheet_cell *cell)
{
	const struct label *label = NULL;

	if (place->metric->indom != METRIC_INDOM_NULL)
		label = label_find(&place->table->rows[row], name);
	if (!label)
		return 0;
	if (label->text)
		return sheet_cell_text(cell, label->text);
	sheet_cell_number(cell, label->number);
	return 0;
}

static int value_cell(const struct sheet *sheet, size_t at, size_t column, struct sheet_cell *cell)
{
	const struct values *values = sheet->data;
	const struct value *value = &values->list[at];
	const struct metric_place *place = &values->places[value->place];
	const struct snapshot_cell *from;

	switch (column) {
	case METRIC:
		return sheet_cell_text(cell, place->name);
	case INSTANCE:
		return sheet_cell_text(cell, place->table->rows[value->row].name);
	case VALUE:
		from = snapshot_table_cell(place->table, value->row, place->column);
		if (from->text)
			return sheet_cell_text(cell, from->text);
		sheet_cell_number(cell, from->number);
		return 0;
	case UNITS:
		return sheet_cell_text(cell, metric_units_name(place->units));
	case SEMANTICS:
		return sheet_cell_text(cell, metric_semantics_name(place->semantics));
	default:
		return label_cell(place, value->row, columns[column].name, cell);
	}
}

static const struct sheet_choice no_choice;

static int values_print(const struct snapshot *snapshot, struct values *values,
			int (*print)(const struct sheet *sheet, const struct sheet_choice *choice,
				     FILE *file),
			FILE *file)
{
	const struct sheet_choice *choice = values->options->choice;
	struct sheet sheet = {
		.columns = columns, .ncolumns = COLUMNS, .cell = value_cell, .data = values
	};
	int err = 0;

	if (!choice)
		choice = &no_choice;
	if (sheet_is_chosen(&sheet, choice)) {
		err = metrics_each(snapshot, place_visit, values);
		sheet.nrows = values->n;
		if (!err)
			err = print(&sheet, choice, file);
	}
	free(values->places);
	free(values->list);
	return err;
}

int output_table(const struct snapshot *snapshot, const struct output_options *options, FILE *file,
		 size_t *ret_hidden)
{
	struct values values = { .options = options, .all = options->all };
	int err = values_print(snapshot, &values, sheet_print_table, file);

	if (!err)
		*ret_hidden = values.hidden;
	return err;
}

int output_csv(const struct snapshot *snapshot, const struct output_options *options, FILE *file)
{
	struct values values = { .options = options, .all = true };

	return values_print(snapshot, &values, sheet_print_csv, file);
}
