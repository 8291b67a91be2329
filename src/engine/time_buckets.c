// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "engine/time_buckets.h"

#include "bpf/engine.h"

struct snapshot_range time_bucket_range(unsigned bucket)
{
	return (struct snapshot_range){
		.first = bucket ? UINT64_C(1) << bucket : 0,
		.last = bucket == EXIT_BUCKETS - 1 ? UINT64_MAX : (UINT64_C(2) << bucket) - 1,
	};
}
