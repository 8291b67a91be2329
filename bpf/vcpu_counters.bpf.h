/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Cells: what vCPUs' threads go out for, counted by the thread itself. Shared by the
 * families exit and userspace_exit; see vcpu_counters.h for the layouts.
 *
 * Only the thread that a cell is of writes to it, and none of the events that do so nests
 * in another on the same thread: plain adds are exact.
 */
#ifndef PMDAKVM_CELLS_BPF_H
#define PMDAKVM_CELLS_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include "vcpu_counters.h"

/* To ask whether this kernel has a helper (from Linux 5.11 on). */
enum bpf_func_id___counters {
	BPF_FUNC_get_current_task_btf___counters = 158,
};

/* The current thread's key. Typed loads, where there are any, every lockdown mode permits. */
static __always_inline void thread_key_of(struct thread_key *key)
{
	__u64 numbers = bpf_get_current_pid_tgid();

	key->vcpu = 0;
	key->tid = (__u32)numbers;
	key->tgid = numbers >> 32;
	if (bpf_core_enum_value_exists(enum bpf_func_id___counters,
				       BPF_FUNC_get_current_task_btf___counters)) {
		key->start = bpf_get_current_task_btf()->start_boottime;
	} else {
		const struct task_struct *task = (void *)bpf_get_current_task();

		key->start = BPF_CORE_READ(task, start_boottime);
	}
}

/* The cell of that key, made of what fresh holds if there is none; NULL: it found no room. */
static __always_inline struct thread_counters *
counters_find_or_make(void *map, const struct thread_key *key, const void *fresh, __u64 vcpu)
{
	struct thread_counters *counters = bpf_map_lookup_elem(map, key);

	if (counters)
		return counters;
	if (bpf_map_update_elem(map, key, fresh, BPF_NOEXIST))
		return NULL;
	counters = bpf_map_lookup_elem(map, key);
	if (!counters)
		return NULL;
	counters->vcpu = vcpu;
	return counters;
}

/*
 * The current thread's cell for that vCPU; 0: which one is not known. Nearly every thread
 * runs one vCPU; one that runs more has further cells, so that what is one's stays so.
 */
static __always_inline struct thread_counters *counters_get(void *map, const void *fresh,
							    __u64 vcpu)
{
	struct thread_key key;
	struct thread_counters *counters;

	thread_key_of(&key);
	counters = counters_find_or_make(map, &key, fresh, vcpu);
	if (!counters || !vcpu || counters->vcpu == vcpu)
		return counters;
	key.vcpu = vcpu;
	return counters_find_or_make(map, &key, fresh, vcpu);
}

/* What was open or entered before a detach is forgotten. */
static __always_inline void counters_renew(struct thread_counters *counters,
					   const struct counters_control *control)
{
	if (counters->generation == control->generation)
		return;
	counters->generation = control->generation;
	counters->opened = 0;
	counters->entered = 0;
}

/* An exit begins. One that is open still is replaced: its time is not known. */
static __always_inline void exit_begin(struct thread_counters *counters, __u32 slot, __u64 now)
{
	if (counters->entered) {
		counters->guest_time += now - counters->entered;
		counters->entered = 0;
	}
	counters->opened = now;
	counters->slot = slot;
}

/* The open exit ends: how long it took. */
static __always_inline __u64 exit_end(struct thread_counters *counters,
				      struct reason_counters *reason, __u32 epoch, __u64 now)
{
	__u64 time = now - counters->opened, most = (1ULL << MAX_TIME_BITS) - 1;
	__u64 max = (__u64)epoch << MAX_TIME_BITS | (time < most ? time : most);

	counters->opened = 0;
	reason->time += time;
	if (reason->max >> MAX_TIME_BITS != epoch || reason->max < max)
		reason->max = max;
	return time;
}

/*
 * The slot of a code that no range has: those that come first have slots of their own, of
 * which a hash map, by slot, holds the codes; its lock decides who is first. 0 for others.
 */
static __always_inline __u32 code_claim(void *map, __u64 code)
{
/* the verifier does not follow a counter that is on the stack */
#pragma unroll
	for (__u32 i = 1; i <= UNKNOWN_SLOTS; i++) {
		__u32 slot = i;
		__u64 *claimed = bpf_map_lookup_elem(map, &slot);

		if (!claimed) {
			bpf_map_update_elem(map, &slot, &code, BPF_NOEXIST);
			claimed = bpf_map_lookup_elem(map, &slot);
		}
		if (claimed && *claimed == code)
			return slot;
	}
	return 0;
}

/* A thread ends, and what it has counted is final. */
static __always_inline void thread_ended(void *map)
{
	struct thread_key key;
	struct thread_counters *counters;

	thread_key_of(&key);
	counters = bpf_map_lookup_elem(map, &key);
	if (counters)
		counters->ended = 1;
}

#endif /* PMDAKVM_CELLS_BPF_H */
