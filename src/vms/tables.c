// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "vms/tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "metrics/past_names.h"

#define BUCKET_LABEL "bucket"

/* Set in numbers by name, which have 30 bits: so they are never those that a table fixes. */
#define BY_NAME_BIT (UINT32_C(1) << 30)

/* Rows of one key often come for many owners, and share their labels if these are the same. */
#define OWN_LABELS 256

/* Where an owner is in its list. */
struct place {
	uint32_t id;
	uint32_t at;
};

struct table_sync {
	const struct table *table;
	const struct owner_list *owners;
	struct instance_numbers *numbers;
	struct snapshot_table *to;
	struct place *places; /* [owners->n], sorted by id */
	size_t owner;	      /* the current owner's index */
	size_t old;	      /* the next row that the table has */
	size_t old_owner;     /* its owner's index; SIZE_MAX: gone */
	struct snapshot_row *rows;
	bool *is_old; /* [room], rows that the table has already */
	size_t n, room, kept;
	struct labels *own[OWN_LABELS];
};

/* --- the rows that the table has --- */

static uint64_t row_id(const struct owner *owner, uint32_t key)
{
	return (uint64_t)owner->id << 32 | key;
}

static uint32_t id_owner(uint64_t id)
{
	return (uint32_t)(id >> 32);
}

static int place_compare(const void *left, const void *right)
{
	const struct place *a = left, *b = right;

	return (a->id > b->id) - (a->id < b->id);
}

static int places_make(struct table_sync *sync)
{
	size_t n = sync->owners->n;

	sync->places = calloc(n + 1, sizeof(*sync->places));
	if (!sync->places)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		sync->places[i] = (struct place){ sync->owners->list[i].id, (uint32_t)i };
	qsort(sync->places, n, sizeof(*sync->places), place_compare);
	return 0;
}

/* Find the owner of the next old row, unless it is the owner of the row before. */
static void old_owner_find(struct table_sync *sync)
{
	const struct snapshot_row *rows = sync->to->rows;
	struct place wanted, *found;

	if (sync->old == sync->to->nrows)
		return;
	wanted.id = id_owner(rows[sync->old].id);
	if (sync->old && id_owner(rows[sync->old - 1].id) == wanted.id)
		return;
	found = bsearch(&wanted, sync->places, sync->owners->n, sizeof(wanted), place_compare);
	sync->old_owner = found ? found->at : SIZE_MAX;
}

static void old_next(struct table_sync *sync)
{
	sync->old++;
	old_owner_find(sync);
}

/* Does the row have this key's name and range? Its id alone can come to mean another key. */
static bool row_is_of(const struct snapshot_row *row, const struct owner *owner,
		      const struct table_key *key)
{
	size_t owner_bytes = owner->name ? strlen(owner->name) : 0;
	size_t key_bytes = key->name ? strlen(key->name) : 0;
	const char *key_name = row->name + row->owner_bytes;

	if (row->owner_bytes != owner_bytes || row->key_bytes != key_bytes ||
	    row->has_range != (key->range != NULL) ||
	    (owner_bytes && memcmp(row->name, owner->name, owner_bytes) != 0))
		return false;
	if (owner_bytes && key_bytes)
		key_name += strlen("::");
	return (!key_bytes || memcmp(key_name, key->name, key_bytes) == 0) &&
	       (!key->range ||
		(row->range.first == key->range->first && row->range.last == key->range->last));
}

/*
 * The old row with this id, or NULL. Both old rows and wanted rows are in the order of owners and
 * keys, so those passed over exist no more.
 */
static const struct snapshot_row *old_find(struct table_sync *sync, uint64_t id)
{
	for (; sync->old < sync->to->nrows; old_next(sync)) {
		const struct snapshot_row *row = &sync->to->rows[sync->old];

		if (row->id == id)
			return row;
		if (sync->old_owner != SIZE_MAX &&
		    (sync->old_owner > sync->owner ||
		     (sync->old_owner == sync->owner && row->id > id)))
			return NULL;
	}
	return NULL;
}

/* --- new rows --- */

