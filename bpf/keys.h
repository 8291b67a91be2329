/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * What the BPF side and the user side share: limits and layouts. The includer
 * brings __u32 and __u64 (vmlinux.h or linux/types.h).
 */
#ifndef PMDAKVM_KEYS_H
#define PMDAKVM_KEYS_H

/* A row that one CPU writes starts on a cache line of its own. */
#define CACHE_LINE_BYTES 64

/* Most events that the trace family counts at once. */
#define TRACE_SLOTS_MAX 512

/*
 * What the template program of bpf/trace.bpf.c says instead of a slot number:
 * the loader looks for a move of this value and puts the slot in its place.
 */
#define TRACE_SLOT_MARK 0x7ace51

_Static_assert(TRACE_SLOT_MARK >= TRACE_SLOTS_MAX,
	       "the unpatched template must fall out of its bounds check");

#endif /* PMDAKVM_KEYS_H */
