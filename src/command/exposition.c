// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "command/exposition.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "command/exposition_buckets.h"
#include "command/text_table.h"
#include "metrics/help.h"
#include "metrics/metric_table.h"

struct exposition {
	const struct snapshot *snapshot;
	const struct output_options *options;
	bool open;
	FILE *file;
};

/* A metric as Prometheus sees it. */
struct family {
	const struct metric_place *place;
	char name[300]; /* without _total */
	const char *type, *unit;
	enum metric_units units; /* of values, or of a histogram's buckets */
	bool histogram;
};

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len > end_len && strcmp(text + len - end_len, end) == 0;
}

static void take_end(char *text, const char *end)
{
	if (ends_with(text, end))
		text[strlen(text) - strlen(end)] = '\0';
}

static void add_end(char *text, const char *end)
{
	if (!ends_with(text, end))
		strcat(text, end);
}

/* What the buckets of a histogram's metric hold. Those of exits are times. */
static enum metric_units bucket_units(const struct metric_place *place)
{
	const struct item *item;

	if (!metric_is_subtree(place->metric))
		return METRIC_NSEC;
	item = items_find(place->metric->group, place->table->columns[place->column].name);
	return item ? item->units : METRIC_NONE;
}

/* Ends of names by which other types are known. */
static bool has_end_of_others(const char *name)
{
	static const char *const ends[] = { "_total",  "_count",   "_sum",
					    "_bucket", "_created", "_info" };

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		if (ends_with(name, ends[i]))
			return true;
	}
	return false;
}

/* Write a metric's name with underscores. */
static void name_plain(const char *from, char *to, size_t size)
{
	snprintf(to, size, "%s", from);
	for (; *to; to++) {
		if (!isalnum((unsigned char)*to))
			*to = '_';
	}
}

/* kvm.vcpu.exit_time and kvm.vcpu.exit.time have one name, without dots. */
static bool is_taken(const struct metric *metric, const char *name)
{
	char other[256];

	for (const struct metric *earlier = metrics; earlier < metric; earlier++) {
		if (metric_is_subtree(earlier))
			continue;
		name_plain(earlier->name, other, sizeof(other));
		if (strcmp(other, name) == 0)
			return true;
	}
	return false;
}

/*
 * Parts of a name that are abbreviated units to promtool, such as tb in instruction_tb, which is an
 * instruction: they join the part before.
 */
static void units_join(char *name)
{
	static const char *const units[] = { "s",  "ms", "us", "ns", "sec", "b", "kb",
					     "mb", "gb", "tb", "pb", "m",   "h", "d" };
	char *part = strchr(name, '_');

	while (part) {
		size_t len = strcspn(part + 1, "_");
		bool joins = false;

		for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
			joins |= strlen(units[i]) == len && strncmp(part + 1, units[i], len) == 0;
		if (joins)
			memmove(part, part + 1, strlen(part));
		part = strchr(joins ? part : part + 1, '_');
	}
}

static void family_make(const struct metric_place *place, bool histogram, struct family *family)
{
	char *name = family->name;

	*family = (struct family){ .place = place, .histogram = histogram };
	family->units = histogram ? bucket_units(place) : place->units;
	name_plain(place->name, name, sizeof(place->name));
	if (!metric_is_subtree(place->metric) && is_taken(place->metric, name))
		strcat(name, "_by_reason");
	family->type = place->semantics == METRIC_COUNTER ? "counter" : "gauge";
	if (histogram)
		family->type = "histogram";
	if (place->semantics == METRIC_COUNTER)
		take_end(name, "_total");
	if (family->units == METRIC_NSEC) {
		take_end(name, "_ns");
		add_end(name, "_seconds");
		family->unit = "seconds";
	} else if (family->units == METRIC_BYTES) {
		add_end(name, "_bytes");
		family->unit = "bytes";
	}
	units_join(name);
	if (place->semantics != METRIC_COUNTER && has_end_of_others(name))
		strcat(name, "_value");
}

