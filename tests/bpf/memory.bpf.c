// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Kernel memory that a test writes: programs read it by its address, as they read KVM's structs.
 * User memory would not do, since they read kernel memory only.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char memory[4096];
__u64 memory_address;

int memory_find(const void *ctx);

SEC("raw_tp")
int memory_find(const void *ctx)
{
	(void)ctx;
	memory_address = (__u64)memory;
	return 0;
}

int memory_read(const void *ctx);

/* Loads where programs may read kernel memory. */
SEC("raw_tp")
int memory_read(const void *ctx)
{
	char byte;

	bpf_probe_read_kernel(&byte, sizeof(byte), ctx);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
