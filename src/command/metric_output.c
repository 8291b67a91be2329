// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "command/metric_output.h"

#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <jansson.h>
#include <libsmartcols.h>
#include <unistd.h>

#include "command/json_text.h"
#include "command/text_table.h"
#include "metrics/metric_table.h"

enum { COLUMN_METRIC, COLUMN_INSTANCE, COLUMN_VALUE, COLUMN_UNITS, COLUMNS };

struct table_output {
	const struct output_options *options;
	struct libscols_table *table;
	size_t hidden;
};

struct json_output {
	const struct output_options *options;
	json_t *metrics;
};

bool output_wants(const struct output_options *options, const char *name)
{
	for (size_t i = 0; i < options->nnames; i++) {
		if (fnmatch(options->names[i], name, 0) == 0)
			return true;
	}
	return options->nnames == 0;
}

/* Returns whether the metric's table is to be left out. */
static bool is_without(const struct output_options *options, const struct metric_place *place)
{
	const struct snapshot_table *const *without = options->without;

	while (without && *without && *without != place->table)
		without++;
	return without && *without;
}

static int add_line(struct table_output *out, const struct metric_place *place,
		    const struct snapshot_row *row, const struct snapshot_cell *cell)
{
	struct libscols_line *line = scols_table_new_line(out->table, NULL);
	char *value = NULL;
	int err;

	if (!line)
		return -ENOMEM;
	err = scols_line_set_data(line, COLUMN_METRIC, place->name);
	if (!err)
		err = scols_line_set_data(line, COLUMN_INSTANCE, row->name);
	if (!err)
		err = scols_line_set_data(line, COLUMN_UNITS, metric_units_name(place->units));
	if (err)
		return err;
	if (cell->text)
		return scols_line_set_data(line, COLUMN_VALUE, cell->text);
	if (asprintf(&value, "%" PRIu64, cell->number) < 0)
		return -ENOMEM;
	return text_table_take(line, COLUMN_VALUE, value);
}

static int table_visit(const struct metric_place *place, void *data)
{
	struct table_output *out = data;
	/* metrics about the agent itself, except counters of what was missed or dropped */
	bool own = metric_is_own(place->metric) && place->semantics != METRIC_COUNTER;

	if (!output_wants(out->options, place->name) || is_without(out->options, place))
		return 0;
	for (size_t row = 0; row < place->table->nrows; row++) {
		const struct snapshot_cell *cell = snapshot_table_cell(place->table, row,
								       place->column);
		int err;

		if (!cell->present)
			continue;
		if (!out->options->all && (own || (!cell->text && !cell->number))) {
			out->hidden++;
			continue;
		}
		err = add_line(out, place, &place->table->rows[row], cell);
		if (err)
			return err;
	}
	return 0;
}

int output_table(const struct snapshot *snapshot, const struct output_options *options, FILE *file,
		 size_t *ret_hidden)
{
	static const struct {
		const char *name;
		int flags;
	} columns[COLUMNS] = {
		[COLUMN_METRIC] = { "METRIC", 0 },
		[COLUMN_INSTANCE] = { "INSTANCE", 0 },
		[COLUMN_VALUE] = { "VALUE", SCOLS_FL_RIGHT },
		[COLUMN_UNITS] = { "UNITS", 0 },
	};
	struct table_output out = { .options = options, .table = text_table_new(file) };
	int err = -ENOMEM;

	if (!out.table)
		return -ENOMEM;
	for (size_t i = 0; i < COLUMNS; i++) {
		if (!scols_table_new_column(out.table, columns[i].name, 0, columns[i].flags))
			goto out;
	}
	err = metrics_each(snapshot, table_visit, &out);
	if (!err)
		err = scols_print_table(out.table);
	if (!err && (fflush(file) || ferror(file)))
		err = errno ? -errno : -EIO;
	if (!err)
		*ret_hidden = out.hidden;
out:
	scols_unref_table(out.table);
	return err;
}

static int label_add(json_t *object, const struct label *label)
{
	return json_object_set_new(object, label->key,
				   label->text ? json_string(label->text) :
						 json_integer((json_int_t)label->number));
}

static json_t *row_labels(const struct metric *metric, const struct snapshot_row *row)
{
	const struct labels *sets[] = { row->labels, row->own };
	json_t *object = json_object();

	for (size_t i = 0; metric->indom != METRIC_INDOM_NULL && i < 2; i++) {
		for (size_t j = 0; sets[i] && j < sets[i]->n; j++) {
			if (label_add(object, &sets[i]->list[j])) {
				json_decref(object);
				return NULL;
			}
		}
	}
	return object;
}

static json_t *metric_values(const struct metric_place *place)
{
	json_t *values = json_array();

	for (size_t row = 0; values && row < place->table->nrows; row++) {
		const struct snapshot_cell *cell = snapshot_table_cell(place->table, row,
								       place->column);
		const struct snapshot_row *names = &place->table->rows[row];

		if (!cell->present || cell->text)
			continue;
		/* json_int_t is signed; json_text_write() writes its bits as an unsigned number */
		if (json_array_append_new(values,
					  json_pack("{s:s,s:o,s:I}", "instance", names->name,
						    "labels", row_labels(place->metric, names),
						    "value", (json_int_t)cell->number))) {
			json_decref(values);
			return NULL;
		}
	}
	return values;
}

static int json_visit(const struct metric_place *place, void *data)
{
	struct json_output *out = data;
	json_t *values;

	if (place->metric->type == METRIC_STRING || !output_wants(out->options, place->name) ||
	    is_without(out->options, place))
		return 0;
	values = metric_values(place);
	if (!values)
		return -ENOMEM;
	if (json_array_size(values) == 0) {
		json_decref(values);
		return 0;
	}
	return json_array_append_new(out->metrics,
				     json_pack("{s:s,s:s,s:s,s:o}", "name", place->name,
					       "semantics", metric_semantics_name(place->semantics),
					       "units", metric_units_name(place->units), "values",
					       values)) ?
		       -ENOMEM :
		       0;
}

int output_json(const struct snapshot *snapshot, const struct output_options *options, FILE *file)
{
	struct json_output out = { .options = options, .metrics = json_array() };
	json_t *root;
	int err;

	root = json_pack("{s:i,s:o}", "schema", 1, "metrics", out.metrics);
	if (!root)
		return -ENOMEM;
	err = metrics_each(snapshot, json_visit, &out);
	if (!err) {
		errno = 0;
		json_text_write(root, file);
		fputc('\n', file);
		if (fflush(file) || ferror(file))
			err = errno ? -errno : -EIO;
	}
	json_decref(root);
	return err;
}
