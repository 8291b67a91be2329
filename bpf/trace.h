/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* The trace family: layouts that the BPF side and the user side share. */
#ifndef PMDAKVM_BPF_TRACE_H
#define PMDAKVM_BPF_TRACE_H

#include "pin.h"

/*
 * The layout version of this family's pinned maps. Raise it when the meaning of what they
 * hold changes and its size does not: maps of another version are replaced, counters begin at 0.
 */
#define TRACE_LAYOUT 1

/* The trace family: an event's slot is its item number, which has 10 bits. */
#define TRACE_SLOTS 1024

/* One for each possible CPU. */
struct trace_row {
	__u64 count[TRACE_SLOTS];
};

_Static_assert(sizeof(struct trace_row) % CACHE_LINE_BYTES == 0, "rows share a cache line");

/*
 * What the template program of bpf/trace.bpf.c says instead of a slot number:
 * the loader looks for a move of this value and puts the slot in its place.
 */
#define TRACE_SLOT_MARK 0x7ace51

_Static_assert(TRACE_SLOT_MARK >= TRACE_SLOTS,
	       "the unpatched template must fall out of its bounds check");

#endif /* PMDAKVM_BPF_TRACE_H */
