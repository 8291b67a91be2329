/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* A table's rows as they are to be: those of what is gone go, those that are missing come. */
#ifndef PMDAKVM_ROWS_H
#define PMDAKVM_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "metrics/snapshot.h"

/* A row that is to be there. */
struct row_want {
	uint32_t id;
	const char *name;
	const char *last; /* NULL, or what comes after name and "::" */
	struct snapshot_labels *labels;
};

/* Begins empty, as { 0 }. */
struct rows {
	struct row_want *list;
	size_t n, room;
};

/* Want a row; what it points to must live until rows_follow. 0 or -ENOMEM. */
int rows_want(struct rows *rows, const struct row_want *want);

/*
 * Have the table's rows be those that are wanted, unless err says that wanting has gone
 * wrong; a row that is there stays as it is. Frees the list. Returns err, 0 or -ENOMEM.
 */
int rows_follow(struct rows *rows, struct snapshot_table *table, int err);

#endif /* PMDAKVM_ROWS_H */
