// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "command/snapshot_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

/* The table of where and when; no metric is in it. */
#define TABLE "saved"

enum { HOST, KERNEL, MACHINE, VERSION, TIME, DURATION, COLUMNS };

static const char *const columns[COLUMNS] = { "host",	 "kernel", "machine",
					      "version", "time",   "duration" };

/* Fill in the row: time in seconds since 1970, duration in ns. */
static int row_fill(struct snapshot_table *table, double seconds)
{
	struct utsname name;
	int err;

	if (uname(&name))
		return -errno;
	err = snapshot_cell_set_text(snapshot_table_cell(table, 0, HOST), name.nodename);
	if (!err)
		err = snapshot_cell_set_text(snapshot_table_cell(table, 0, KERNEL), name.release);
	if (!err)
		err = snapshot_cell_set_text(snapshot_table_cell(table, 0, MACHINE), name.machine);
	if (!err)
		err = snapshot_cell_set_text(snapshot_table_cell(table, 0, VERSION),
					     PMDAKVM_VERSION);
	snapshot_cell_set(snapshot_table_cell(table, 0, TIME), (uint64_t)time(NULL));
	snapshot_cell_set(snapshot_table_cell(table, 0, DURATION), (uint64_t)(seconds * 1e9));
	return err;
}

/* A snapshot with that table only. */
static int saved_make(double seconds, struct snapshot *saved)
{
	struct snapshot_table *table;
	struct snapshot_row row;
	int err = snapshot_add_table(saved, TABLE, &table);

	for (size_t i = 0; !err && i < COLUMNS; i++)
		err = snapshot_table_add_column(table, columns[i]);
	if (!err)
		err = snapshot_row_init(&row, &(struct snapshot_name){ 0 });
	if (err)
		return err;
	err = snapshot_table_add_row(table, &row);
	if (err)
		snapshot_row_free(&row);
	return err ? err : row_fill(table, seconds);
}

/* Save the tables of the snapshot and that of where and when, which a loaded one has already. */
static int tables_save(const struct snapshot *snapshot, double seconds, FILE *file)
{
	struct snapshot saved = { 0 }, all = { 0 };
	int err = snapshot_find_table(snapshot, TABLE) ? 0 : saved_make(seconds, &saved);

	all.tables = calloc(saved.ntables + snapshot->ntables + 1, sizeof(*all.tables));
	if (!err && !all.tables)
		err = -ENOMEM;
	if (!err) {
		for (size_t i = 0; i < saved.ntables; i++)
			all.tables[all.ntables++] = saved.tables[i];
		for (size_t i = 0; i < snapshot->ntables; i++)
			all.tables[all.ntables++] = snapshot->tables[i];
		err = snapshot_save(&all, file);
	}
	free(all.tables);
	snapshot_free(&saved);
	return err;
}

int snapshot_file_save(const struct snapshot *snapshot, const char *path, double seconds)
{
	bool is_stdout = strcmp(path, "-") == 0;
	FILE *file = is_stdout ? stdout : fopen(path, "we");
	int err = file ? tables_save(snapshot, seconds, file) : -errno;

	if (file && !is_stdout && fclose(file) && !err)
		err = -errno;
	if (err && err != -EPIPE)
		fprintf(stderr, "kvmbpf: %s: %s\n", path, strerror(-err));
	return err;
}

static const char *text_of(const struct snapshot_table *table, size_t column)
{
	int at = snapshot_table_column(table, columns[column]);
	const struct snapshot_cell *cell = at < 0 ? NULL :
						    snapshot_table_cell(table, 0, (size_t)at);

	return cell && cell->present && cell->text ? cell->text : "?";
}

static uint64_t number_of(const struct snapshot_table *table, size_t column)
{
	int at = snapshot_table_column(table, columns[column]);

	return at < 0 ? 0 : snapshot_table_cell(table, 0, (size_t)at)->number;
}

static void saved_print(const char *path, const struct snapshot *snapshot)
{
	const struct snapshot_table *table = snapshot_find_table(snapshot, TABLE);
	char when[64] = "?";
	struct tm tm;
	time_t at;

	if (!table || !table->nrows)
		return;
	at = (time_t)number_of(table, TIME);
	if (gmtime_r(&at, &tm))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", &tm);
	fprintf(stderr, "kvmbpf: %s: saved on %s (Linux %s, %s) at %s after %.1f s\n", path,
		text_of(table, HOST), text_of(table, KERNEL), text_of(table, MACHINE), when,
		(double)number_of(table, DURATION) / 1e9);
}

static void error_print(const char *path, unsigned line, int err)
{
	if (err == -EINVAL && !line)
		fprintf(stderr, "kvmbpf: %s: empty, not a snapshot written by kvmbpf save\n", path);
	else if (err == -EINVAL && line <= 1)
		fprintf(stderr, "kvmbpf: %s:%u: not a snapshot written by kvmbpf save\n", path,
			line);
	else if (err == -EINVAL)
		fprintf(stderr,
			"kvmbpf: %s:%u: invalid line: the file is damaged, or of a later version\n",
			path, line);
	else if (err == -EILSEQ)
		fprintf(stderr, "kvmbpf: %s:%u: not UTF-8, so not written by kvmbpf save\n", path,
			line);
	else if (err == -ENODATA)
		fprintf(stderr, "kvmbpf: %s:%u: the file was cut off here: copy or save it again\n",
			path, line);
	else
		fprintf(stderr, "kvmbpf: %s: %s\n", path, strerror(-err));
}

int snapshot_file_load(const char *path, bool verbose, struct snapshot *ret_snapshot)
{
	bool is_stdin = strcmp(path, "-") == 0;
	FILE *file = is_stdin ? stdin : fopen(path, "re");
	struct snapshot snapshot;
	unsigned line = 0;
	int err = file ? snapshot_load(file, &snapshot, &line) : -errno;

	if (err)
		error_print(path, line, err);
	else if (verbose)
		saved_print(path, &snapshot);
	if (!err)
		*ret_snapshot = snapshot;
	if (file && !is_stdin)
		fclose(file);
	return err;
}
