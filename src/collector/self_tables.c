// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "collector/self_tables.h"

#include <errno.h>
#include <string.h>

#include "collector/collector_family.h"
#include "metrics/metric_table.h"

static const struct collector_family *self_family(const void *state, size_t number)
{
	return &((const struct self *)state)->families[number];
}

static int agent_fill(void *state, const struct table_row *row)
{
	(void)state;
	return snapshot_cell_set_text(&row->cells[0], PMDAKVM_VERSION);
}

/* An instance's fixed number, or the number of its name. */
static uint32_t number_of(enum metric_indom indom, const char *name)
{
	int number = metric_instance(indom, name);

	return number < 0 ? TABLE_BY_NAME : (uint32_t)number;
}

/* A row for every family, in the order of families[]. */
static int family_keys(void *state, const struct owner *owner, struct table_sync *sync)
{
	int err = 0;

	(void)state, (void)owner;
	for (size_t i = 0; !err && i < families_count; i++)
		err = table_want(sync,
				 &(struct table_key){
					 .key = (uint32_t)i,
					 .name = families[i].name,
					 .number = number_of(METRIC_INDOM_FAMILY, families[i].name),
				 });
	return err;
}

enum { FAMILY_ATTACHED, FAMILY_STATUS, FAMILY_ATTACH_TIME, FAMILY_GENERATION };

static int family_fill(void *state, const struct table_row *row)
{
	const struct collector_family *open = self_family(state, row->key);
	const char *status = open->error ? open->error :
			     open->err	 ? strerror(-open->err) :
					   "attached";

	snapshot_cell_set(&row->cells[FAMILY_ATTACHED], !open->err);
	snapshot_cell_set(&row->cells[FAMILY_ATTACH_TIME], open->attach_time);
	if (open->loaded)
		snapshot_cell_set(&row->cells[FAMILY_GENERATION],
				  families[row->key].ops->generation(open->state));
	return snapshot_cell_set_text(&row->cells[FAMILY_STATUS], status);
}

static int missed_fill(void *state, const struct table_row *row)
{
	const struct collector_family *open = self_family(state, row->key);
	uint64_t missed;

	if (open->state && !families[row->key].ops->missed(open->state, &missed))
		snapshot_cell_set(&row->cells[0], missed);
	return 0;
}

static int control_fill(void *state, const struct table_row *row)
{
	const struct collector_family *open = self_family(state, row->key);

	snapshot_cell_set(&row->cells[0], open->wanted);
	return 0;
}

/* A store resets; there is no state to show. */
static int reset_fill(void *state, const struct table_row *row)
{
	(void)state;
	snapshot_cell_set(&row->cells[0], 0);
	return 0;
}

/* A map's key: its family's index and its own number in that family; the last one is the file's. */
#define MAPS_OF_A_FAMILY 16

static int numbers_usage(const struct self *self, struct map_usage *ret_usage)
{
	struct instance_numbers_stats stats;

	if (!self->numbers)
		return -ENOENT;
	instance_numbers_stats(self->numbers, &stats);
	*ret_usage = (struct map_usage){
		.name = "instance_numbers",
		.limit = stats.limit,
		.used = stats.used,
		.bytes = stats.file_bytes + stats.memory_bytes,
		.dropped = stats.dropped,
	};
	return 0;
}

static int map_find(const struct self *self, uint32_t key, struct map_usage *ret_usage)
{
	size_t family = key / MAPS_OF_A_FAMILY;

	if (family == families_count)
		return numbers_usage(self, ret_usage);
	if (!families[family].ops->map || !self->families[family].state)
		return -ENOENT;
	return families[family].ops->map(self->families[family].state, key % MAPS_OF_A_FAMILY,
					 ret_usage);
}

static int map_keys(void *state, const struct owner *owner, struct table_sync *sync)
{
	int err = 0;

	(void)owner;
	for (uint32_t key = 0; !err && key <= families_count * MAPS_OF_A_FAMILY; key++) {
		struct map_usage usage;

		if (map_find(state, key, &usage) == 0)
			err = table_want(sync,
					 &(struct table_key){
						 .key = key,
						 .name = usage.name,
						 .number = number_of(METRIC_INDOM_MAP, usage.name),
					 });
	}
	return err;
}

enum { MAP_LIMIT, MAP_USED, MAP_BYTES, MAP_DROPPED };

static int map_fill(void *state, const struct table_row *row)
{
	struct map_usage usage;

	if (map_find(state, row->key, &usage)) /* the family was loaded anew, without this map */
		return 0;
	snapshot_cell_set(&row->cells[MAP_LIMIT], usage.limit);
	snapshot_cell_set(&row->cells[MAP_USED], usage.used);
	snapshot_cell_set(&row->cells[MAP_BYTES], usage.bytes);
	snapshot_cell_set(&row->cells[MAP_DROPPED], usage.dropped);
	return 0;
}

static const char *const agent_columns[] = { "version", NULL };
static const char *const missed_columns[] = { "missed", NULL };
static const char *const control_columns[] = { "attached", NULL };
static const char *const reset_columns[] = { "reset_max", NULL };
static const char *const family_columns[] = {
	[FAMILY_ATTACHED] = "attached",
	[FAMILY_STATUS] = "status",
	[FAMILY_ATTACH_TIME] = "attach_time",
	[FAMILY_GENERATION] = "generation",
	NULL,
};
static const char *const map_columns[] = {
	[MAP_LIMIT] = "limit",
	[MAP_USED] = "used",
	[MAP_BYTES] = "bytes",
	[MAP_DROPPED] = "dropped",
	NULL,
};

const struct table agent_tables[] = {
	{ .name = "agent", .columns = agent_columns, .fill = agent_fill },
	{ .name = "family",
	  .label = "family",
	  .columns = family_columns,
	  .keys = family_keys,
	  .fill = family_fill },
	{ .name = "family_missed",
	  .label = "family",
	  .columns = missed_columns,
	  .keys = family_keys,
	  .fill = missed_fill },
	{ .name = "control",
	  .label = "family",
	  .columns = control_columns,
	  .keys = family_keys,
	  .fill = control_fill },
	{ .name = "control_reset", .columns = reset_columns, .fill = reset_fill },
	{ .name = "map",
	  .label = "map",
	  .columns = map_columns,
	  .keys = map_keys,
	  .fill = map_fill },
};

const size_t agent_tables_count = sizeof(agent_tables) / sizeof(agent_tables[0]);
