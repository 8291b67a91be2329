// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "families/cause/cause_ids.h"

#include <stdlib.h>

#include "base/sorted_array.h"
#include "kvm/cause_names.h"

static int key_compare(const void *element, const void *key)
{
	return sorted_numbers(((const struct cause_id *)element)->key, *(const uint64_t *)key);
}

static int id_compare(const void *element, const void *id)
{
	return sorted_numbers(((const struct cause_id *)element)->id, *(const uint32_t *)id);
}

void cause_ids_free(struct cause_ids *ids)
{
	free(ids->list);
	*ids = (struct cause_ids){ 0 };
}

/* Spread all ids evenly. */
static void renumber(struct cause_ids *ids)
{
	uint32_t step = UINT32_MAX / (uint32_t)(ids->n + 1);

	for (size_t i = 0; i < ids->n; i++)
		ids->list[i].id = step * (uint32_t)(i + 1);
}

/* Number an element that was added: half way between its neighbours. */
static void number(struct cause_ids *ids, size_t at)
{
	uint32_t low = at ? ids->list[at - 1].id : 0;
	uint32_t high = at + 1 < ids->n ? ids->list[at + 1].id : UINT32_MAX;

	if (high - low < 2)
		renumber(ids);
	else
		ids->list[at].id = low + (high - low) / 2;
}

const struct cause_id *cause_ids_get(struct cause_ids *ids, uint64_t key)
{
	size_t at = sorted_bound(ids->list, ids->n, sizeof(*ids->list), &key, key_compare);
	struct cause_id fresh = { .key = key }, *grown;

	if (at < ids->n && ids->list[at].key == key)
		return &ids->list[at];
	if (cause_key_text(key, fresh.text) < 0)
		return NULL;
	fresh.kind = cause_key_kind(key);
	fresh.device = cause_device(key);
	grown = sorted_insert(ids->list, ids->n, sizeof(*grown), at);
	if (!grown)
		return NULL;
	ids->list = grown;
	ids->n++;
	ids->list[at] = fresh;
	number(ids, at);
	return &ids->list[at];
}

const struct cause_id *cause_ids_find(const struct cause_ids *ids, uint32_t id)
{
	size_t at = sorted_bound(ids->list, ids->n, sizeof(*ids->list), &id, id_compare);

	return at < ids->n && ids->list[at].id == id ? &ids->list[at] : NULL;
}
