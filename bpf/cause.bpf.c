// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * The cause family: which port, address, register or call of the guest an exit is about. Programs
 * read arguments only, no kernel memory. They count the access, and tell the vCPU's open exit, if
 * there is one; the families exit and userspace_exit charge it when it ends (cause.bpf.h).
 */
#include "cause.h"
#define ENGINE_NAME   cause
#define ENGINE_RECORD cause_record
#include "engine.bpf.h"
#include "cause.bpf.h"

/* Used by the user side only; max_entries is set before loading. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cause_sum);
} cause_sums SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cause_ended);
} cause_ended SEC(".maps");

/* kvm_mmio's first argument */
enum { MMIO_UNSATISFIED, MMIO_READ, MMIO_WRITE };

/* How a key's event counts. */
enum {
	IS_ACCESS = 1, /* one access */
	IS_DEVICE = 2, /* to a port or to memory: it may have led to the VMM */
	IS_ANSWER = 4, /* a read that has its value: if from the VMM, that was the last trip */
};

/* Is this key's precedence higher than that of the open exit's key so far? */
static __always_inline bool is_better(__u64 key, __u64 than)
{
	__u64 kind = key >> CAUSE_KIND_SHIFT, other = than >> CAUSE_KIND_SHIFT;

	if (than == CAUSE_NONE)
		return true;
	if (other == CAUSE_HV)
		other = CAUSE_HYPERCALL;
	return kind < other;
}

__u32 current_of(__u32 number);

/* The number of the record of the vCPU that has the thread's open exit; 0: none. */
SLOW_PATH __u32 current_of(__u32 number)
{
	const struct cause_record *first = cause_at(number), *record;

	if (!first)
		return 0;
	number = first->current;
	record = cause_at(number);
	if (!record || record->head.start != first->head.start ||
	    record->head.tid != first->head.tid)
		return 0;
	cause_renew((struct cause_record *)record, number, control.generation);
	return number;
}

/* Without an open exit: the event may tell what the last trip was for. */
static __always_inline void happened(struct cause_record *record, __u32 number, __u64 key,
				     __u64 how)
{
	if (record->back)
		cause_settle(number, how & IS_ANSWER ? key : record->trip_key);
	if (how & IS_DEVICE)
		record->run_key = key;
}

static __always_inline int caused(__u64 key, __u64 how)
{
	__u32 number, current;
	struct cause_record *record = record_number_find(task_now(), 0, FIND_ANY_VCPU | FIND_MAKE,
							 &number);

	if (!record)
		return how & IS_ACCESS ? cause_count_nowhere(1, 0, 0, 0, 0) : 0;
	cause_renew(record, number, control.generation);
	current = record->current ? current_of(number) : 0;
	if (current) {
		number = current;
		record = record_at(number);
		if (!record)
			return 0;
	}
	if (how & IS_ACCESS)
		cause_find(record, number, key, true)->accesses++;
	if (!record->open)
		happened(record, number, key, how);
	else if (key != CAUSE_NONE && is_better(key, record->key))
		record->key = key;
	return 0;
}

/* --- events --- */

static __always_inline int access(enum cause_kind kind, bool write, __u64 number)
{
	return caused(CAUSE_KEY(kind, write, number), IS_ACCESS);
}

/* A read's comes when it has its value. */
static __always_inline int port_access(bool write, __u16 port)
{
	return caused(CAUSE_KEY(CAUSE_PIO, write, port),
		      IS_ACCESS | IS_DEVICE | (write ? 0 : IS_ANSWER));
}

/* The number of an address; see cause.h. */
static __always_inline __u64 number_of(__u64 address)
{
	__u64 page = address & ~CAUSE_PAGE;

	if (page == CAUSE_IOAPIC || page == CAUSE_HPET || page == CAUSE_LAPIC)
		return address;
	return page >= CAUSE_VGA && page < CAUSE_VGA_END ? CAUSE_VGA : page;
}

static __always_inline int memory_access(__u32 type, __u64 address)
{
	bool write = type == MMIO_WRITE;

	if (type != MMIO_READ && !write)
		return caused(CAUSE_NONE, 0);
	return caused(CAUSE_KEY(CAUSE_MMIO, write, number_of(address)),
		      IS_ACCESS | IS_DEVICE | (write ? 0 : IS_ANSWER));
}

/* A write that an eventfd takes. */
static __always_inline int fast_access(__u64 address)
{
	return caused(CAUSE_KEY(CAUSE_MMIO, true, number_of(address)), IS_ACCESS | IS_DEVICE);
}

/* Comes besides kvm_mmio or kvm_msr, so it is no access. */
static __always_inline int apic_access(bool write, __u32 number)
{
	return caused(CAUSE_KEY(CAUSE_APIC, write, number), 0);
}

/*
 * The register of a syndrome of arm64, ISS of MSR, MRS and SYS, as it is in the instruction: op0
 * from bit 19 on, op1, CRn, CRm, op2. Its bit 0 is set for a read.
 */
static __always_inline int register_access(__u64 esr)
{
	return access(CAUSE_SYSREG, !(esr & 1),
		      (esr >> 20 & 3) << 19 | (esr >> 14 & 7) << 16 | (esr >> 10 & 15) << 12 |
			      (esr >> 1 & 15) << 8 | (esr >> 17 & 7) << 5);
}

/* --- programs of raw tracepoints --- */

int cause_pio(const __u64 *ctx);

/* kvm_pio(write, port, ...) */
SEC("raw_tp")
int cause_pio(const __u64 *ctx)
{
	return port_access((__u32)ctx[0], (__u16)ctx[1]);
}

