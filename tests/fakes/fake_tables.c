// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/fake_tables.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define BY_NAME_BIT (UINT32_C(1) << 30)

struct fake_tables fake;

static struct snapshot snapshot;

/* Names keep their numbers for ever. */
static struct {
	char name[64];
	unsigned uses;
} numbers[1024];

/* --- a list of numbers --- */

static uint32_t number_of(const char *name)
{
	uint32_t i = 0;

	for (; i < ARRAY_SIZE(numbers) && *numbers[i].name; i++) {
		if (strcmp(numbers[i].name, name) == 0)
			return i;
	}
	assert_true(i < ARRAY_SIZE(numbers));
	snprintf(numbers[i].name, sizeof(numbers[i].name), "%s", name);
	return i;
}

int instance_numbers_take(struct instance_numbers *list, const char *name, uint32_t *ret_number)
{
	assert_ptr_equal(list, &fake);
	if (alloc_fails())
		return -ENOMEM;
	if (fake.no_number && strcmp(name, fake.no_number) == 0)
		return -ENOSPC;
	numbers[number_of(name)].uses++;
	fake.taken++;
	*ret_number = number_of(name) + 1;
	return 0;
}

void instance_numbers_release(struct instance_numbers *list, const char *name)
{
	assert_ptr_equal(list, &fake);
	assert_true(numbers[number_of(name)].uses-- > 0);
	fake.released++;
}

/* --- a table --- */

/* The table must not keep pointers into a key. */
static int keys_want(void *state, const struct owner *owner, struct table_sync *sync)
{
	const struct fake_owner *from = &fake.pool[owner->id];
	int err = 0;

	assert_ptr_equal(state, &snapshot);
	assert_in_range(owner - fake.list, 0, fake.owners.kinds[fake.table.owner].n - 1);
	for (size_t i = 0; !err && i < from->nkeys; i++) {
		struct fake_key key = from->keys[i];

		err = table_want(sync,
				 &(struct table_key){ .key = key.key,
						      .name = *key.name ? key.name : NULL,
						      .range = key.has_range ? &key.range : NULL,
						      .number = key.number });
		memset(&key, 'x', sizeof(key));
	}
	return err;
}

static bool begin(void *state)
{
	assert_ptr_equal(state, &snapshot);
	for (size_t i = 0; i < fake.to->nrows * fake.to->ncolumns; i++)
		assert_false(fake.to->cells[i].present);
	return fake.begins;
}

static uint64_t value_of(uint32_t owner, uint32_t key)
{
	return owner * 1000 + key + 1;
}

static int fill(void *state, const struct table_row *row)
{
	assert_ptr_equal(state, &snapshot);
	assert_ptr_equal(row->table, &fake.table);
	assert_in_range(row->owner - fake.list, 0, fake.owners.kinds[fake.table.owner].n - 1);
	if (fake.fill_error)
		return fake.fill_error;
	snapshot_cell_set(&row->cells[0], value_of(row->owner->id, row->key));
	return snapshot_cell_set_text(&row->cells[1], "text");
}

void fake_begin(enum owner_kind kind, bool keys)
{
	static const char *const columns[] = { "number", "text", NULL };

	fake = (struct fake_tables){
		.table = { .name = "t", .owner = kind, .columns = columns, .fill = fill },
		.begins = true,
		.has_numbers = true,
	};
	memset(numbers, 0, sizeof(numbers));
	if (keys) {
		fake.table.keys = keys_want;
		fake.table.label = "reason";
	}
	fake.table.begin = begin;
	assert_int_equal(snapshot_add_table(&snapshot, "t", &fake.to), 0);
	fake.owners.kinds[kind].list = fake.list;
	for (uint32_t i = 0; kind != OWNER_HOST && i < FAKE_OWNERS; i++) {
		snprintf(fake.pool[i].name, sizeof(fake.pool[i].name), "%s%u",
			 kind == OWNER_CPU  ? "cpu" :
			 kind == OWNER_VCPU ? "vm::vcpu" :
					      "vm",
			 i);
		if (kind != OWNER_CPU)
			fake_label(i, fake.pool[i].name);
	}
}

