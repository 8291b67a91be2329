// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "kernel/event_rows.h"

#include <string.h>

static struct event_source *find(const struct event_rows *rows, const char *event)
{
	for (size_t i = 0; i < rows->n; i++) {
		if (strcmp(rows->sources[i].event, event) == 0)
			return (struct event_source *)&rows->sources[i];
	}
	return NULL;
}

const struct event_source *event_rows_source(const struct event_rows *rows, const char *event)
{
	return find(rows, event);
}

static void tell(const struct event_rows *rows, const char *event)
{
	if (rows->changed)
		rows->changed(rows->data, event);
}

void event_rows_offer(struct event_rows *rows, const struct event_source *source)
{
	struct event_source *known = find(rows, source->event);

	if (!known && rows->n == EVENT_SOURCES)
		return;
	*source->slot = 0;
	if (known)
		*known = *source;
	else
		rows->sources[rows->n++] = *source;
	tell(rows, source->event);
}

void event_rows_withdraw(struct event_rows *rows, const char *event)
{
	struct event_source *known = find(rows, event);

	if (!known)
		return;
	*known->slot = 0;
	*known = rows->sources[--rows->n];
	tell(rows, event);
}
