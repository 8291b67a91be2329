// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "engine/time_buckets.h"

#include <inttypes.h>
#include <linux/types.h>
#include <stdint.h>
#include <stdio.h>

#include "bpf/vcpu_counters.h"

void time_bucket_name(unsigned bucket, char name[TIME_BUCKET_NAME_SIZE])
{
	uint64_t first = bucket ? UINT64_C(1) << bucket : 0;

	if (bucket == EXIT_BUCKETS - 1)
		snprintf(name, TIME_BUCKET_NAME_SIZE, "%" PRIu64 "+", first);
	else
		snprintf(name, TIME_BUCKET_NAME_SIZE, "%" PRIu64 "-%" PRIu64, first,
			 (UINT64_C(2) << bucket) - 1);
}