/* Write a text with \ before what the format does not take as it is. */
static void escaped_write(const char *text, FILE *file)
{
	for (; *text; text++) {
		if (*text == '\n')
			fputs("\\n", file);
		else if (*text == '\\' || *text == '"')
			fprintf(file, "\\%c", *text);
		else
			fputc(*text, file);
	}
}

/* The help text, of one line. Those of subtrees belong to items; the kernel's own have none. */
static void help_write(const struct metric_place *place, FILE *file)
{
	const char *item_name = place->table->columns[place->column].name;
	const struct item *item = NULL;
	const struct help *help = NULL;

	if (metric_is_subtree(place->metric))
		item = items_find(place->metric->group, item_name);
	else
		help = help_of(place->name);
	if (item || help)
		fputs(item ? item->help : help->oneline, file);
	else
		fprintf(file, "KVM's own %s, of this kernel", item_name);
}

static void head_write(const struct exposition *to, const struct family *family)
{
	const char *end = !to->open && strcmp(family->type, "counter") == 0 ? "_total" : "";

	fprintf(to->file, "# HELP %s%s ", family->name, end);
	help_write(family->place, to->file);
	fprintf(to->file, "\n# TYPE %s%s %s\n", family->name, end, family->type);
	if (to->open && family->unit)
		fprintf(to->file, "# UNIT %s %s\n", family->name, family->unit);
}

static void number_write(uint64_t number, enum metric_units units, FILE *file)
{
	unsigned digits = 9, rest = (unsigned)(number % 1000000000);

	if (units != METRIC_NSEC) {
		fprintf(file, "%" PRIu64, number);
		return;
	}
	fprintf(file, "%" PRIu64, number / 1000000000);
	if (!rest)
		return;
	for (; rest % 10 == 0; rest /= 10)
		digits--;
	fprintf(file, ".%0*u", (int)digits, rest);
}

static void label_begin(const char *key, const char **separator, FILE *file)
{
	fputs(*separator, file);
	*separator = ",";
	for (; *key; key++)
		fputc(isalnum((unsigned char)*key) ? *key : '_', file);
	fputs("=\"", file);
}

static bool is_replaced(const struct labels *labels, const char *key)
{
	for (size_t i = 0; labels && i < labels->n; i++) {
		if (strcmp(labels->list[i].key, key) == 0)
			return true;
	}
	return false;
}

/*
 * A second VM of a process has the labels of the first; its row's owner is NAME-PID.2. The text
 * behind the dot, or NULL.
 */
static const char *nth_of(const struct snapshot_row *row, size_t *ret_len)
{
	const struct labels *labels = row->labels;
	char pid[24];
	const char *found;

	for (size_t i = 0; labels && i < labels->n; i++) {
		if (strcmp(labels->list[i].key, "pid") != 0 || labels->list[i].text)
			continue;
		snprintf(pid, sizeof(pid), "-%" PRIu64 ".", labels->list[i].number);
		found = memmem(row->name, row->owner_bytes, pid, strlen(pid));
		if (!found)
			return NULL;
		found += strlen(pid);
		*ret_len = strspn(found, "0123456789");
		return *ret_len ? found : NULL;
	}
	return NULL;
}

/* The labels in braces, and le last, if that is not NULL; nothing if there are none. */
static void labels_write(const struct family *family, const struct snapshot_row *row,
			 const uint64_t *le, FILE *file)
{
	const struct labels *sets[] = { row->labels, row->own };
	const char *separator = "{", *nth;
	size_t len = 0;

	for (size_t i = 0; family->place->metric->indom != METRIC_INDOM_NULL && i < 2; i++) {
		for (size_t j = 0; sets[i] && j < sets[i]->n; j++) {
			const struct label *label = &sets[i]->list[j];

			if ((family->histogram && strcmp(label->key, "bucket") == 0) ||
			    (i == 0 && is_replaced(sets[1], label->key)))
				continue;
			label_begin(label->key, &separator, file);
			if (label->text)
				escaped_write(label->text, file);
			else
				fprintf(file, "%" PRIu64, label->number);
			fputc('"', file);
		}
	}
	nth = nth_of(row, &len);
	if (nth) {
		label_begin("nth", &separator, file);
		fprintf(file, "%.*s\"", (int)len, nth);
	}
	if (le) {
		label_begin("le", &separator, file);
		if (*le == UINT64_MAX)
			fputs("+Inf", file);
		else
			number_write(*le, family->units, file);
		fputc('"', file);
	}
	if (*separator == ',')
		fputc('}', file);
}

