/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* How much values of a snapshot have grown since they were kept, and how fast. */
#ifndef PMDAKVM_RATES_H
#define PMDAKVM_RATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "metrics/snapshot.h"

/* A table's values when they were kept. */
struct rates_table {
	char *name;
	const struct snapshot_table *table; /* that was kept; only to be compared */
	uint64_t changes;		    /* its rows', then */
	size_t ncolumns, nrows, room;
	uint64_t *names;  /* [nrows] hashes of the rows' names */
	uint64_t *ids;	  /* [nrows] their ids in that table */
	uint64_t *values; /* [nrows][ncolumns] */
	bool *present;	  /* the same */
	uint32_t *places; /* [nplaces] rows by the hash, plus 1; 0: none */
	size_t nplaces;	  /* a power of two */
	double when;	  /* s */
};

/* Starts as zeroes. */
struct rates {
	struct rates_table *list;
	size_t n;
	double now; /* when the snapshot that is looked at was read, s */
	bool began; /* counting began as values were kept: a row that was not there had counted 0 */
};

void rates_free(struct rates *rates);

/* Keep the numbers of the tables in the mask, read at that time in s. Returns 0 or -ENOMEM. */
int rates_keep(struct rates *rates, const struct snapshot *snapshot, uint64_t tables, double when);

/*
 * By how much a value has grown since it was kept. False: it is absent, was not kept, or has
 * fallen, since it is another's. A row that is new was not kept, but where counting began then.
 */
bool rates_growth(const struct rates *rates, const struct snapshot_table *table, size_t row,
		  int column, uint64_t *ret_growth);

/* The same per second, from when it was kept until now. */
bool rates_get(const struct rates *rates, const struct snapshot_table *table, size_t row,
	       int column, double *ret_rate);

/* A value as it was kept, and the sum of those of all rows; what was not kept or absent is 0. */
uint64_t rates_kept(const struct rates *rates, const struct snapshot_table *table, size_t row,
		    int column);
uint64_t rates_kept_sum(const struct rates *rates, const struct snapshot_table *table, int column);

/* Seconds since the table was kept; 0: it was not. */
double rates_seconds(const struct rates *rates, const struct snapshot_table *table);

#endif /* PMDAKVM_RATES_H */
