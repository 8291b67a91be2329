/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * The few kernel types and constants that our BPF programs use, kept by hand,
 * so that a build does not depend on the kernel of the machine it runs on.
 * A kernel struct added here carries preserve_access_index and only the
 * fields that we read.
 */
#ifndef PMDAKVM_VMLINUX_H
#define PMDAKVM_VMLINUX_H

typedef unsigned char __u8;
typedef signed char __s8;
typedef unsigned short __u16;
typedef signed short __s16;
typedef unsigned int __u32;
typedef signed int __s32;
typedef unsigned long long __u64;
typedef signed long long __s64;

/* Names that libbpf's helper prototypes are written in. */
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

/* enum bpf_map_type and the map flags, as in the kernel's UAPI. */
enum {
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_F_MMAPABLE = 1 << 10,
};

#endif /* PMDAKVM_VMLINUX_H */
