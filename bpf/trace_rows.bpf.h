/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* The trace family's rows: its own object has them, and those that count events for it share them.
 */
#ifndef PMDAKVM_TRACE_ROWS_BPF_H
#define PMDAKVM_TRACE_ROWS_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "trace.h"

/* One row of counters per possible CPU; max_entries is set before loading. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct trace_row);
} trace_rows SEC(".maps");

#endif /* PMDAKVM_TRACE_ROWS_BPF_H */
