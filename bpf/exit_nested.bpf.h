/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * A part of exit.bpf.c: exits of nested guests. kvm_nested_vmexit fires at each exit that a nested
 * guest takes, after its kvm_exit; kvm_nested_vmexit_inject at those that the guest which runs it
 * gets. Neither opens or ends a pair. The latter names no vCPU: both are counted by thread.
 *
 * A thread can be switched out there, so there are programs for perf, too (userspace_exit.bpf.c).
 */
#ifndef PMDAKVM_EXIT_NESTED_BPF_H
#define PMDAKVM_EXIT_NESTED_BPF_H

/* Do perf's programs count? They can be attached for seconds more than they are to count. */
__u32 tp_counts;

static __noinline int nested_count(__u32 slot)
{
	struct engine_record *record = record_find(task_now(), 0, FIND_ANY_VCPU | FIND_MAKE);
	struct block *block;
	__u32 *place;

	if (!record)
		return overflow_count(slot, false);
	place = &record->blocks[slot_within(slot)];
	if (!*place)
		*place = block_take();
	block = block_at(*place);
	if (!block)
		return overflow_count(slot, true);
	block->count++;
	return 0;
}

#define NESTED_PROGRAMS(name, event, slot)  \
	int name(const void *ctx);          \
                                            \
	SEC("raw_tp")                       \
	int name(const void *ctx)           \
	{                                   \
		(void)ctx;                  \
		event_count(event);         \
		return nested_count(slot);  \
	}                                   \
                                            \
	int name##_tp(const void *ctx);     \
                                            \
	SEC("tp")                           \
	int name##_tp(const void *ctx)      \
	{                                   \
		(void)ctx;                  \
		if (tp_counts) {            \
			event_count(event); \
			nested_count(slot); \
		}                           \
		return 1;                   \
	}

NESTED_PROGRAMS(exit_nested, EXIT_EVENT_NESTED, EXIT_SLOT_NESTED)
NESTED_PROGRAMS(exit_reflected, EXIT_EVENT_REFLECTED, EXIT_SLOT_REFLECTED)

#endif /* PMDAKVM_EXIT_NESTED_BPF_H */
