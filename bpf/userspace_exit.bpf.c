// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * The userspace_exit family: reasons of exits to the VMM, and the time until the next KVM_RUN.
 * kvm_userspace_exit marks the end of a KVM_RUN. On x86, kvm_fpu with load 1 marks the start of
 * the next; on kernels without that event kvm_entry is the closest one.
 *
 * These events do not identify the vCPU; counters are keyed by thread. No kernel memory is read.
 */
#include "vcpu_counters.bpf.h"
#include "userspace_exit.h"

/*
 * Errors of KVM_RUN. KVM_EXIT_MEMORY_FAULT is the only exit reason that is valid together with an
 * error, EFAULT or EHWPOISON; see the kernel's Documentation/virt/kvm/api.rst.
 */
#define EINTR		      4
#define EFAULT		      14
#define EHWPOISON	      133
#define KVM_EXIT_MEMORY_FAULT 39

const volatile struct userspace_exit_setup setup;

/* Counters, one entry per vCPU thread; max_entries is set before loading. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct thread_key);
	__type(value, struct userspace_exit_counters);
} userspace_exit_cells SEC(".maps");

/* Counters of retired threads; used by the user side only. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct retired_counters) +
				   sizeof(struct reason_counters) * USERSPACE_EXIT_SLOTS);
} userspace_exit_ended SEC(".maps");

/* Overflow counters, one row per possible CPU; max_entries is set before loading. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct overflow_row);
} userspace_exit_rows SEC(".maps");

/* Claimed slot to code, for codes outside all ranges. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, UNKNOWN_SLOTS);
	__type(key, __u32);
	__type(value, __u64);
} userspace_exit_codes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counters_control);
} userspace_exit_control SEC(".maps");

/* Used by the user side only. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pin_meta);
} userspace_exit_meta SEC(".maps");

/* Zeroed initial value of a map entry; too large for the stack. */
static struct userspace_exit_counters fresh_counters;

static __always_inline __u32 slot_of(__u32 reason, __s32 error)
{
	if (error == -EINTR)
		return setup.restart;
	if (error < 0 &&
	    (reason != KVM_EXIT_MEMORY_FAULT || (error != -EFAULT && error != -EHWPOISON)))
		return setup.error;
	for (int i = 0; i < CODE_RANGES; i++) {
		__u32 at = reason - setup.ranges[i].first;

		if (at < setup.ranges[i].count)
			return setup.ranges[i].slot + at;
	}
	return code_claim(&userspace_exit_codes, reason);
}

/* Bound a slot so that the verifier sees it; an invalid slot counts as slot 0, "other". */
static __always_inline __u64 slot_within(__u64 slot)
{
	asm volatile("" : "+r"(slot)); /* otherwise the compiler checks a copy */
	return slot < USERSPACE_EXIT_SLOTS ? slot : 0;
}

int userspace_exit_begin(const __u64 *ctx);

/* kvm_userspace_exit(reason, errno) */
SEC("raw_tp")
int userspace_exit_begin(const __u64 *ctx)
{
	__u64 slot = slot_within(slot_of((__u32)ctx[0], (__s32)ctx[1]));
	__u32 zero = 0, cpu;
	const struct counters_control *control;
	struct userspace_exit_counters *exits;
	struct overflow_row *row;

	control = bpf_map_lookup_elem(&userspace_exit_control, &zero);
	if (!control)
		return 0;
	exits = (void *)counters_get(&userspace_exit_cells, &fresh_counters, 0);
	if (exits) {
		counters_renew(&exits->counters, control);
		exits->reason[slot].count++;
		exit_begin(&exits->counters, (__u32)slot, bpf_ktime_get_ns());
		return 0;
	}
	cpu = bpf_get_smp_processor_id();
	row = bpf_map_lookup_elem(&userspace_exit_rows, &cpu);
	if (row)
		row->count[slot]++;
	return 0;
}

/* KVM_RUN started again: close the open exit. */
static __always_inline int run_started(void)
{
	const struct counters_control *control;
	struct userspace_exit_counters *exits;
	struct thread_key key;
	__u32 zero = 0;
	__u64 slot;

	thread_key_of(&key);
	exits = bpf_map_lookup_elem(&userspace_exit_cells, &key);
	control = bpf_map_lookup_elem(&userspace_exit_control, &zero);
	if (!exits || !control)
		return 0;
	counters_renew(&exits->counters, control);
	if (!exits->counters.opened)
		return 0;
	slot = slot_within(exits->counters.slot);
	exit_end(&exits->counters, &exits->reason[slot], control->epoch, bpf_ktime_get_ns());
	return 0;
}

int userspace_exit_fpu(const __u64 *ctx);

/* kvm_fpu(load) */
SEC("raw_tp")
int userspace_exit_fpu(const __u64 *ctx)
{
	return (__u32)ctx[0] ? run_started() : 0;
}

int userspace_exit_entry(const void *ctx);

SEC("raw_tp")
int userspace_exit_entry(const void *ctx)
{
	(void)ctx;
	return run_started();
}

int userspace_exit_thread(const void *ctx);

SEC("raw_tp")
int userspace_exit_thread(const void *ctx)
{
	(void)ctx;
	thread_ended(&userspace_exit_cells);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
