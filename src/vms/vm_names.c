// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "vms/vm_names.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fnv1a.h"
#include "base/sorted_array.h"

/* The use of a NAME-PID, keyed by hash. A collision only adds a suffix that was not needed. */
struct name_use {
	uint64_t hash;
	uint64_t given; /* names->clock at the last vm_names_give() */
	uint32_t live;	/* VMs that use it now, with any suffix */
	uint32_t count; /* the highest suffix so far; the first VM's is 1 */
};

struct vm_names {
	struct name_use *list; /* sorted by hash */
	size_t n, room;
	size_t ended; /* entries without a live VM */
	uint64_t clock;
	struct instance_numbers *numbers; /* NULL: suffixes are not kept */
	char *boot;			  /* NULL without numbers */
};

struct vm_names *vm_names_new(struct instance_numbers *numbers, const char *boot)
{
	struct vm_names *names = calloc(1, sizeof(*names));

	if (!names)
		return NULL;
	names->room = VM_NAMES_REMEMBERED + 1;
	names->list = calloc(names->room, sizeof(*names->list));
	names->numbers = numbers;
	names->boot = numbers ? strdup(boot) : NULL;
	if (!names->list || (numbers && !names->boot)) {
		vm_names_free(names);
		return NULL;
	}
	return names;
}

void vm_names_free(struct vm_names *names)
{
	if (!names)
		return;
	free(names->list);
	free(names->boot);
	free(names);
}

static uint64_t hash_of(const char *name, uint32_t pid)
{
	uint64_t hash = hash_text(HASH_START, name);

	for (int i = 0; i < 4; i++)
		hash = hash_step(hash, pid >> (8 * i) & 0xff);
	return hash;
}

static int compare(const void *element, const void *key)
{
	return sorted_numbers(((const struct name_use *)element)->hash, *(const uint64_t *)key);
}

static size_t name_bound(const struct vm_names *names, uint64_t hash)
{
	return sorted_bound(names->list, names->n, sizeof(*names->list), &hash, compare);
}

static void name_remove(struct vm_names *names, size_t at)
{
	names->n--;
	memmove(&names->list[at], &names->list[at + 1], (names->n - at) * sizeof(*names->list));
}

/* Forget the entry without a live VM that ended the longest ago. */
static void forget_oldest(struct vm_names *names)
{
	size_t oldest = names->n;

	for (size_t i = 0; i < names->n; i++) {
		if (!names->list[i].live &&
		    (oldest == names->n || names->list[i].given < names->list[oldest].given))
			oldest = i;
	}
	name_remove(names, oldest);
	names->ended--;
}

/* The entry with this hash, or NULL. */
static struct name_use *name_find(const struct vm_names *names, uint64_t hash)
{
	size_t at = name_bound(names, hash);

	return at < names->n && names->list[at].hash == hash ? &names->list[at] : NULL;
}

/* Add an entry for a live VM; NULL without memory. */
static struct name_use *name_add(struct vm_names *names, uint64_t hash)
{
	size_t at = name_bound(names, hash);

	if (names->n == names->room) {
		struct name_use *list = reallocarray(names->list, names->room * 2, sizeof(*list));

		if (!list)
			return NULL;
		names->list = list;
		names->room *= 2;
	}
	memmove(&names->list[at + 1], &names->list[at], (names->n - at) * sizeof(*names->list));
	names->n++;
	names->list[at] = (struct name_use){ .hash = hash, .live = 1 };
	return &names->list[at];
}

/* --- kept suffixes --- */

/* Under these keys the next agent finds a VM's suffix, and the highest one of a NAME-PID. */
struct kept_keys {
	char *vm, *all;
};

static int keys_make(const struct vm_names *names, const char *name, uint32_t pid,
		     const struct vm_key *key, struct kept_keys *ret_keys)
{
	struct kept_keys keys;

	if (asprintf(&keys.all, "%s %s-%u", names->boot, name, pid) < 0)
		return -ENOMEM;
	if (asprintf(&keys.vm, "%s %llx %llx %llx", keys.all, key->kvm, key->birth, key->creator) <
	    0) {
		free(keys.all);
		return -ENOMEM;
	}
	*ret_keys = keys;
	return 0;
}

static void keys_free(struct kept_keys *keys)
{
	free(keys->vm);
	free(keys->all);
}

/* 0: none is kept. */
static uint32_t value_kept(const struct vm_names *names, const char *key)
{
	uint32_t value;

	return instance_numbers_kept(names->numbers, key, &value) ? 0 : value;
}

