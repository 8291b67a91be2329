/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Names of the time histogram's buckets: powers of two, in nanoseconds. */
#ifndef PMDAKVM_TIME_BUCKETS_H
#define PMDAKVM_TIME_BUCKETS_H

#define TIME_BUCKET_NAME_SIZE 48

/* The name of bucket 0 ... EXIT_BUCKETS - 1 is its range: "4096-8191"; the last: "2147483648+". */
void time_bucket_name(unsigned bucket, char name[TIME_BUCKET_NAME_SIZE]);

#endif /* PMDAKVM_TIME_BUCKETS_H */
