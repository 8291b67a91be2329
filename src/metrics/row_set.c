// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "metrics/row_set.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int rows_want(struct rows *rows, const struct row_want *want)
{
	if (rows->n == rows->room) {
		size_t room = rows->room ? rows->room * 2 : 64;
		struct row_want *list = reallocarray(rows->list, room, sizeof(*list));

		if (!list)
			return -ENOMEM;
		rows->list = list;
		rows->room = room;
	}
	rows->list[rows->n++] = *want;
	return 0;
}

static int want_compare(const void *left, const void *right)
{
	const struct row_want *a = left, *b = right;

	return (a->id > b->id) - (a->id < b->id);
}

static bool is_wanted(uint32_t id, void *data)
{
	struct rows *rows = data;
	struct row_want want = { .id = id };

	return rows->n && bsearch(&want, rows->list, rows->n, sizeof(want), want_compare);
}

static int row_add(struct snapshot_table *table, const struct row_want *want)
{
	char *name = NULL;
	int err;

	if (want->last && asprintf(&name, "%s::%s", want->name, want->last) < 0)
		return -ENOMEM;
	err = snapshot_table_add_row(table, want->id, name ? name : want->name);
	free(name);
	if (!err)
		snapshot_row_label(&table->rows[snapshot_table_row(table, want->id)], want->labels);
	return err;
}

int rows_follow(struct rows *rows, struct snapshot_table *table, int err)
{
	if (!err) {
		if (rows->n) /* qsort() does not accept NULL */
			qsort(rows->list, rows->n, sizeof(*rows->list), want_compare);
		snapshot_table_keep_rows(table, is_wanted, rows);
	}
	for (size_t i = 0; !err && i < rows->n; i++) {
		if (snapshot_table_row(table, rows->list[i].id) < 0)
			err = row_add(table, &rows->list[i]);
	}
	free(rows->list);
	return err;
}
