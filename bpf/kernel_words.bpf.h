/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Reads of kernel memory at an address that is no typed pointer. An address that cannot be read
 * reads as 0.
 *
 * With TYPED_LOADS the load goes through bpf_rdonly_cast(): it costs one instruction, and every
 * lockdown mode permits it. Linux has that since 6.2. Otherwise it is a bpf_probe_read_kernel(),
 * which the mode confidentiality refuses. Each object that includes this is built both ways
 * (NAME_typed.bpf.c), and the loader chooses (src/kernel/typed_loads.h). One object with a weak
 * symbol would not do: where vmlinux has none, libbpf looks for it in the types of all modules,
 * which takes CAP_SYS_ADMIN.
 */
#ifndef PMDAKVM_KERNEL_WORDS_BPF_H
#define PMDAKVM_KERNEL_WORDS_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#ifdef TYPED_LOADS

#include "kernel_words.h"

/* bpf_rdonly_cast(), when it is loaded */
static const void *(*const rdonly_cast)(const void *address, __u32 type) = (void *)KERNEL_CAST_CALL;

/*
 * The kernel's numbers of types, which the loader puts into the types that libbpf gets
 * (src/kernel/core_types.c). struct timespec64 stands for any type that begins with 8 bytes, struct
 * upid for one with 4.
 */
enum kernel_word_ids { KERNEL_WORD_ID = 1, KERNEL_HALF_WORD_ID };

static __always_inline __u64 word_at(const void *base, __s64 offset)
{
	const struct timespec64 *at =
		rdonly_cast((const char *)base + offset,
			    bpf_core_enum_value(enum kernel_word_ids, KERNEL_WORD_ID));

	return (__u64)at->tv_sec;
}

static __always_inline __u32 half_word_at(const void *base, __s64 offset)
{
	const struct upid *at =
		rdonly_cast((const char *)base + offset,
			    bpf_core_enum_value(enum kernel_word_ids, KERNEL_HALF_WORD_ID));

	return (__u32)at->nr;
}

/* Copy bytes, a multiple of 8, of which there is room for max. Returns 0 or an error. */
static __always_inline long words_copy(void *to, __u32 max, const void *from, __u32 bytes)
{
	for (__u32 at = 0; at < max && at < bytes; at += sizeof(__u64))
		*(__u64 *)((char *)to + at) = word_at(from, at);
	return 0;
}

#else

static __always_inline __u64 word_at(const void *base, __s64 offset)
{
	__u64 word = 0;

	if (bpf_probe_read_kernel(&word, sizeof(word), (const char *)base + offset))
		return 0;
	return word;
}

static __always_inline __u32 half_word_at(const void *base, __s64 offset)
{
	__u32 half = 0;

	if (bpf_probe_read_kernel(&half, sizeof(half), (const char *)base + offset))
		return 0;
	return half;
}

static __always_inline long words_copy(void *to, __u32 max, const void *from, __u32 bytes)
{
	return bpf_probe_read_kernel(to, bytes > max ? max : bytes, from);
}

#endif

static __always_inline const void *pointer_at(const void *base, __s64 offset)
{
	return (const void *)word_at(base, offset);
}

#endif /* PMDAKVM_KERNEL_WORDS_BPF_H */
