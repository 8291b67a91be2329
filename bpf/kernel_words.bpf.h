/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Reads of kernel memory at an address that is no typed pointer.
 *
 * Since Linux 6.2 the load goes through bpf_rdonly_cast(): it costs one instruction, and every
 * lockdown mode permits it. Before, it is a bpf_probe_read_kernel(), which the mode confidentiality
 * refuses. The loader resolves the weak symbol, so that the verifier sees one branch only. An
 * address that cannot be read reads as 0 in both.
 */
#ifndef PMDAKVM_KERNEL_WORDS_BPF_H
#define PMDAKVM_KERNEL_WORDS_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

extern void *bpf_rdonly_cast(const void *address, __u32 type) __ksym __weak;

/* struct timespec64 stands for any type that begins with 8 bytes, struct upid for one with 4. */
static __always_inline __u64 word_at(const void *base, __s64 offset)
{
	__u64 word = 0;

	if (bpf_rdonly_cast) {
		const struct timespec64 *at = bpf_rdonly_cast(
			(const char *)base + offset, bpf_core_type_id_kernel(struct timespec64));

		return (__u64)at->tv_sec;
	}
	if (bpf_probe_read_kernel(&word, sizeof(word), (const char *)base + offset))
		return 0;
	return word;
}

static __always_inline __u32 half_word_at(const void *base, __s64 offset)
{
	__u32 half = 0;

	if (bpf_rdonly_cast) {
		const struct upid *at = bpf_rdonly_cast((const char *)base + offset,
							bpf_core_type_id_kernel(struct upid));

		return (__u32)at->nr;
	}
	if (bpf_probe_read_kernel(&half, sizeof(half), (const char *)base + offset))
		return 0;
	return half;
}

static __always_inline const void *pointer_at(const void *base, __s64 offset)
{
	return (const void *)word_at(base, offset);
}

#endif /* PMDAKVM_KERNEL_WORDS_BPF_H */
