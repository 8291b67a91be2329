/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Numbers keys of causes for the rows of tables, in the order of the keys, and names them. */
#ifndef PMDAKVM_CAUSE_IDS_H
#define PMDAKVM_CAUSE_IDS_H

#include <stddef.h>
#include <stdint.h>

#include "kvm/cause_key.h"

struct cause_id {
	uint64_t key;
	uint32_t id; /* of this process; in the order of the keys */
	char text[CAUSE_KEY_TEXT_SIZE];
	const char *kind, *device;
};

struct cause_ids {
	struct cause_id *list; /* [n], sorted */
	size_t n;
};

void cause_ids_free(struct cause_ids *ids);

/*
 * The key's, which is made if there is none; valid until the next call. Others may get new ids
 * then, still in order. Returns NULL without memory, or for a key that has no text.
 */
const struct cause_id *cause_ids_get(struct cause_ids *ids, uint64_t key);

/* The key that has this id, or NULL. */
const struct cause_id *cause_ids_find(const struct cause_ids *ids, uint32_t id);

#endif /* PMDAKVM_CAUSE_IDS_H */
