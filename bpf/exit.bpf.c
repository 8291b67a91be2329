// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * The exit family: exit reasons of vCPUs, and the time from each exit to the next entry. One
 * program at kvm_exit, in a variant per argument form, and one at kvm_entry.
 *
 * The reason is in a struct of KVM's vendor module. CO-RE relocation against a module's BTF needs
 * CAP_SYS_ADMIN, so the user side (src/kvm/exit_offsets.c) reads the offsets and sets them in
 * rodata. Nothing else reads kernel memory: without reasons the programs run in every lockdown
 * mode; since Linux 6.2 with them, too (kernel_words.bpf.h).
 */
#include "exit.h"
#define ENGINE_NAME  exit
#define ENGINE_SLOTS EXIT_SLOTS
#include "engine.bpf.h"
#include "cause.bpf.h"
#include "ledger.bpf.h"
#include "slow.bpf.h"
#include "kernel_words.bpf.h"

#define KVM_ISA_VMX   1 /* arch/x86/kvm/trace.h */
#define KVM_ISA_ARM64 3 /* ours: arm64 has no such argument */

/* arch/arm64/include/asm/kvm_asm.h: kinds of exits, and a flag: an SError was pending, too */
#define ARM_EXCEPTION_TRAP 2
#define ARM_EXIT_SERROR	   (1U << 31)

const volatile struct exit_setup setup;

/*
 * Rodata: no program of kvm_exit and kvm_entry is ever left out, so a vCPU that is in the guest is
 * known by its address.
 */
const volatile __u32 by_vcpu;

/*
 * The vendor's module is gone: one that is loaded next can have its structs in another form.
 * Written by the user side, which reads its types within a second.
 */
__u32 vendor_gone;

__u32 slot_search(__u32 isa_number, __u32 code);

/* The slot of a code that is not in the first range. */
SLOW_PATH __u32 slot_search(__u32 isa_number, __u32 code)
{
	const volatile struct exit_isa *isa = isa_number == KVM_ISA_VMX	  ? &setup.vmx :
					      isa_number == KVM_ISA_ARM64 ? &setup.arm64 :
									    &setup.svm;

	for (int i = 1; i < CODE_RANGES; i++) {
		__u32 at = code - isa->ranges[i].first;

		if (at < isa->ranges[i].count)
			return isa->ranges[i].slot + at;
	}
	return code_claim(code);
}

static __always_inline __u32 slot_of(const volatile struct exit_isa *isa, __u32 isa_number,
				     __u32 code)
{
	__u32 at = code - isa->ranges[0].first;

	if (likely(at < isa->ranges[0].count))
		return isa->ranges[0].slot + at;
	return slot_search(isa_number, code);
}

/* Read the reason of a vCPU's exit. Returns its slot; 0: cannot be read. */
static __always_inline __u32 slot_read(const volatile struct exit_isa *isa, __u32 isa_number,
				       __u64 vcpu)
{
	const void *base = (const void *)vcpu;
	__u32 mask = isa->mask;
	__s32 pointer = isa->pointer;

	if (!setup.has_reasons || !mask || vendor_gone)
		return 0;
	if (pointer != EXIT_NO_POINTER)
		base = pointer_at(base, pointer);
	return slot_of(isa, isa_number, half_word_at(base, isa->code) & mask);
}

/* The same of a code that the event has. */
static __always_inline __u32 slot_given(const volatile struct exit_isa *isa, __u32 isa_number,
					__u32 code)
{
	__u32 mask = isa->mask;

	return setup.has_reasons && mask ? slot_of(isa, isa_number, code & mask) : 0;
}

/* How long the thread that has the record, the current one, has waited for a CPU, ns. */
static __always_inline __u64 record_delay(struct engine_record *record)
{
#if defined(TYPED_LOADS) && defined(READS_DELAY)
	if (!has_run_delay)
		return 0;
	if (!likely(record->task))
		record->task = bpf_get_current_task();
	return word_at((const void *)record->task,
		       bpf_core_field_offset(struct task_struct, sched_info.run_delay));
#else
	(void)record;
	return task_delay(task_now());
#endif
}

static __always_inline int exited(struct engine_record *record, __u64 now, __u32 isa, __u32 slot)
{
	__u32 ledger;

	event_count(EXIT_EVENT_EXIT);
	if (!likely(record))
		return overflow_count(slot, false);
	if (record->head.entered) {
		record->head.guest_time += now - record->head.entered;
		record->head.entered = 0;
	}
	record->head.isa = (__u8)isa;
	pair_open(record, slot, now);
	if (causes_flag)
		cause_exits(&record->head);
	ledger = ledger_flag;
	if (ledger)
		ledger_exits(record, ledger, now, record_delay(record), slot);
	return 0;
}