/*
 * The value of a NAME-PID: its highest suffix, and 16 bits of the hash of the VM that has it; 0:
 * that VM is gone. So a VM that is alone in its process, as nearly all are, needs one of its two
 * records only: the other may be lost.
 */
#define SUFFIX_KEPT_MAX 0xffffU

static uint32_t all_value(uint32_t highest, uint16_t vm_hash)
{
	return (highest < SUFFIX_KEPT_MAX ? highest : SUFFIX_KEPT_MAX) << 16 | vm_hash;
}

static uint16_t vm_hash_of(const char *key)
{
	uint16_t hash = (uint16_t)(hash_text(HASH_START, key) >> 48);

	return hash ? hash : 1;
}

/*
 * Choose the suffix of a VM, given the highest one that this process knows of. Both are kept, the
 * VM's own first: an agent killed in between leaves a VM that no other can be taken for.
 */
static int suffix_choose(const struct vm_names *names, const char *name, uint32_t pid,
			 const struct vm_key *key, uint32_t *highest, uint32_t *ret_suffix)
{
	struct kept_keys keys;
	uint32_t suffix, before, after;
	uint16_t vm_hash;
	bool is_highest; /* of those that the last agent has seen; this one has not met it yet */

	if (!names->numbers) {
		*ret_suffix = ++*highest;
		return 0;
	}
	if (keys_make(names, name, pid, key, &keys))
		return -ENOMEM;
	vm_hash = vm_hash_of(keys.vm);
	before = after = value_kept(names, keys.all);
	is_highest = before >> 16 > *highest && (before & 0xffff) == vm_hash;
	if (before >> 16 > *highest)
		*highest = before >> 16;
	suffix = value_kept(names, keys.vm);
	if (!suffix) {
		suffix = is_highest ? before >> 16 : *highest + 1;
		instance_numbers_keep(names->numbers, keys.vm, suffix);
	}
	if (suffix > *highest)
		*highest = suffix;
	if (suffix == *highest)
		after = all_value(suffix, vm_hash);
	if (after != before)
		instance_numbers_keep(names->numbers, keys.all, after);
	keys_free(&keys);
	*ret_suffix = suffix;
	return 0;
}

char *vm_names_take(struct vm_names *names, const char *name, uint32_t pid,
		    const struct vm_key *key)
{
	uint64_t hash = hash_of(name, pid);
	struct name_use *use = name_find(names, hash);
	uint32_t highest = use ? use->count : 0, suffix;
	char *full;
	int ret;

	if (suffix_choose(names, name, pid, key, &highest, &suffix))
		return NULL;
	if (suffix > 1)
		ret = asprintf(&full, "%s-%u.%u", name, pid, suffix);
	else
		ret = asprintf(&full, "%s-%u", name, pid);
	if (ret < 0)
		return NULL;
	if (!use)
		use = name_add(names, hash);
	else if (!use->live++)
		names->ended--;
	if (!use) {
		free(full);
		return NULL;
	}
	use->count = highest;
	return full;
}

/* Without a birth, another VM of the thread can have the same key. */
static void suffix_forget(const struct vm_names *names, const char *name, uint32_t pid,
			  const struct vm_key *key)
{
	struct kept_keys keys;
	uint32_t all;

	if (!names->numbers || key->birth || keys_make(names, name, pid, key, &keys))
		return;
	all = value_kept(names, keys.all);
	if (all)
		instance_numbers_keep(names->numbers, keys.all, all_value(all >> 16, 0));
	instance_numbers_keep(names->numbers, keys.vm, 0);
	keys_free(&keys);
}

void vm_names_give(struct vm_names *names, const char *name, uint32_t pid, const struct vm_key *key)
{
	struct name_use *use = name_find(names, hash_of(name, pid));

	if (!use || !use->live)
		return;
	suffix_forget(names, name, pid, key);
	use->given = ++names->clock;
	if (--use->live == 0 && ++names->ended > VM_NAMES_REMEMBERED)
		forget_oldest(names);
}

void vm_names_cancel(struct vm_names *names, const char *name, uint32_t pid)
{
	size_t at = name_bound(names, hash_of(name, pid));
	struct name_use *use = &names->list[at];

	use->count--;
	use->live--;
	if (!use->count)
		name_remove(names, at);
	else if (!use->live)
		names->ended++;
}
