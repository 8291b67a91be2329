// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "collector/self_tables.h"

#include <errno.h>
#include <string.h>

#include "collector/collector_family.h"

enum { AGENT_VERSION };
enum { FAMILY_ATTACHED, FAMILY_STATUS, FAMILY_ATTACH_TIME, FAMILY_GENERATION };

static int columns_add(struct snapshot_table *table, const char *const *names, size_t n)
{
	int err = 0;

	for (size_t i = table->ncolumns; !err && i < n; i++)
		err = snapshot_table_add_column(table, names[i]);
	return err;
}

static int agent_sync(void *state, struct snapshot_table *table)
{
	static const char *const names[] = { [AGENT_VERSION] = "version" };
	int err;

	(void)state;
	err = columns_add(table, names, sizeof(names) / sizeof(names[0]));
	return err || table->nrows ? err : snapshot_table_add_row(table, 0, "");
}

static int agent_read(void *state, struct snapshot_table *table)
{
	(void)state;
	return snapshot_cell_set_text(snapshot_table_cell(table, 0, AGENT_VERSION),
				      PMDAKVM_VERSION);
}

/* Add a row for every family, in the order of families[]. */
static int family_rows(struct snapshot_table *table)
{
	int err = 0;

	for (size_t i = table->nrows; !err && i < families_count; i++)
		err = snapshot_table_add_row(table, (uint32_t)i, families[i].name);
	return err;
}

static int family_sync(void *state, struct snapshot_table *table)
{
	static const char *const names[] = {
		[FAMILY_ATTACHED] = "attached",
		[FAMILY_STATUS] = "status",
		[FAMILY_ATTACH_TIME] = "attach_time",
		[FAMILY_GENERATION] = "generation",
	};
	int err;

	(void)state;
	err = columns_add(table, names, sizeof(names) / sizeof(names[0]));
	return err ? err : family_rows(table);
}

static int family_read(void *state, struct snapshot_table *table)
{
	const struct collector_family *open = state;
	int err = 0;

	for (size_t i = 0; !err && i < families_count; i++) {
		const char *error = open[i].error ? open[i].error :
				    open[i].err	  ? strerror(-open[i].err) :
						    "attached";

		snapshot_cell_set(snapshot_table_cell(table, i, FAMILY_ATTACHED), !open[i].err);
		snapshot_cell_set(snapshot_table_cell(table, i, FAMILY_ATTACH_TIME),
				  open[i].attach_time);
		if (open[i].loaded)
			snapshot_cell_set(snapshot_table_cell(table, i, FAMILY_GENERATION),
					  families[i].ops->generation(open[i].state));
		err = snapshot_cell_set_text(snapshot_table_cell(table, i, FAMILY_STATUS), error);
	}
	return err;
}

static int control_sync(void *state, struct snapshot_table *table)
{
	static const char *const names[] = { "attached" };
	int err;

	(void)state;
	err = columns_add(table, names, 1);
	return err ? err : family_rows(table);
}

static int control_read(void *state, struct snapshot_table *table)
{
	const struct collector_family *open = state;

	for (size_t i = 0; i < families_count; i++)
		snapshot_cell_set(snapshot_table_cell(table, i, 0), open[i].wanted);
	return 0;
}

static int reset_sync(void *state, struct snapshot_table *table)
{
	static const char *const names[] = { "reset_max" };
	int err = columns_add(table, names, 1);

	(void)state;
	return err || table->nrows ? err : snapshot_table_add_row(table, 0, "");
}

/* A store to kvm.control.reset_max is an action: there is no state to show. */
static int reset_read(void *state, struct snapshot_table *table)
{
	(void)state;
	snapshot_cell_set(snapshot_table_cell(table, 0, 0), 0);
	return 0;
}

static int missed_sync(void *state, struct snapshot_table *table)
{
	static const char *const names[] = { "missed" };
	int err;

	(void)state;
	err = columns_add(table, names, 1);
	return err ? err : family_rows(table);
}

static int missed_read(void *state, struct snapshot_table *table)
{
	const struct collector_family *open = state;

	for (size_t i = 0; i < families_count; i++) {
		struct snapshot_cell *cell = snapshot_table_cell(table, i, 0);
		uint64_t missed;

		if (open[i].state && !families[i].ops->missed(open[i].state, &missed))
			snapshot_cell_set(cell, missed);
		else
			snapshot_cell_unset(cell);
	}
	return 0;
}

enum { MAP_LIMIT, MAP_USED, MAP_BYTES, MAP_DROPPED };

/* A map's instance number is its family's index times this, plus its index in the family. */
#define MAPS_OF_A_FAMILY 16

/* Find a map by its instance number. Returns 0 or -ENOENT. */
static int map_find(const struct collector_family *open, size_t number, struct family_map *ret_map)
{
	size_t family = number / MAPS_OF_A_FAMILY;

	if (!families[family].ops->map || !open[family].state)
		return -ENOENT;
	return families[family].ops->map(open[family].state, number % MAPS_OF_A_FAMILY, ret_map);
}

static int map_sync(void *state, struct snapshot_table *table)
{
	static const char *const names[] = {
		[MAP_LIMIT] = "limit",
		[MAP_USED] = "used",
		[MAP_BYTES] = "bytes",
		[MAP_DROPPED] = "dropped",
	};
	struct family_map map;
	int err = columns_add(table, names, sizeof(names) / sizeof(names[0]));

	for (size_t i = 0; !err && i < families_count * MAPS_OF_A_FAMILY; i++) {
		if (map_find(state, i, &map) == 0)
			err = snapshot_once(snapshot_table_add_row(table, (uint32_t)i, map.name));
	}
	return err;
}

static int map_read(void *state, struct snapshot_table *table)
{
	for (size_t i = 0; i < table->nrows; i++) {
		struct snapshot_cell *cells = snapshot_table_cell(table, i, 0);
		struct family_map map;

		/* a family that was reloaded may no longer have this map */
		if (map_find(state, table->rows[i].id, &map) ||
		    strcmp(map.name, table->rows[i].name) != 0) {
			for (size_t j = 0; j < table->ncolumns; j++)
				snapshot_cell_unset(&cells[j]);
			continue;
		}
		snapshot_cell_set(&cells[MAP_LIMIT], map.limit);
		snapshot_cell_set(&cells[MAP_USED], map.used);
		snapshot_cell_set(&cells[MAP_BYTES], map.bytes);
		snapshot_cell_set(&cells[MAP_DROPPED], map.dropped);
	}
	return 0;
}

const struct family_table agent_tables[] = {
	{ "agent", agent_sync, agent_read },	       { "family", family_sync, family_read },
	{ "family_missed", missed_sync, missed_read }, { "control", control_sync, control_read },
	{ "control_reset", reset_sync, reset_read },   { "map", map_sync, map_read },
};

const size_t agent_tables_count = sizeof(agent_tables) / sizeof(agent_tables[0]);
