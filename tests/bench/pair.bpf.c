// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Pairs of programs for an exit and its entry that give the least cost of such a pair: empty, and
 * reading the clock only, which each of the real programs must do.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

__u64 seen; /* a use of the clock, so that the compiler keeps the read */

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
