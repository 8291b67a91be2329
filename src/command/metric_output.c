// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "command/metric_output.h"

#include <errno.h>
#include <fnmatch.h>
#include <jansson.h>

#include "command/json_text.h"
#include "command/text_table.h"
#include "metrics/metric_table.h"

struct json_output {
	const struct output_options *options;
	struct json_writer writer;
};

bool output_wants(const struct output_options *options, const char *name)
{
	for (size_t i = 0; i < options->nnames; i++) {
		if (fnmatch(options->names[i], name, 0) == 0)
			return true;
	}
	return options->nnames == 0;
}

bool output_wants_place(const struct output_options *options, const struct metric_place *place)
{
	const struct snapshot_table *const *without = options->without;

	if (!output_wants(options, place->name))
		return false;

	while (without && *without && *without != place->table)
		without++;
	return !without || !*without;
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

/* Write the metric's beginning before its first value: a metric without any is left out. */
static int metric_begin(struct json_writer *writer, const struct metric_place *place)
{
	int err;

	json_begin(writer, NULL, '{');
	err = json_put(writer, "name", json_string(place->name));
	if (!err)
		err = json_put(writer, "semantics",
			       json_string(metric_semantics_name(place->semantics)));
	if (!err)
		err = json_put(writer, "units", json_string(metric_units_name(place->units)));
	json_begin(writer, "values", '[');
	return err;
}

static int json_visit(const struct metric_place *place, void *data)
{
	struct json_output *out = data;
	struct json_writer *writer = &out->writer;
	bool begun = false;
	int err = 0;

	if (place->metric->type == METRIC_STRING || !output_wants_place(out->options, place))
		return 0;
	for (size_t row = 0; !err && row < place->table->nrows; row++) {
		const struct snapshot_cell *cell = snapshot_table_cell(place->table, row,
								       place->column);
		const struct snapshot_row *names = &place->table->rows[row];

		if (!cell->present || cell->text)
			continue;
		if (!begun)
			err = metric_begin(writer, place);
		begun = true;
		/* json_int_t is signed; json_put() writes its bits as an unsigned number */
		if (!err)
			err = json_put(writer, NULL,
				       json_pack("{s:s,s:o,s:I}", "instance", names->name, "labels",
						 row_labels(place->metric, names), "value",
						 (json_int_t)cell->number));
	}
	if (!err && begun) {
		json_end(writer, ']');
		json_end(writer, '}');
	}
	return err;
}

int output_json(const struct snapshot *snapshot, const struct output_options *options, FILE *file)
{
	struct json_output out = { .options = options, .writer = { .file = file } };
	int err;

	json_begin(&out.writer, NULL, '{');
	err = json_put(&out.writer, "schema", json_integer(1));
	json_begin(&out.writer, "metrics", '[');
	if (!err)
		err = metrics_each(snapshot, json_visit, &out);
	if (err)
		return err;
	json_end(&out.writer, ']');
	json_end(&out.writer, '}');
	fputc('\n', file);
	return text_table_written(file);
}
