/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Snapshots in files: saved with where and when they were taken, and loaded with clear errors. */
#ifndef PMDAKVM_SNAPSHOT_FILE_H
#define PMDAKVM_SNAPSHOT_FILE_H

#include <stdbool.h>

#include "metrics/snapshot.h"

/*
 * Write a snapshot, and this host's name, kernel and time, to a file; "-" is standard output.
 * seconds: for how long it was counted. Returns 0, or a negative errno that was printed.
 */
int snapshot_file_save(const struct snapshot *snapshot, const char *path, double seconds);

/*
 * Read a file. verbose: say where and when it was saved. Returns 0, or a negative errno that was
 * printed, with the output untouched.
 */
int snapshot_file_load(const char *path, bool verbose, struct snapshot *ret_snapshot);

#endif /* PMDAKVM_SNAPSHOT_FILE_H */