int cause_mmio(const __u64 *ctx);

/* kvm_mmio(type, length, address, ...) */
SEC("raw_tp")
int cause_mmio(const __u64 *ctx)
{
	return memory_access((__u32)ctx[0], ctx[2]);
}

int cause_fast_mmio(const __u64 *ctx);

/* kvm_fast_mmio(address) */
SEC("raw_tp")
int cause_fast_mmio(const __u64 *ctx)
{
	return fast_access(ctx[0]);
}

int cause_msr(const __u64 *ctx);

/* kvm_msr(write, number, ...) */
SEC("raw_tp")
int cause_msr(const __u64 *ctx)
{
	return access(CAUSE_MSR, (__u32)ctx[0], (__u32)ctx[1]);
}

int cause_cpuid(const __u64 *ctx);

/* kvm_cpuid(function, ...) */
SEC("raw_tp")
int cause_cpuid(const __u64 *ctx)
{
	return access(CAUSE_CPUID, false, (__u32)ctx[0]);
}

int cause_hypercall(const __u64 *ctx);

/* kvm_hypercall(number, ...) */
SEC("raw_tp")
int cause_hypercall(const __u64 *ctx)
{
	return access(CAUSE_HYPERCALL, false, ctx[0]);
}

int cause_hv_hypercall(const __u64 *ctx);

/* kvm_hv_hypercall(code, ...) */
SEC("raw_tp")
int cause_hv_hypercall(const __u64 *ctx)
{
	return access(CAUSE_HV, false, (__u16)ctx[0]);
}

int cause_cr(const __u64 *ctx);

/* kvm_cr(write, number, ...) */
SEC("raw_tp")
int cause_cr(const __u64 *ctx)
{
	return access(CAUSE_CR, (__u32)ctx[0], (__u32)ctx[1]);
}

int cause_apic(const __u64 *ctx);

/* kvm_apic(write, register, ...) */
SEC("raw_tp")
int cause_apic(const __u64 *ctx)
{
	return apic_access((__u32)ctx[0], (__u32)ctx[1]);
}

int cause_sysreg(const __u64 *ctx);

/* kvm_handle_sys_reg(syndrome); kvm_sys_access only has pointers */
SEC("raw_tp")
int cause_sysreg(const __u64 *ctx)
{
	return register_access(ctx[0]);
}

int cause_hvc(const __u64 *ctx);

/* kvm_hvc_arm64(pc, function, ...) */
SEC("raw_tp")
int cause_hvc(const __u64 *ctx)
{
	return access(CAUSE_HVC, false, (__u32)ctx[1]);
}

int cause_thread(const void *ctx);

SEC("raw_tp")
int cause_thread(const void *ctx)
{
	(void)ctx;
	thread_ended();
	return 0;
}

/*
 * --- the same for perf ---
 *
 * It can attach them for seconds more than they are to count: the flag is 0 then. The result must
 * be 1: after 0, perf counts the event for nobody.
 */

int cause_pio_tp(const struct cause_access_record *record);

SEC("tp")
int cause_pio_tp(const struct cause_access_record *record)
{
	if (control.causes)
		port_access(record->write, (__u16)record->number);
	return 1;
}

int cause_mmio_tp(const struct cause_mmio_record *record);

SEC("tp")
int cause_mmio_tp(const struct cause_mmio_record *record)
{
	if (control.causes)
		memory_access(record->type, record->address);
	return 1;
}

int cause_fast_mmio_tp(const struct cause_number_record *record);

SEC("tp")
int cause_fast_mmio_tp(const struct cause_number_record *record)
{
	if (control.causes)
		fast_access(record->number);
	return 1;
}

int cause_msr_tp(const struct cause_access_record *record);

SEC("tp")
int cause_msr_tp(const struct cause_access_record *record)
{
	if (control.causes)
		access(CAUSE_MSR, record->write, record->number);
	return 1;
}

int cause_cpuid_tp(const struct cause_cpuid_record *record);

SEC("tp")
int cause_cpuid_tp(const struct cause_cpuid_record *record)
{
	if (control.causes)
		access(CAUSE_CPUID, false, record->function);
	return 1;
}

int cause_hypercall_tp(const struct cause_number_record *record);

SEC("tp")
int cause_hypercall_tp(const struct cause_number_record *record)
{
	if (control.causes)
		access(CAUSE_HYPERCALL, false, record->number);
	return 1;
}

int cause_hv_hypercall_tp(const struct cause_hv_record *record);

SEC("tp")
int cause_hv_hypercall_tp(const struct cause_hv_record *record)
{
	if (control.causes)
		access(CAUSE_HV, false, record->code);
	return 1;
}

int cause_cr_tp(const struct cause_access_record *record);

SEC("tp")
int cause_cr_tp(const struct cause_access_record *record)
{
	if (control.causes)
		access(CAUSE_CR, record->write, record->number);
	return 1;
}

int cause_apic_tp(const struct cause_access_record *record);

SEC("tp")
int cause_apic_tp(const struct cause_access_record *record)
{
	if (control.causes)
		apic_access(record->write, record->number);
	return 1;
}

int cause_sysreg_tp(const struct cause_number_record *record);

SEC("tp")
int cause_sysreg_tp(const struct cause_number_record *record)
{
	if (control.causes)
		register_access(record->number);
	return 1;
}

int cause_hvc_tp(const struct cause_hvc_record *record);

SEC("tp")
int cause_hvc_tp(const struct cause_hvc_record *record)
{
	if (control.causes)
		access(CAUSE_HVC, false, (__u32)record->function);
	return 1;
}

char LICENSE[] SEC("license") = "GPL";
