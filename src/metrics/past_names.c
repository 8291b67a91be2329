// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "metrics/past_names.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

struct past_name {
	const void *table;
	char *name;
	uint64_t gone; /* when, ns */
	uint32_t number;
};

/* A ring: the oldest name is at first. */
struct past_names {
	struct past_name *list; /* [PAST_NAMES_MAX]; NULL: none has gone yet */
	size_t first, n;
	size_t bytes; /* of all names */
};

struct past_names *past_names_new(void)
{
	return calloc(1, sizeof(struct past_names));
}

static struct past_name *at(const struct past_names *past, size_t i)
{
	return &past->list[(past->first + i) % PAST_NAMES_MAX];
}

static void oldest_forget(struct past_names *past)
{
	struct past_name *oldest = at(past, 0);

	past->bytes -= strlen(oldest->name) + 1;
	free(oldest->name);
	past->first = (past->first + 1) % PAST_NAMES_MAX;
	past->n--;
}

void past_names_free(struct past_names *past)
{
	if (!past)
		return;
	while (past->n)
		oldest_forget(past);
	free(past->list);
	free(past);
}

void past_names_add(struct past_names *past, const void *table, uint32_t number, char *name)
{
	uint64_t now = clock_ns();
	size_t bytes = strlen(name) + 1;

	if (!past->list)
		past->list = calloc(PAST_NAMES_MAX, sizeof(*past->list));
	if (!past->list) { /* then it is not remembered */
		free(name);
		return;
	}
	while (past->n && (past->n == PAST_NAMES_MAX || past->bytes + bytes > PAST_NAMES_BYTES ||
			   now - at(past, 0)->gone >= PAST_NAMES_NS))
		oldest_forget(past);
	*at(past, past->n) = (struct past_name){ table, name, now, number };
	past->n++;
	past->bytes += bytes;
}

const char *past_names_find(const struct past_names *past, const void *table, uint32_t number)
{
	uint64_t now = clock_ns();

	for (size_t i = past->n; i-- > 0;) {
		const struct past_name *one = at(past, i);

		if (now - one->gone >= PAST_NAMES_NS)
			return NULL;
		if (one->table == table && one->number == number)
			return one->name;
	}
	return NULL;
}

void past_names_each(const struct past_names *past, const void *table, uint64_t ns,
		     void (*visit)(void *data, uint32_t number, const char *name), void *data)
{
	uint64_t now = clock_ns();

	for (size_t i = past->n; i-- > 0 && now - at(past, i)->gone < ns;) {
		if (at(past, i)->table == table)
			visit(data, at(past, i)->number, at(past, i)->name);
	}
}

size_t past_names_bytes(const struct past_names *past)
{
	return past->bytes + past->n * sizeof(*past->list);
}
