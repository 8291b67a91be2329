// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * The trace family: counts of each configured kvm tracepoint, per CPU.
 *
 * This object is loaded once. The user side (src/families/trace/trace.c) copies the template
 * program for each event, replaces the mark with the event's item number, and attaches the copy to
 * that tracepoint.
 *
 * A plain increment is exact: a slot belongs to one program, a row to one CPU, and the kernel never
 * runs a raw tracepoint program nested on a CPU; it skips a nested run and counts it in the
 * program's recursion_misses. Where a thread can be switched out inside one, which is then skipped
 * for others, the event's program is a copy of the template for perf, which prevents that.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "trace.h"
#include "trace_rows.bpf.h"

/* Used by the user side only. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pin_meta);
} trace_meta SEC(".maps");

int trace_template(const void *ctx);

SEC("raw_tp")
int trace_template(const void *ctx)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct trace_row *row;
	__u64 slot;

	(void)ctx;
	/* Opaque to the optimizer, so that the loader can patch the immediate. */
	asm volatile("%0 = %1" : "=r"(slot) : "i"(TRACE_SLOT_MARK));
	if (slot >= TRACE_SLOTS)
		return 0;
	row = bpf_map_lookup_elem(&trace_rows, &cpu);
	if (row)
		row->count[slot]++;
	return 0;
}

/*
 * By slot: does the program of perf's count? It can be attached for seconds more than it is to
 * count.
 */
__u8 tp_counts[TRACE_SLOTS];

int trace_template_tp(const void *ctx);

/* Its result must be 1: after 0, perf counts the event for nobody. */
SEC("tp")
int trace_template_tp(const void *ctx)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct trace_row *row;
	__u64 slot;

	(void)ctx;
	asm volatile("%0 = %1" : "=r"(slot) : "i"(TRACE_SLOT_MARK));
	if (slot >= TRACE_SLOTS || !tp_counts[slot])
		return 1;
	row = bpf_map_lookup_elem(&trace_rows, &cpu);
	if (row)
		row->count[slot]++;
	return 1;
}

char LICENSE[] SEC("license") = "GPL";
