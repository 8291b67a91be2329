// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Save and load a snapshot as text. Fields are separated by tabs:
 *
 *	pmdakvm-snapshot	2
 *	table	NAME
 *	column	NAME			one line per column of the table
 *	column	NAME	SEMANTICS	UNITS	... if the column's semantics are set
 *	row	NUMBER	OWNER	KEY	RANGE	CELL ...
 *	labels	JSON			labels of the preceding row
 *
 * A row has one cell per column. OWNER and KEY may be empty. RANGE is FIRST-LAST in decimal, or
 * "-" for none. A cell is a number, "-" if absent, or "'" followed by a text. Names, texts and
 * labels are UTF-8 and contain no control characters, except DEL in labels.
 */
#define _GNU_SOURCE
#include "metrics/snapshot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

/*
 * Version 3 ends with a line "end" and the number of lines before it, so that a file that was cut
 * off is not taken for a whole one. Version 2 had none.
 */
#define MAGIC	  "pmdakvm-snapshot\t3"
#define MAGIC_OLD "pmdakvm-snapshot\t2"

static void cell_save(const struct snapshot_cell *cell, FILE *file)
{
	if (!cell->present)
		fputs("\t-", file);
	else if (cell->text)
		fprintf(file, "\t'%s", cell->text);
	else
		fprintf(file, "\t%llu", (unsigned long long)cell->number);
}

static void column_save(const struct snapshot_column *column, FILE *file)
{
	fprintf(file, "column\t%s", column->name);
	if (column->semantics != METRIC_BY_COLUMN)
		fprintf(file, "\t%s\t%s", metric_semantics_name(column->semantics),
			metric_units_name(column->units));
	fputc('\n', file);
}

/* The labels of a row in one line. Returns 0 or -ENOMEM. */
static int labels_save(const struct snapshot_row *row, FILE *file)
{
	const struct labels *sets[] = { row->labels, row->own };
	char *json;

	if (!row->labels && !row->own)
		return 0;
	json = labels_json(sets, 2);
	if (!json)
		return -ENOMEM;
	fprintf(file, "labels\t%s\n", json);
	free(json);
	return 0;
}

static int row_save(const struct snapshot_table *table, size_t at, FILE *file)
{
	const struct snapshot_row *row = &table->rows[at];
	size_t key = row->owner_bytes && row->key_bytes ? row->owner_bytes + strlen("::") :
							  row->owner_bytes;

	fprintf(file, "row\t%" PRIu32 "\t%.*s\t%.*s\t", row->number, (int)row->owner_bytes,
		row->name, (int)row->key_bytes, row->name + key);
	if (row->has_range)
		fprintf(file, "%" PRIu64 "-%" PRIu64, row->range.first, row->range.last);
	else
		fputc('-', file);
	for (size_t column = 0; column < table->ncolumns; column++)
		cell_save(snapshot_table_cell(table, at, column), file);
	fputc('\n', file);
	return labels_save(row, file);
}

static size_t lines_of(const struct snapshot_table *table)
{
	size_t lines = 1 + table->ncolumns + table->nrows;

	for (size_t row = 0; row < table->nrows; row++)
		lines += table->rows[row].labels || table->rows[row].own;
	return lines;
}

int snapshot_save(const struct snapshot *snapshot, FILE *file)
{
	size_t lines = 1;
	int err = 0;

	fputs(MAGIC "\n", file);
	for (size_t i = 0; i < snapshot->ntables; i++) {
		const struct snapshot_table *table = snapshot->tables[i];

		fprintf(file, "table\t%s\n", table->name);
		for (size_t column = 0; column < table->ncolumns; column++)
			column_save(&table->columns[column], file);
		for (size_t row = 0; !err && row < table->nrows; row++)
			err = row_save(table, row, file);
		lines += lines_of(table);
	}
	if (err)
		return err;
	fprintf(file, "end\t%zu\n", lines);
	errno = 0;
	if (fflush(file) || ferror(file))
		return errno ? -errno : -EIO;
	return 0;
}

/* Parse a text that is a decimal number of at most max. */
static int number_parse(const char *text, uint64_t max, uint64_t *ret_number)
{
	unsigned long long number;
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno || *end || number > max)
		return -EINVAL;
	*ret_number = number;
	return 0;
}

static int cell_parse(const char *text, struct snapshot_cell *cell)
{
	uint64_t number;
	int err;

	if (strcmp(text, "-") == 0)
		return 0;
	if (*text == '\'')
		return snapshot_cell_set_text(cell, text + 1);
	err = number_parse(text, UINT64_MAX, &number);
	if (!err)
		snapshot_cell_set(cell, number);
	return err;
}

static int column_parse(struct snapshot_table *table, char *text)
{
	const char *name = strsep(&text, "\t"), *semantics_name = strsep(&text, "\t");
	enum metric_semantics semantics;
	enum metric_units units;
	int err;

	if (table->nrows)
		return -EINVAL;
	err = snapshot_table_add_column(table, name);
	if (err || !semantics_name)
		return err;
	if (!text || metric_semantics_parse(semantics_name, &semantics) ||
	    metric_units_parse(text, &units))
		return -EINVAL;
	snapshot_table_describe(table, table->ncolumns - 1, semantics, units);
	return 0;
}

