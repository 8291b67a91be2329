/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* The tables of the snapshot, and where their rows and values come from. */
#ifndef PMDAKVM_SOURCES_H
#define PMDAKVM_SOURCES_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/cpus.h"
#include "vms/tables.h"

/* The number of bits in a mask of tables: bit i is table i of the snapshot. */
#define SOURCES_MAX 64

struct source {
	const struct table *table;
	void *state;	 /* the argument of the table's functions; a family's tables share one */
	bool outdated;	 /* its keys or columns may have changed since the last sync, or that failed
			  */
	uint64_t owners; /* owners.changes at the last sync */
};

/* All members but the first five start as zeroes. */
struct sources {
	const struct vms *vms;
	const struct cpus *cpus;
	struct instance_numbers *numbers; /* NULL: instances are not numbered */
	struct past_names *past;	  /* names of instances that are gone; NULL: not kept */
	bool rows_late; /* a table has rows once it is read; else all have them from the start */
	struct owners owners;
	struct snapshot snapshot;
	struct source list[SOURCES_MAX]; /* indexed like snapshot.tables */
};

void sources_free(struct sources *sources);

/* Add tables. Returns 0, -ENOMEM, or -ENOSPC if there are more than SOURCES_MAX. */
int sources_add(struct sources *sources, const struct table *tables, size_t n, void *state);

/*
 * Sync all tables of this state, or all tables (NULL). Tables that have no memory for it are synced
 * by the next call or read. Returns whether any table's rows or columns changed.
 */
bool sources_sync(struct sources *sources, const void *state);

/* Returns whether a table awaits a sync. */
bool sources_are_outdated(const struct sources *sources);

/* The keys of this state have changed: its tables need a sync. */
void sources_mark(struct sources *sources, const void *state);

/* The tables of this state that the mask has: bit i is for the state's table i. */
uint64_t sources_want(const struct sources *sources, const void *state, uint64_t tables);

/* Has any of n tables rows of VMs or vCPUs? */
bool tables_want_vms(const struct table *tables, size_t n);

/* Returns whether the mask has a table of the register, or one with rows of VMs or vCPUs. */
bool sources_want_vms(const struct sources *sources, uint64_t tables);

/*
 * Bring the rows of the tables in either mask up to date, then fill in the values of those in the
 * first. Returns 0 or -ENOMEM.
 */
int sources_read(struct sources *sources, uint64_t tables, uint64_t rows);

#endif /* PMDAKVM_SOURCES_H */
