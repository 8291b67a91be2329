// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "command/rates.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fnv1a.h"

static void table_free(struct rates_table *kept)
{
	free(kept->name);
	free(kept->names);
	free(kept->ids);
	free(kept->values);
	free(kept->present);
	free(kept->places);
}

void rates_free(struct rates *rates)
{
	for (size_t i = 0; i < rates->n; i++)
		table_free(&rates->list[i]);
	free(rates->list);
	*rates = (struct rates){ 0 };
}

static struct rates_table *kept_find(const struct rates *rates, const char *name)
{
	for (size_t i = 0; i < rates->n; i++) {
		if (strcmp(rates->list[i].name, name) == 0)
			return &rates->list[i];
	}
	return NULL;
}

static struct rates_table *kept_get(struct rates *rates, const char *name)
{
	struct rates_table *kept = kept_find(rates, name), *grown;
	char *copy;

	if (kept)
		return kept;
	grown = reallocarray(rates->list, rates->n + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	rates->list = grown;
	copy = strdup(name);
	if (!copy)
		return NULL;
	grown[rates->n] = (struct rates_table){ .name = copy };
	return &grown[rates->n++];
}

/* Make room for the table's values; what was kept is lost. Returns 0 or -ENOMEM. */
static int room_make(struct rates_table *kept, const struct snapshot_table *table)
{
	size_t cells = table->nrows * table->ncolumns;

	kept->nrows = 0;
	if (kept->names && kept->ncolumns == table->ncolumns && table->nrows <= kept->room)
		return 0;
	free(kept->names);
	free(kept->ids);
	free(kept->values);
	free(kept->present);
	free(kept->places);
	kept->nplaces = 16;
	while (kept->nplaces < 2 * table->nrows)
		kept->nplaces *= 2;
	kept->names = calloc(table->nrows + 1, sizeof(*kept->names));
	kept->ids = calloc(table->nrows + 1, sizeof(*kept->ids));
	kept->values = calloc(cells + 1, sizeof(*kept->values));
	kept->present = calloc(cells + 1, sizeof(*kept->present));
	kept->places = calloc(kept->nplaces, sizeof(*kept->places));
	kept->room = table->nrows;
	kept->ncolumns = table->ncolumns;
	if (kept->names && kept->ids && kept->values && kept->present && kept->places)
		return 0;
	free(kept->names);
	kept->names = NULL;
	kept->room = 0;
	return -ENOMEM;
}

static void row_keep(struct rates_table *kept, const struct snapshot_table *table, size_t row)
{
	uint64_t name = hash_text(HASH_START, table->rows[row].name);
	size_t place = name & (kept->nplaces - 1);

	kept->names[row] = name;
	kept->ids[row] = table->rows[row].id;
	while (kept->places[place])
		place = (place + 1) & (kept->nplaces - 1);
	kept->places[place] = (uint32_t)row + 1;
}

/* Which rows there are, mostly the same as the last time. Returns 0 or -ENOMEM. */
static int rows_keep(struct rates_table *kept, const struct snapshot_table *table)
{
	if (kept->names && kept->table == table && kept->changes == table->changes &&
	    kept->nrows == table->nrows && kept->ncolumns == table->ncolumns)
		return 0;
	if (room_make(kept, table))
		return -ENOMEM;
	memset(kept->places, 0, kept->nplaces * sizeof(*kept->places));
	for (size_t row = 0; row < table->nrows; row++)
		row_keep(kept, table, row);
	kept->nrows = table->nrows;
	kept->table = table;
	kept->changes = table->changes;
	return 0;
}

static void values_keep(struct rates_table *kept, const struct snapshot_table *table)
{
	for (size_t i = 0; i < table->nrows * table->ncolumns; i++) {
		kept->values[i] = table->cells[i].number;
		kept->present[i] = table->cells[i].present && !table->cells[i].text;
	}
}

int rates_keep(struct rates *rates, const struct snapshot *snapshot, uint64_t tables, double when)
{
	for (size_t i = 0; i < snapshot->ntables && i < 64; i++) {
		const struct snapshot_table *table = snapshot->tables[i];
		struct rates_table *kept;

		if (!(tables >> i & 1))
			continue;
		kept = kept_get(rates, table->name);
		if (!kept || rows_keep(kept, table))
			return -ENOMEM;
		values_keep(kept, table);
		kept->when = when;
	}
	return 0;
}

/* The same for a table, which is mostly that one itself. */
static const struct rates_table *kept_of(const struct rates *rates,
					 const struct snapshot_table *table)
{
	for (size_t i = 0; i < rates->n; i++) {
		if (rates->list[i].table == table)
			return &rates->list[i];
	}
	return kept_find(rates, table->name);
}

/* Where a row was, mostly where it is; nrows: nowhere. */
static size_t row_find(const struct rates_table *kept, const struct snapshot_table *table,
		       size_t row)
{
	uint64_t id = table->rows[row].id, name;

	/* rows of files have none */
	if (id && kept->table == table && row < kept->nrows && kept->ids[row] == id)
		return row;
	if (!kept->nrows)
		return 0;
	name = hash_text(HASH_START, table->rows[row].name);
	for (size_t place = name & (kept->nplaces - 1); kept->places[place];
	     place = (place + 1) & (kept->nplaces - 1)) {
		if (kept->names[kept->places[place] - 1] == name)
			return kept->places[place] - 1;
	}
	return kept->nrows;
}

bool rates_growth(const struct rates *rates, const struct snapshot_table *table, size_t row,
		  int column, uint64_t *ret_growth)
{
	const struct rates_table *kept = kept_of(rates, table);
	const struct snapshot_cell *cell;
	size_t before, at;

	if (!kept || column < 0 || (size_t)column >= kept->ncolumns)
		return false;
	cell = snapshot_table_cell(table, row, (size_t)column);
	before = row_find(kept, table, row);
	at = before * kept->ncolumns + (size_t)column;
	if (cell->present && !cell->text && before == kept->nrows && rates->began) {
		*ret_growth = cell->number;
		return true;
	}
	if (!cell->present || cell->text || before == kept->nrows || !kept->present[at] ||
	    cell->number < kept->values[at])
		return false;
	*ret_growth = cell->number - kept->values[at];
	return true;
}

uint64_t rates_kept(const struct rates *rates, const struct snapshot_table *table, size_t row,
		    int column)
{
	const struct rates_table *kept = kept_of(rates, table);
	size_t before, at;

	if (!kept || column < 0 || (size_t)column >= kept->ncolumns)
		return 0;
	before = row_find(kept, table, row);
	at = before * kept->ncolumns + (size_t)column;
	return before < kept->nrows && kept->present[at] ? kept->values[at] : 0;
}

uint64_t rates_kept_sum(const struct rates *rates, const struct snapshot_table *table, int column)
{
	const struct rates_table *kept = kept_of(rates, table);
	uint64_t sum = 0;

	if (!kept || column < 0 || (size_t)column >= kept->ncolumns)
		return 0;
	for (size_t at = (size_t)column; at < kept->nrows * kept->ncolumns; at += kept->ncolumns)
		sum += kept->present[at] ? kept->values[at] : 0;
	return sum;
}

double rates_seconds(const struct rates *rates, const struct snapshot_table *table)
{
	const struct rates_table *kept = kept_of(rates, table);

	return kept && rates->now > kept->when ? rates->now - kept->when : 0;
}

bool rates_get(const struct rates *rates, const struct snapshot_table *table, size_t row,
	       int column, double *ret_rate)
{
	double seconds = rates_seconds(rates, table);
	uint64_t growth;

	if (!(seconds > 0) || !rates_growth(rates, table, row, column, &growth))
		return false;
	*ret_rate = (double)growth / seconds;
	return true;
}
