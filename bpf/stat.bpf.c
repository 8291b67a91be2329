// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * The stat family: totals of KVM's statistics that outlive VMs and agents. Only the user side uses
 * these maps; the register of VMs (vms.bpf.c) reads the statistics.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "stat.h"

/* Sums over destroyed VMs; value_size is set before loading. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u64));
} stat_ended SEC(".maps");

/* Last counts of each running VM. This map and stat_ended are used by the user side only. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(struct vm_key));
	__uint(value_size, sizeof(__u64));
} stat_vms SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pin_meta);
} stat_meta SEC(".maps");

char LICENSE[] SEC("license") = "GPL";
