/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Copies of snapshots, which may be changed: rows left out, values subtracted. */
#ifndef PMDAKVM_SNAPSHOT_COPY_H
#define PMDAKVM_SNAPSHOT_COPY_H

#include "metrics/snapshot.h"

/* Copy a snapshot; labels are shared. Returns 0, or -ENOMEM with the output untouched. */
int snapshot_copy(const struct snapshot *snapshot, struct snapshot *ret_snapshot);

/* Remove the rows of a copy for which keep returns false; the others stay in order. */
void snapshot_table_keep(struct snapshot_table *table,
			 bool (*keep)(const struct snapshot_table *table, size_t row, void *data),
			 void *data);

/*
 * Make the counters of a copy what was added to them since an earlier snapshot; other values stay.
 * A row that the earlier one does not have began at 0. A counter that has fallen is absent: it is
 * of something else. Returns 0 or -ENOMEM.
 */
int snapshot_subtract(struct snapshot *snapshot, const struct snapshot *earlier);

#endif /* PMDAKVM_SNAPSHOT_COPY_H */
