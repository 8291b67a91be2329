// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * What two programs of an exit and its entry cost at least: nothing at all, and a look at
 * the clock, which each of them needs.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

__u64 seen; /* so that the clock is really read */

int empty_exit(const void *ctx);
int empty_entry(const void *ctx);
int clock_exit(const void *ctx);
int clock_entry(const void *ctx);

SEC("raw_tp")
int empty_exit(const void *ctx)
{
	(void)ctx;
	return 0;
}

SEC("raw_tp")
int empty_entry(const void *ctx)
{
	(void)ctx;
	return 0;
}

SEC("raw_tp")
int clock_exit(const void *ctx)
{
	(void)ctx;
	seen = bpf_ktime_get_ns();
	return 0;
}

SEC("raw_tp")
int clock_entry(const void *ctx)
{
	(void)ctx;
	seen = bpf_ktime_get_ns();
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
