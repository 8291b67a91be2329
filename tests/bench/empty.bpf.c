// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* An empty BPF program on a tracepoint: the least cost of any counter. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

int empty(const void *ctx);

SEC("raw_tp")
int empty(const void *ctx)
{
	(void)ctx;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