static void sample_write(const struct family *family, const char *end,
			 const struct snapshot_row *row, const uint64_t *le, uint64_t number,
			 enum metric_units units, FILE *file)
{
	fprintf(file, "%s%s", family->name, end);
	labels_write(family, row, le, file);
	fputc(' ', file);
	number_write(number, units, file);
	fputc('\n', file);
}

/* One histogram: its buckets, their sum, and the sum of its times if a table beside has that. */
static void histogram_write(const struct exposition *to, const struct family *family,
			    const struct buckets *buckets, const struct bucket_group *group,
			    size_t *at)
{
	const struct snapshot_row *row = &family->place->table->rows[group->first];
	const uint64_t infinite = UINT64_MAX;
	uint64_t sum, count = 0;

	for (size_t i = 0; i < buckets->nbounds; i++) {
		count = buckets_count(family->place, group, buckets->bounds[i]);
		sample_write(family, "_bucket", row, &buckets->bounds[i], count, METRIC_NONE,
			     to->file);
	}
	count = buckets_count(family->place, group, UINT64_MAX);
	sample_write(family, "_bucket", row, &infinite, count, METRIC_NONE, to->file);
	sample_write(family, "_count", row, NULL, count, METRIC_NONE, to->file);
	if (buckets_time(to->snapshot, family->place, group, at, &sum))
		sample_write(family, "_sum", row, NULL, sum, family->units, to->file);
}

static int histograms_write(const struct exposition *to, const struct metric_place *place)
{
	struct buckets buckets;
	struct family family;
	size_t at = 0;
	int err = buckets_read(place, &buckets);

	if (err)
		return err;
	family_make(place, true, &family);
	if (buckets.ngroups)
		head_write(to, &family);
	for (size_t i = 0; i < buckets.ngroups; i++)
		histogram_write(to, &family, &buckets, &buckets.groups[i], &at);
	buckets_free(&buckets);
	return 0;
}

static bool has_ranges(const struct snapshot_table *table)
{
	return table->nrows && table->rows[0].has_range;
}

static int exposition_visit(const struct metric_place *place, void *data)
{
	const struct exposition *to = data;
	struct family family;
	bool begun = false;

	if (place->metric->type == METRIC_STRING || !output_wants_place(to->options, place))
		return 0;
	if (has_ranges(place->table))
		return histograms_write(to, place);
	family_make(place, false, &family);
	for (size_t row = 0; row < place->table->nrows; row++) {
		const struct snapshot_cell *cell = snapshot_table_cell(place->table, row,
								       place->column);

		if (!cell->present || cell->text)
			continue;
		if (!begun)
			head_write(to, &family);
		begun = true;
		sample_write(&family, place->semantics == METRIC_COUNTER ? "_total" : "",
			     &place->table->rows[row], NULL, cell->number, family.units, to->file);
	}
	return 0;
}

int exposition_print(const struct snapshot *snapshot, const struct output_options *options,
		     bool open, FILE *file)
{
	struct exposition to = {
		.snapshot = snapshot, .options = options, .open = open, .file = file
	};
	int err = metrics_each(snapshot, exposition_visit, &to);

	if (err)
		return err;
	if (open)
		fputs("# EOF\n", file);
	return text_table_written(file);
}
