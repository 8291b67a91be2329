// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "collector/sources.h"

#include <errno.h>
#include <string.h>

#include "metrics/metric_table.h"
#include "metrics/past_names.h"

void sources_free(struct sources *sources)
{
	snapshot_free(&sources->snapshot);
	past_names_free(sources->past);
	owners_free(&sources->owners);
}

/* Bring a table's rows and columns up to date. After -ENOMEM the next tick or read tries again. */
static int source_sync(struct sources *sources, size_t number)
{
	struct source *source = &sources->list[number];
	int err = table_sync(source->table, source->state, &sources->owners, sources->numbers,
			     sources->snapshot.tables[number]);

	source->outdated = err != 0;
	source->owners = sources->owners.changes;
	return err;
}

static bool source_is_outdated(const struct sources *sources, size_t number)
{
	const struct source *source = &sources->list[number];

	return source->outdated ||
	       (source->table->owner != OWNER_HOST && source->owners != sources->owners.changes);
}

static int owners_follow(struct sources *sources)
{
	return owners_update(&sources->owners, sources->vms, sources->cpus);
}

/* Are a table's rows the instances of a domain? */
static bool has_instances(const struct table *table)
{
	for (int i = 0; i < METRIC_INDOMS; i++) {
		if (strcmp(metric_indoms[i].table, table->name) == 0)
			return true;
	}
	return false;
}

/* The same as far as it is done before the table is read. */
static int source_prepare(struct sources *sources, size_t number)
{
	struct source *source = &sources->list[number];

	if (!sources->rows_late)
		return source_sync(sources, number);
	source->outdated = true;
	return table_columns_sync(source->table, source->state, sources->snapshot.tables[number]);
}

static int source_add(struct sources *sources, const struct table *table, void *state)
{
	struct snapshot_table *made;
	size_t number = sources->snapshot.ntables;
	int err;

	if (number == SOURCES_MAX)
		return -ENOSPC;
	err = snapshot_add_table(&sources->snapshot, table->name, &made);
	if (err)
		return err;
	if (has_instances(table))
		made->past = sources->past;
	sources->list[number] = (struct source){ .table = table, .state = state };
	return source_prepare(sources, number);
}

int sources_add(struct sources *sources, const struct table *tables, size_t n, void *state)
{
	int err = owners_follow(sources);

	for (size_t i = 0; !err && i < n; i++)
		err = source_add(sources, &tables[i], state);
	return err;
}

bool sources_sync(struct sources *sources, const void *state)
{
	bool changed = false;

	owners_follow(sources); /* after -ENOMEM the lists are incomplete but valid */
	for (size_t i = 0; i < sources->snapshot.ntables; i++) {
		struct snapshot_table *table = sources->snapshot.tables[i];
		uint64_t changes = table->changes;
		size_t columns = table->ncolumns;

		if (state && sources->list[i].state != state)
			continue;
		source_prepare(sources, i);
		changed |= table->changes != changes || table->ncolumns != columns;
	}
	return changed;
}

bool sources_are_outdated(const struct sources *sources)
{
	for (size_t i = 0; i < sources->snapshot.ntables && !sources->rows_late; i++) {
		if (source_is_outdated(sources, i))
			return true;
	}
	return false;
}

void sources_mark(struct sources *sources, const void *state)
{
	for (size_t i = 0; i < sources->snapshot.ntables; i++)
		sources->list[i].outdated |= sources->list[i].state == state;
}

uint64_t sources_want(const struct sources *sources, const void *state, uint64_t tables)
{
	uint64_t wanted = 0;
	unsigned own = 0;

	for (size_t i = 0; i < sources->snapshot.ntables; i++) {
		if (sources->list[i].state != state)
			continue;
		wanted |= (tables >> i & 1) << own;
		own++;
	}
	return wanted;
}

bool tables_want_vms(const struct table *tables, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (tables[i].owner >= OWNER_VM)
			return true;
	}
	return false;
}

bool sources_want_vms(const struct sources *sources, uint64_t tables)
{
	for (size_t i = 0; i < sources->snapshot.ntables; i++) {
		const struct source *source = &sources->list[i];

		if ((tables & (1ULL << i)) &&
		    (source->state == sources->vms || source->table->owner >= OWNER_VM))
			return true;
	}
	return false;
}

int sources_read(struct sources *sources, uint64_t tables, uint64_t rows)
{
	int err = owners_follow(sources);

	for (size_t i = 0; !err && i < sources->snapshot.ntables; i++) {
		if (((tables | rows) & (1ULL << i)) && source_is_outdated(sources, i))
			source_sync(sources, i); /* after -ENOMEM the rows are as before */
	}
	for (size_t i = 0; !err && i < sources->snapshot.ntables; i++) {
		const struct source *source = &sources->list[i];

		if (tables & (1ULL << i))
			err = table_fill(source->table, source->state, &sources->owners,
					 sources->snapshot.tables[i]);
	}
	return err;
}
