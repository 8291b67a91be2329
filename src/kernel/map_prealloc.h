/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Hash maps that grow as they are filled (BPF_F_NO_PREALLOC), for tracepoint programs on kernels
 * that forbid them there.
 *
 * Before Linux 6.1 such a map takes its memory from kmalloc(), which is not safe in every context
 * that a tracepoint fires in. The kernel WARNs when a program that uses one is loaded (5.8 to 6.0;
 * under panic_on_warn it panics), and refuses it if it is PREEMPT_RT. Since "bpf: Convert hash map
 * to bpf_mem_alloc" the memory comes from struct bpf_mem_alloc, and the warning is gone.
 */
#ifndef PMDAKVM_MAP_PREALLOC_H
#define PMDAKVM_MAP_PREALLOC_H

#include <bpf/libbpf.h>

#include "kernel/kernel_types.h"

/*
 * Before the object is loaded: if vmlinux has no struct bpf_mem_alloc, or no type information,
 * clear the flag of all its maps. They then take the memory of all their entries at once. Returns
 * how many maps were changed.
 */
unsigned maps_preallocate(struct bpf_object *object, struct kernel_types *types);

#endif /* PMDAKVM_MAP_PREALLOC_H */
