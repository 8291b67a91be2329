/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Exits as people know them from perf kvm stat: tables by reason, VM and vCPU with
 * samples, shares and times, made of a snapshot and nothing else.
 */
#ifndef PMDAKVM_VIEWS_H
#define PMDAKVM_VIEWS_H

#include <stdbool.h>
#include <stdio.h>

#include "metrics/snapshot.h"

/* Of a snapshot, as many tables as views are made of. */
#define VIEWS_TABLES 8

/*
 * Print every view that has something in it, with an empty line behind it. awake: leave out
 * exits for which a vCPU sleeps, and their time. ret_shown becomes the tables whose
 * numbers the views show, with a NULL behind them. Returns 0, -ENOMEM or what writing gave.
 */
int views_print(const struct snapshot *snapshot, bool awake, FILE *file,
		const struct snapshot_table *ret_shown[VIEWS_TABLES + 1]);

#endif /* PMDAKVM_VIEWS_H */
