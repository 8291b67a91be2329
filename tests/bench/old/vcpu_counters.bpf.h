/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Exit counters, one map entry per vCPU thread; the thread is the only writer. Shared by the
 * families exit and userspace_exit; layouts are in vcpu_counters.h.
 *
 * None of the events that write an entry nests in another on the same thread, so plain adds are
 * exact.
 */
#ifndef PMDAKVM_VCPU_COUNTERS_BPF_H
#define PMDAKVM_VCPU_COUNTERS_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include "vcpu_counters.h"

/* For a CO-RE check whether the kernel has this helper (since Linux 5.11). */
enum bpf_func_id___counters {
	BPF_FUNC_get_current_task_btf___counters = 158,
};

/*
 * Set key to the current thread's, with vcpu 0. Every lockdown mode permits loads through the typed
 * pointer of bpf_get_current_task_btf(); the fallback reads kernel memory.
 */
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

/* Find the entry of key, or create it as a copy of fresh; NULL: the map is full. */
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
 * Find or create the current thread's entry for a vCPU (address; 0: unknown). Nearly every thread
 * runs one vCPU. A thread that runs more has one entry for each, so that counts of different
 * vCPUs never mix.
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

/* Forget an exit or entry from before a detach: its generation differs. */
static __always_inline void counters_renew(struct thread_counters *counters,
					   const struct counters_control *control)
{
	if (counters->generation == control->generation)
		return;
	counters->generation = control->generation;
	counters->opened = 0;
	counters->entered = 0;
}

/* An exit begins. It replaces an exit that is still open, whose time stays unknown. */
static __always_inline void exit_begin(struct thread_counters *counters, __u32 slot, __u64 now)
{
	if (counters->entered) {
		counters->guest_time += now - counters->entered;
		counters->entered = 0;
	}
	counters->opened = now;
	counters->slot = slot;
}

/* The open exit ends. Returns its time in ns; max is kept per epoch. */
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
 * Return the slot of a code outside all ranges. The first UNKNOWN_SLOTS such codes claim slots
 * 1 to UNKNOWN_SLOTS in a hash map from slot to code; BPF_NOEXIST under the map's lock decides
 * concurrent claims. Further codes get slot 0.
 */
static __always_inline __u32 code_claim(void *map, __u64 code)
{
/* the verifier does not track a loop counter on the stack */
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

/* The current thread exits: mark its entry final, for the user side to retire. */
static __always_inline void thread_ended(void *map)
{
	struct thread_key key;
	struct thread_counters *counters;

	thread_key_of(&key);
	counters = bpf_map_lookup_elem(map, &key);
	if (counters)
		counters->ended = 1;
}

#endif /* PMDAKVM_VCPU_COUNTERS_BPF_H */
