/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Layouts of the trace family, shared by the BPF side and the user side. */
#ifndef PMDAKVM_BPF_TRACE_H
#define PMDAKVM_BPF_TRACE_H

#include "pin.h"

/*
 * Layout version of this family's pinned maps. Increment it when the meaning of their contents
 * changes but not the size: maps of another version are replaced, counters restart at 0.
 */
#define TRACE_LAYOUT 1

/* An event's slot is its item number, which has 10 bits. */
#define TRACE_SLOTS 1024

/* One row per possible CPU. */
struct trace_row {
	__u64 count[TRACE_SLOTS];
};

_Static_assert(sizeof(struct trace_row) % CACHE_LINE_BYTES == 0,
	       "per-CPU rows must not share a cache line");

/*
 * Placeholder for the slot number in the template program of bpf/trace.bpf.c: the loader finds the
 * move of this value and replaces it with the slot.
 */
#define TRACE_SLOT_MARK 0x7ace51

_Static_assert(TRACE_SLOT_MARK >= TRACE_SLOTS, "the unpatched template must fail its bounds check");

#endif /* PMDAKVM_BPF_TRACE_H */
