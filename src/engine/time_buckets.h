/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Names of the time histogram's buckets: powers of two, in nanoseconds. */
#ifndef PMDAKVM_TIME_BUCKETS_H
#define PMDAKVM_TIME_BUCKETS_H

#include "metrics/snapshot.h"

/* The times, in ns, that fall into bucket 0 ... EXIT_BUCKETS - 1: 0-1, 2-3, 4-7 ... */
struct snapshot_range time_bucket_range(unsigned bucket);

#endif /* PMDAKVM_TIME_BUCKETS_H */
