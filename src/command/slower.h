/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Leaves of a snapshot only exits that took long, as far as histograms tell. */
#ifndef PMDAKVM_SLOWER_H
#define PMDAKVM_SLOWER_H

#include "metrics/snapshot.h"

/* The first nanosecond of the first bucket that has no shorter times than ns. */
uint64_t slower_bound(uint64_t ns);

/*
 * Reduce a copy of a snapshot to exits in buckets that begin at the bound or above it, without
 * those in which the vCPU sleeps: counts are of these buckets, times are absent, and maxima below
 * the bound, too. Tables that have no histogram become empty.
 */
void slower_apply(uint64_t bound, struct snapshot *snapshot);

#endif /* PMDAKVM_SLOWER_H */