int fake_end(void **state)
{
	(void)state;
	snapshot_free(&snapshot);
	for (size_t i = 0; i < FAKE_OWNERS; i++)
		labels_unref(fake.pool[i].labels);
	fake = (struct fake_tables){ 0 };
	return 0;
}

void fake_owners(const char *ids)
{
	size_t n = 0;
	char *end;

	for (; *ids; ids = end) {
		uint32_t id = (uint32_t)strtoul(ids, &end, 10);

		assert_true(end != ids && id < FAKE_OWNERS);
		fake.list[n++] = (struct owner){ .id = id,
						 .name = *fake.pool[id].name ? fake.pool[id].name :
									       NULL,
						 .labels = fake.pool[id].labels };
	}
	fake.owners.kinds[fake.table.owner].n = n;
}

static char *key_parse(char *text, struct fake_key *key)
{
	size_t length;

	*key = (struct fake_key){ .number = TABLE_BY_NAME };
	key->key = (uint32_t)strtoul(text, &text, 10);
	if (*text == ':') {
		length = strcspn(++text, "=# ");
		snprintf(key->name, sizeof(key->name), "%.*s", (int)length, text);
		text += length;
	}
	if (*text == '=') {
		key->has_range = true;
		key->range.first = strtoull(text + 1, &text, 10);
		assert_int_equal(*text, '-');
		key->range.last = strtoull(text + 1, &text, 10);
	}
	if (*text == '#')
		key->number = (uint32_t)strtoul(text + 1, &text, 10);
	assert_true(!*text || *text == ' ');
	return text + strspn(text, " ");
}

void fake_keys(uint32_t owner, const char *keys)
{
	char copy[1024], *text = copy;
	size_t n = 0;

	snprintf(copy, sizeof(copy), "%s", keys);
	while (*text) {
		assert_true(n < FAKE_KEYS);
		text = key_parse(text, &fake.pool[owner].keys[n++]);
	}
	fake.pool[owner].nkeys = n;
}

void fake_label(uint32_t owner, const char *text)
{
	labels_unref(fake.pool[owner].labels);
	fake.pool[owner].labels = labels_new(&(struct label){ "vm", text, 0 }, 1);
	assert_non_null(fake.pool[owner].labels);
}

int fake_sync(void)
{
	return table_sync(&fake.table, &snapshot, &fake.owners,
			  fake.has_numbers ? (struct instance_numbers *)&fake : NULL, fake.to);
}

int fake_fill(void)
{
	return table_fill(&fake.table, &snapshot, &fake.owners, fake.to);
}

/* --- what the rows are, and what they must be --- */

char *fake_rows(void)
{
	size_t size;
	char *text;
	FILE *file = open_memstream(&text, &size);

	assert_non_null(file);
	for (size_t i = 0; i < fake.to->nrows; i++) {
		const struct snapshot_row *row = &fake.to->rows[i];
		const struct labels *sets[] = { row->labels, row->own };
		char *json = labels_json(sets, 2);

		assert_non_null(json);
		fprintf(file, "%s %c%" PRIu32 " %s\n", row->name,
			row->number & BY_NAME_BIT ? '~' : '#', row->number & ~BY_NAME_BIT, json);
		free(json);
	}
	fclose(file);
	return text;
}

static void name_part(char *name, size_t size, const char *part)
{
	size_t length = strlen(name);

	if (*part)
		snprintf(name + length, size - length, "%s%s", length ? "::" : "", part);
}

static void label_part(char *json, size_t size, const char *key, const char *text)
{
	size_t length = strlen(json);

	if (*text)
		snprintf(json + length, size - length, "%s\"%s\":\"%s\"", length ? "," : "", key,
			 text);
}