static int make_room(struct table_sync *sync)
{
	size_t room = sync->room ? sync->room * 2 : sync->to->nrows + 4;
	struct snapshot_row *rows;
	bool *is_old;

	if (sync->n < sync->room)
		return 0;
	rows = reallocarray(sync->rows, room, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	sync->rows = rows;
	is_old = reallocarray(sync->is_old, room, sizeof(*is_old));
	if (!is_old)
		return -ENOMEM;
	sync->is_old = is_old;
	sync->room = room;
	return 0;
}

static bool labels_are(const struct labels *labels, const struct label *list, size_t n)
{
	bool same = labels && labels->n == n;

	for (size_t i = 0; same && i < n; i++) {
		const struct label *label = &labels->list[i];

		same = strcmp(label->key, list[i].key) == 0 && label->number == list[i].number &&
		       !label->text == !list[i].text &&
		       (!label->text || strcmp(label->text, list[i].text) == 0);
	}
	return same;
}

/* The labels of CPU, key and range, with a reference; NULL: none. Returns 0 or -ENOMEM. */
static int own_labels(struct table_sync *sync, const struct owner *owner,
		      const struct table_key *key, struct labels **ret_labels)
{
	struct labels **own = &sync->own[key->key % OWN_LABELS];
	char range[SNAPSHOT_RANGE_SIZE];
	struct label list[3 + TABLE_LABELS];
	size_t n = 0;

	if (sync->table->owner == OWNER_CPU)
		list[n++] = (struct label){ "cpu", NULL, owner->id };
	if (key->name && sync->table->label)
		list[n++] = (struct label){ sync->table->label, key->name, 0 };
	if (key->range) {
		snapshot_range_text(key->range, range);
		list[n++] = (struct label){ BUCKET_LABEL, range, 0 };
	}
	for (size_t i = 0; i < key->nlabels && i < TABLE_LABELS; i++)
		list[n++] = key->labels[i];
	if (n && !labels_are(*own, list, n)) {
		labels_unref(*own);
		*own = labels_new(list, n);
		if (!*own)
			return -ENOMEM;
	}
	*ret_labels = n ? labels_ref(*own) : NULL;
	return 0;
}

/* Returns 0, -ENOMEM, -EINVAL for a name that cannot be shown, or -ENOSPC for one without number.
 */
static int row_make(struct table_sync *sync, const struct owner *owner, const struct table_key *key,
		    struct snapshot_row *ret_row)
{
	struct snapshot_name name = { owner->name, key->name, key->range };
	struct snapshot_row row;
	int err = snapshot_row_init(&row, &name);

	if (err)
		return err;
	row.id = row_id(owner, key->key);
	row.labels = labels_ref(owner->labels);
	err = own_labels(sync, owner, key, &row.own);
	row.number = key->number;
	if (!err && key->number == TABLE_BY_NAME) {
		row.number = 0;
		if (sync->numbers)
			err = instance_numbers_take(sync->numbers, row.name, &row.number);
		row.number |= BY_NAME_BIT;
		row.by_name = !err && sync->numbers;
	}
	if (err) {
		snapshot_row_free(&row);
		return err;
	}
	*ret_row = row;
	return 0;
}

static void row_drop(struct table_sync *sync, struct snapshot_row *row)
{
	if (row->by_name)
		instance_numbers_release(sync->numbers, row->name);
	snapshot_row_free(row);
}

/* A row that clients may have seen is gone. */
static void row_end(struct table_sync *sync, struct snapshot_row *row)
{
	char *name = row->by_name && sync->to->past ? row->name : NULL;
	struct snapshot_row rest = *row;

	if (!name) {
		row_drop(sync, row);
		return;
	}
	instance_numbers_release(sync->numbers, name);
	rest.name = NULL;
	snapshot_row_free(&rest);
	past_names_add(sync->to->past, sync->to, row->number, name);
}

int table_want(struct table_sync *sync, const struct table_key *key)
{
	const struct owner *owner = &sync->owners->list[sync->owner];
	const struct snapshot_row *old = old_find(sync, row_id(owner, key->key));
	int err = make_room(sync);

	if (err)
		return err;
	if (old && row_is_of(old, owner, key)) {
		sync->rows[sync->n] = *old;
		old_next(sync);
		sync->kept++;
	} else {
		old = NULL;
		err = row_make(sync, owner, key, &sync->rows[sync->n]);
		if (err)
			return err == -ENOMEM ? err : 0;
	}
	sync->is_old[sync->n++] = old;
	return 0;
}

/* --- a whole table --- */

int table_columns_sync(const struct table *table, void *state, struct snapshot_table *to)
{
	int err = 0;

	if (!table->columns)
		return table->make_columns(state, table, to);
	for (size_t i = 0; !err && table->columns[i]; i++)
		err = snapshot_once(snapshot_table_add_column(to, table->columns[i]));
	return err;
}

static int rows_make(struct table_sync *sync, void *state)
{
	const struct table *table = sync->table;
	const struct table_key alone = { .number = TABLE_BY_NAME };
	int err = 0;

	for (sync->owner = 0; !err && sync->owner < sync->owners->n; sync->owner++) {
		const struct owner *owner = &sync->owners->list[sync->owner];
		struct table_key key = alone;

		if (table->owner == OWNER_HOST || table->owner == OWNER_CPU)
			key.number = owner->id;
		err = table->keys ? table->keys(state, owner, sync) : table_want(sync, &key);
	}
	return err;
}

/* Labels of an owner can change while its rows stay. */
static void labels_follow(struct table_sync *sync)
{
	size_t owner = 0;

	for (size_t i = 0; i < sync->to->nrows; i++) {
		struct snapshot_row *row = &sync->to->rows[i];

		while (sync->owners->list[owner].id != id_owner(row->id))
			owner++;
		if (row->labels == sync->owners->list[owner].labels)
			continue;
		labels_unref(row->labels);
		row->labels = labels_ref(sync->owners->list[owner].labels);
	}
}

/* Put the new rows in the table's place, and drop those that are gone. */
static int rows_commit(struct table_sync *sync)
{
	struct snapshot_row *gone;
	size_t ngone = 0, at = 0;
	int err;

	if (sync->kept == sync->n && sync->n == sync->to->nrows)
		return 0;
	gone = calloc(sync->to->nrows + 1, sizeof(*gone));
	if (!gone)
		return -ENOMEM;
	for (size_t i = 0; i < sync->to->nrows; i++) {
		while (at < sync->n && !sync->is_old[at])
			at++;
		if (at < sync->n && sync->rows[at].id == sync->to->rows[i].id)
			at++;
		else
			gone[ngone++] = sync->to->rows[i];
	}
	err = snapshot_table_set_rows(sync->to, sync->rows, sync->n);
	if (!err) {
		sync->rows = NULL;
		for (size_t i = 0; i < ngone; i++)
			row_end(sync, &gone[i]);
	}
	free(gone);
	return err;
}

int table_sync(const struct table *table, void *state, const struct owners *owners,
	       struct instance_numbers *numbers, struct snapshot_table *to)
{
	struct table_sync sync = {
		.table = table,
		.owners = &owners->kinds[table->owner],
		.numbers = numbers,
		.to = to,
	};
	int err = table_columns_sync(table, state, to);

	if (!err)
		err = places_make(&sync);
	if (!err) {
		old_owner_find(&sync);
		err = rows_make(&sync, state);
	}
	if (!err) {
		err = make_room(&sync); /* for an array even of no rows */
		if (!err)
			err = rows_commit(&sync);
		if (!err)
			labels_follow(&sync);
	}
	for (size_t i = 0; err && i < sync.n; i++) {
		if (!sync.is_old[i])
			row_drop(&sync, &sync.rows[i]);
	}
	for (size_t i = 0; i < OWN_LABELS; i++)
		labels_unref(sync.own[i]);
	free(sync.rows);
	free(sync.is_old);
	free(sync.places);
	return err;
}

int table_fill(const struct table *table, void *state, const struct owners *owners,
	       struct snapshot_table *to)
{
	const struct owner_list *list = &owners->kinds[table->owner];
	size_t owner = 0;
	int err = 0;

	snapshot_table_unset(to);
	if (table->begin && !table->begin(state))
		return 0;
	for (size_t i = 0; !err && i < to->nrows; i++) {
		struct table_row row = {
			.table = table,
			.key = (uint32_t)to->rows[i].id,
			.cells = snapshot_table_cell(to, i, 0),
		};

		while (owner < list->n && list->list[owner].id != id_owner(to->rows[i].id))
			owner++;
		if (owner == list->n)
			break; /* its owner is gone, and the rows are not up to date yet */
		row.owner = &list->list[owner];
		err = table->fill(state, &row);
	}
	return err;
}
