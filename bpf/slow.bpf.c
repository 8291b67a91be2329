// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * The slow family: the last slow exits of each vCPU. The families exit and userspace_exit write
 * them as they end (slow.bpf.h); its own program sees threads end. No kernel memory is read.
 */
#include "slow.h"
#define ENGINE_NAME   slow
#define ENGINE_RECORD slow_record
#include "engine.bpf.h"
#include "slow.bpf.h"

int slow_thread(const void *ctx);

SEC("raw_tp")
int slow_thread(const void *ctx)
{
	(void)ctx;
	thread_ended();
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