static void row_expect(const struct owner *owner, const struct fake_key *key, FILE *file)
{
	char name[128] = "", json[256] = "", range[SNAPSHOT_RANGE_SIZE] = "";
	uint32_t number = key->number;

	if (key->has_range)
		snapshot_range_text(&key->range, range);
	name_part(name, sizeof(name), owner->name ? owner->name : "");
	name_part(name, sizeof(name), key->name);
	name_part(name, sizeof(name), range);
	if (strchr(name, '\n') || (fake.no_number && strcmp(name, fake.no_number) == 0))
		return; /* left out */
	if (owner->labels)
		label_part(json, sizeof(json), "vm", owner->labels->list[0].text);
	if (fake.table.owner == OWNER_CPU)
		snprintf(json, sizeof(json), "\"cpu\":%" PRIu32, owner->id);
	if (fake.table.label)
		label_part(json, sizeof(json), fake.table.label, key->name);
	label_part(json, sizeof(json), "bucket", range);
	if (number == TABLE_BY_NAME)
		number = fake.has_numbers ? number_of(name) + 1 : 0;
	fprintf(file, "%s %c%" PRIu32 " {%s}\n", name, key->number == TABLE_BY_NAME ? '~' : '#',
		number, json);
}

static char *rows_expected(void)
{
	const struct owner_list *list = &fake.owners.kinds[fake.table.owner];
	size_t size;
	char *text;
	FILE *file = open_memstream(&text, &size);

	assert_non_null(file);
	for (size_t i = 0; i < list->n; i++) {
		const struct owner *owner = &list->list[i];
		const struct fake_owner *from = &fake.pool[owner->id];
		struct fake_key alone = { .number = TABLE_BY_NAME };

		if (fake.table.owner == OWNER_HOST || fake.table.owner == OWNER_CPU)
			alone.number = owner->id;
		if (!fake.table.keys)
			row_expect(owner, &alone, file);
		for (size_t j = 0; fake.table.keys && j < from->nkeys; j++)
			row_expect(owner, &from->keys[j], file);
	}
	fclose(file);
	return text;
}

void assert_synced(void)
{
	char *found = fake_rows(), *expected = rows_expected();
	unsigned uses = 0;

	assert_string_equal(found, expected);
	free(found);
	free(expected);
	for (size_t i = 0; i < fake.to->nrows; i++) {
		const struct snapshot_row *row = &fake.to->rows[i];

		if (fake.has_numbers)
			assert_int_equal(snapshot_table_row(fake.to, row->number), i);
		assert_int_equal(row->by_name, fake.has_numbers && row->number & BY_NAME_BIT);
		if (row->by_name)
			assert_int_equal(numbers[number_of(row->name)].uses, 1);
		uses += row->by_name;
	}
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		uses -= numbers[i].uses;
	assert_int_equal(uses, 0);
}

void sync_rows(void)
{
	assert_int_equal(fake_sync(), 0);
	assert_synced();
}

void assert_names(const char *text)
{
	char *rows = fake_rows(), *at = rows, *line, found[1024] = "";

	while ((line = strsep(&at, "\n")) && *line) {
		char *number = strchr(line, ' ');

		*number++ = '\0';
		*strchr(number, ' ') = '\0';
		snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s%s%s",
			 *found ? " " : "", line, number);
	}
	assert_string_equal(found, text);
	free(rows);
}

void assert_values(bool present)
{
	for (size_t i = 0; i < fake.to->nrows; i++) {
		const struct snapshot_cell *cell = snapshot_table_cell(fake.to, i, 0);
		uint64_t id = fake.to->rows[i].id;

		assert_int_equal(cell[0].present, present);
		assert_int_equal(cell[1].present, present);
		if (!present)
			continue;
		assert_int_equal(cell[0].number, value_of((uint32_t)(id >> 32), (uint32_t)id));
		assert_string_equal(cell[1].text, "text");
	}
}

void assert_row_labels(const char *name, const char *json)
{
	for (size_t i = 0; i < fake.to->nrows; i++) {
		const struct snapshot_row *row = &fake.to->rows[i];
		const struct labels *sets[] = { row->labels, row->own };
		char *found;

		if (strcmp(row->name, name) != 0)
			continue;
		found = labels_json(sets, 2);
		assert_string_equal(found, json);
		free(found);
		return;
	}
	fail_msg("no row %s", name);
}
