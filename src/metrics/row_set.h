/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Bring a table's rows in line with a wanted set: remove the others, add missing ones. */
#ifndef PMDAKVM_ROWS_H
#define PMDAKVM_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "metrics/snapshot.h"

/* A wanted row. */
struct row_want {
	uint32_t id;
	const char *name;
	const char *last; /* if not NULL, the row's name is NAME::LAST */
	struct snapshot_labels *labels;
};

/* Initialize with { 0 }. */
struct rows {
	struct row_want *list;
	size_t n, room;
};

/* Add a wanted row; its pointers must stay valid until rows_follow(). Returns 0 or -ENOMEM. */
int rows_want(struct rows *rows, const struct row_want *want);

/*
 * If err is 0, make the table's rows the wanted ones; existing wanted rows stay unchanged. If
 * err, from rows_want(), is not 0, the table stays unchanged. Frees the list. Returns err, 0 or
 * -ENOMEM.
 */
int rows_follow(struct rows *rows, struct snapshot_table *table, int err);

#endif /* PMDAKVM_ROWS_H */