/* The state of loading. */
struct loading {
	struct snapshot snapshot;
	struct snapshot_table *table; /* the current table, or NULL */
	int row;		      /* index of the row in the preceding line, or -1 */
	bool has_end;		      /* the version's files have a line "end" */
	bool ended;		      /* that line has come */
	unsigned lines;		      /* number of the current line */
};

static int labels_read(struct snapshot_row *row, const char *text)
{
	struct labels *labels;
	int err = strpbrk(text, "\t\r") ? -EINVAL : labels_parse(text, &labels);

	if (err)
		return err;
	labels_unref(row->labels);
	row->labels = labels;
	return 0;
}

/* Parse FIRST-LAST. */
static int range_parse(char *text, struct snapshot_range *ret_range)
{
	const char *first = strsep(&text, "-");

	if (!text || number_parse(first, UINT64_MAX, &ret_range->first) ||
	    number_parse(text, UINT64_MAX, &ret_range->last) || ret_range->last < ret_range->first)
		return -EINVAL;
	return 0;
}

/* Parse a row up to its cells. */
static int row_read(char **text, struct snapshot_row *ret_row)
{
	const char *number_text = strsep(text, "\t"), *owner = strsep(text, "\t");
	const char *key = strsep(text, "\t");
	struct snapshot_name name = { .owner = owner, .key = key };
	struct snapshot_range range;
	char *range_text = strsep(text, "\t");
	uint64_t number;
	int err;

	if (!range_text || number_parse(number_text, UINT32_MAX, &number))
		return -EINVAL;
	if (strcmp(range_text, "-") != 0) {
		if (range_parse(range_text, &range))
			return -EINVAL;
		name.range = &range;
	}
	err = snapshot_row_init(ret_row, &name);
	if (!err)
		ret_row->number = (uint32_t)number;
	return err;
}

static int row_parse(struct snapshot_table *table, char *text, int *ret_row)
{
	struct snapshot_row row;
	int err = row_read(&text, &row);

	if (err)
		return err;
	err = snapshot_table_add_row(table, &row);
	if (err) {
		snapshot_row_free(&row);
		return err;
	}
	for (size_t column = 0; !err && column < table->ncolumns; column++) {
		const char *cell = strsep(&text, "\t");

		err = cell ? cell_parse(cell,
					snapshot_table_cell(table, table->nrows - 1, column)) :
			     -EINVAL;
	}
	if (!err && text)
		err = -EINVAL;
	if (!err)
		*ret_row = (int)table->nrows - 1;
	return err;
}

static int magic_parse(struct loading *loading, const char *text)
{
	loading->has_end = strcmp(text, MAGIC) == 0;
	return loading->has_end || strcmp(text, MAGIC_OLD) == 0 ? 0 : -EINVAL;
}

static int end_parse(struct loading *loading, const char *text)
{
	uint64_t lines;

	if (!loading->has_end || number_parse(text, UINT64_MAX, &lines) ||
	    lines != loading->lines - 1)
		return -EINVAL;
	loading->ended = true;
	return 0;
}

static int line_parse(struct loading *loading, char *text)
{
	const char *word = strsep(&text, "\t");
	struct snapshot_table *table = loading->table;
	int row = loading->row;

	loading->row = -1;
	if (!text || loading->ended)
		return -EINVAL;
	if (strcmp(word, "end") == 0)
		return end_parse(loading, text);
	if (strcmp(word, "table") == 0)
		return snapshot_add_table(&loading->snapshot, text, &loading->table);
	if (table && strcmp(word, "column") == 0)
		return column_parse(table, text);
	if (row >= 0 && strcmp(word, "labels") == 0)
		return labels_read(&table->rows[row], text);
	if (table && strcmp(word, "row") == 0)
		return row_parse(table, text, &loading->row);
	return -EINVAL;
}

/* Parse a line of len bytes, of which the last may be a newline; nothing else ends it. */
static int line_read(struct loading *loading, char *line, size_t len)
{
	bool whole = len && line[len - 1] == '\n';
	int err;

	loading->lines++;
	if (whole)
		line[--len] = '\0';
	if (strlen(line) != len)
		return -EINVAL;
	/* the last line of a file that was cut off can end anywhere, in a character too */
	if (!whole && loading->has_end && !loading->ended)
		return -ENODATA;
	if (!utf8_is_valid(line))
		return -EILSEQ;
	if (loading->lines == 1)
		err = magic_parse(loading, line);
	else
		err = line_parse(loading, line);
	return err == -EEXIST ? -EINVAL : err;
}

int snapshot_load(FILE *file, struct snapshot *ret_snapshot, unsigned *ret_line)
{
	struct loading loading = { .row = -1 };
	char *line = NULL;
	size_t size = 0;
	ssize_t len;
	int err = 0;

	errno = 0;
	while (!err && (len = getline(&line, &size, file)) >= 0)
		err = line_read(&loading, line, (size_t)len);
	if (!err && !feof(file))
		err = errno ? -errno : -EIO;
	if (!err && !loading.lines)
		err = -EINVAL; /* an empty file is not a snapshot */
	if (!err && loading.has_end && !loading.ended)
		err = -ENODATA;
	free(line);
	if (err) {
		snapshot_free(&loading.snapshot);
		*ret_line = loading.lines;
		return err;
	}
	*ret_snapshot = loading.snapshot;
	return 0;
}
