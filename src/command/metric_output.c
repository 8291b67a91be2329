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

	if (place->metric->type == METRIC_STRING || !output_wants_place(out->options, place))
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
		json_text_write(root, file);
		fputc('\n', file);
		err = text_table_written(file);
	}
	json_decref(root);
	return err;
}
