/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * What the BPF side and the user side share: limits and layouts. The includer
 * brings __u32 and __u64 (vmlinux.h or linux/types.h).
 */
#ifndef PMDAKVM_KEYS_H
#define PMDAKVM_KEYS_H

/*
 * Raise it when what stands in a map changes its meaning but not its size: maps
 * pinned under another number are not taken up.
 */
#define KEYS_LAYOUT 1

/* The one value of a family's map NAME_meta. */
struct pin_meta {
	__u64 layout;	  /* what the user side makes of KEYS_LAYOUT and the maps' sizes */
	__u64 generation; /* how often the family was attached since the maps were made */
};

/* A row that one CPU writes starts on a cache line of its own. */
#define CACHE_LINE_BYTES 64

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

#endif /* PMDAKVM_KEYS_H */
