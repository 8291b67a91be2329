// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * The userspace_exit family: reasons of exits to the VMM, and the time until the next KVM_RUN.
 * kvm_userspace_exit marks the end of a KVM_RUN. On x86, kvm_fpu with load 1 marks the start of
 * the next; elsewhere, where that event is but never fires, kvm_entry is the closest one.
 *
 * These events do not identify the vCPU; records are found by thread. No kernel memory is read.
 *
 * Programs of type tp are for perf, where a thread could be switched out in one of a raw
 * tracepoint. They read the event's record, whose form the user side compares.
 */
#include "userspace_exit.h"
#define ENGINE_NAME  userspace_exit
#define ENGINE_SLOTS USERSPACE_EXIT_SLOTS
#include "engine.bpf.h"
#include "cause.bpf.h"
#include "ledger.bpf.h"
#include "slow.bpf.h"

/*
 * Errors of KVM_RUN. KVM_EXIT_MEMORY_FAULT is the only exit reason that is valid together with an
 * error, EFAULT or EHWPOISON; see the kernel's Documentation/virt/kvm/api.rst.
 */
#define EINTR		      4
#define EFAULT		      14
#define EHWPOISON	      133
#define KVM_EXIT_MEMORY_FAULT 39

const volatile struct userspace_exit_setup setup;

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
	return code_claim(reason);
}

static __always_inline int run_ended(__u32 reason, __s32 error)
{
	__u32 slot = slot_of(reason, error), ledger;
	const struct task_struct *task = task_now();
	struct engine_record *record = record_find(task, 0, FIND_ANY_VCPU | FIND_MAKE);
	__u64 now;

	event_count(USERSPACE_EXIT_EVENT_EXIT);
	if (!record)
		return overflow_count(slot, false);
	record_renew(&record->head);
	now = bpf_ktime_get_ns();
	pair_open(record, slot, now);
	if (causes_flag && record->head.block)
		cause_trip_begins(&record->head);
	if (has_slow && record->slow)
		slow_trip_caused();
	ledger = ledger_flag;
	if (ledger)
		ledger_trip_begins(record, ledger, now, task_delay(task));
	return 0;
}

int userspace_exit_begin(const __u64 *ctx);

/* kvm_userspace_exit(reason, errno) */
SEC("raw_tp")
int userspace_exit_begin(const __u64 *ctx)
{
	return run_ended((__u32)ctx[0], (__s32)ctx[1]);
}

/*
 * Does a program of perf's count? It can be attached for seconds more than it is to count. The
 * result of one must be 1: after 0, perf counts the event for nobody.
 */
__u32 tp_counts;

int userspace_exit_begin_tp(const struct userspace_exit_record *ctx);

SEC("tp")
int userspace_exit_begin_tp(const struct userspace_exit_record *ctx)
{
	if (tp_counts)
		run_ended(ctx->reason, ctx->error);
	return 1;
}

/* KVM_RUN started again: close the open exit. */
static __always_inline int run_started(void)
{
	const struct task_struct *task = task_now();
	struct engine_record *record = record_find(task, 0, FIND_ANY_VCPU);
	__u64 now, time;
	__u32 ledger;

	if (!record)
		return 0;
	record_renew(&record->head);
	if (!record->head.opened)
		return 0;
	now = bpf_ktime_get_ns();
	time = now - record->head.opened;
	pair_close(record, now);
	if (causes_flag && record->head.block)
		cause_trip_ends(&record->head, time);
	if (has_slow && slow_may_be(time))
		slow_trip_ends(now, time);
	ledger = ledger_flag;
	if (ledger)
		ledger_trip_ends(record, ledger, now, task_delay(task));
	return 0;
}

int userspace_exit_fpu(const __u64 *ctx);

/* kvm_fpu(load) */
SEC("raw_tp")
int userspace_exit_fpu(const __u64 *ctx)
{
	return (__u32)ctx[0] ? run_started() : 0;
}

int userspace_exit_fpu_tp(const struct fpu_record *ctx);

SEC("tp")
int userspace_exit_fpu_tp(const struct fpu_record *ctx)
{
	if (tp_counts && ctx->load)
		run_started();
	return 1;
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
	thread_ended();
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