__u32 vcpu_search(__u64 vcpu);

/* The number of the record of an exit that follows no entry; 0: there is no room for one. */
SLOW_PATH __u32 vcpu_search(__u64 vcpu)
{
	struct engine_record *record;
	__u32 number;

	record = record_number_find(task_now(), vcpu, FIND_MAKE, &number);
	if (!record)
		return 0;
	record_renew(&record->head);
	return number;
}

/* The current thread's record of a vCPU that exits, renewed. */
static __always_inline struct engine_record *record_of_exit(__u64 vcpu)
{
	struct engine_record *record;
	__u32 number;

	if (!by_vcpu) {
		record = record_find(task_now(), vcpu, FIND_MAKE);
		if (likely(record))
			record_renew(&record->head);
		return record;
	}
	record = record_in_guest(vcpu);
	if (likely(record))
		return record;
	number = vcpu_search(vcpu);
	return number ? record_at(number) : NULL;
}

int exit_vcpu_first(const __u64 *ctx);

/*
 * Since Linux 5.16: kvm_exit(vcpu, isa). Each instruction set has a branch of its own, in which the
 * verifier knows all of the setup, and drops what does not apply.
 */
SEC("raw_tp")
int exit_vcpu_first(const __u64 *ctx)
{
	__u64 now = bpf_ktime_get_ns(), vcpu = ctx[0];
	__u32 isa, slot;

	if ((__u32)ctx[1] == KVM_ISA_VMX) {
		isa = setup.vmx.isa;
		slot = slot_read(&setup.vmx, KVM_ISA_VMX, vcpu);
	} else {
		isa = setup.svm.isa;
		slot = slot_read(&setup.svm, 0, vcpu);
	}
	return exited(record_of_exit(vcpu), now, isa, slot);
}

int exit_reason_first(const __u64 *ctx);

/* Before Linux 5.16: kvm_exit(reason, vcpu, isa). */
SEC("raw_tp")
int exit_reason_first(const __u64 *ctx)
{
	__u64 now = bpf_ktime_get_ns();
	__u32 isa, slot;

	if ((__u32)ctx[2] == KVM_ISA_VMX) {
		isa = setup.vmx.isa;
		slot = slot_given(&setup.vmx, KVM_ISA_VMX, (__u32)ctx[0]);
	} else {
		isa = setup.svm.isa;
		slot = slot_given(&setup.svm, 0, (__u32)ctx[0]);
	}
	return exited(record_of_exit(ctx[1]), now, isa, slot);
}

int exit_trap(const __u64 *ctx);

/* arm64: kvm_exit(ret, esr_ec, pc). No argument names the vCPU: the thread does. */
SEC("raw_tp")
int exit_trap(const __u64 *ctx)
{
	__u32 kind = (__u32)ctx[0] & ~ARM_EXIT_SERROR;
	struct engine_record *record;
	__u64 now = bpf_ktime_get_ns();

	if (kind == ARM_EXCEPTION_TRAP)
		kind = EXIT_TRAP_CODE | (__u32)ctx[1];
	record = record_find(task_now(), 0, FIND_ANY_VCPU | FIND_MAKE);
	if (record)
		record_renew(&record->head);
	return exited(record, now, setup.arm64.isa, slot_given(&setup.arm64, KVM_ISA_ARM64, kind));
}

int exit_entry(const __u64 *ctx);

SEC("raw_tp")
int exit_entry(const __u64 *ctx)
{
	__u64 now = bpf_ktime_get_ns(), opened, time = 0;
	const struct task_struct *task = task_now();
	struct engine_record *record;
	__u32 ledger;

	if (setup.entry_has_vcpu)
		record = record_find(task, ctx[0], FIND_MAKE);
	else
		record = record_find(task, 0, FIND_ANY_VCPU | FIND_MAKE);
	event_count(EXIT_EVENT_ENTRY);
	if (!likely(record))
		return 0;
	record_renew(&record->head);
	opened = record->head.opened;
	if (likely(opened)) {
		time = now - opened;
		pair_close(record, now);
	}
	if (causes_flag)
		cause_enters(&record->head, opened, time);
	if (has_slow && slow_may_be(time))
		slow_exit_ends(record->head.vcpu, now, time);
	ledger = ledger_flag;
	if (ledger)
		ledger_enters(record, ledger, now, task_delay(task));
	/* AMD's fast path before Linux 6.12 enters the guest again without kvm_exit */
	if (!record->head.entered)
		record->head.entered = now;
	return 0;
}

int exit_thread(const void *ctx);

SEC("raw_tp")
int exit_thread(const void *ctx)
{
	(void)ctx;
	thread_ended();
	return 0;
}

#include "exit_nested.bpf.h"

char LICENSE[] SEC("license") = "GPL";
