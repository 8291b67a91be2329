/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * x86: the programme as real-mode machine code, and the registers to run it.
 *
 * Each vCPU has one page to itself, and one MMIO page, so that it makes the
 * same page faults however many others there are. CS, DS and SS have the page's
 * address as their base, ES the MMIO page's.
 *
 *	0x000	interrupt vectors
 *	0x100	what --access reads into and writes from (string=), over vectors that no one uses
 *	0x400	count of HLTs begun, told to the waker (--irqchip)
 *	0x440	ticks of the timer (--timer-us), by the loop's counter
 *	0x500	interrupt handler
 *	0x600	programme
 *	0x1000	stack, downwards
 */
#include "guest.h"

#ifdef GUEST_ARCH_X86

#include "x86_access.h"

#include <cpuid.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OFF_BEGUN    0x400
#define OFF_TICKS    0x440
#define OFF_HANDLER  0x500
#define OFF_PROGRAM  0x600
#define OFF_STACK    0x1000
#define STACK_SIZE   0x40

#define VECTOR	     0x20
#define APIC_SPIV    0xf0
#define APIC_SPIV_ON 0x1ff
#define APIC_LVTT    0x320
#define LVTT_TSC     (2 << 17) /* the timer's deadline is one of the TSC */
#define CPUID_TSC    (1 << 24) /* leaf 1, ECX: it has such a mode */
#define APIC_BASE_X2 0x400     /* IA32_APIC_BASE: x2APIC mode */
#define TSS_ADDR     0xfffbd000
#define MAX_CPUID    256

struct code {
	__u8 len;
	__u8 after; /* the event has happened once the pointer is here */
	__u8 bytes[32];
};

/* The loops' bodies. ESI is the counter; all else is theirs to change but EBP. */
static const struct code bodies[EV_MAX] = {
	/* out 0xe9, al */
	[EV_PIO] = { 2, 2, { 0xe6, GUEST_PORT } },
	/* mov al, es:[0] */
	[EV_MMIO] = { 4, 4, { 0x26, 0xa0, 0x00, 0x00 } },
	/* xor eax, eax; cpuid */
	[EV_CPUID] = { 5, 5, { 0x66, 0x31, 0xc0, 0x0f, 0xa2 } },
	/* mov ecx, IA32_APIC_BASE; rdmsr */
	[EV_MSR] = { 8, 8, { 0x66, 0xb9, 0x1b, 0x00, 0x00, 0x00, 0x0f, 0x32 } },
	/* mov eax, 0x4d50, which is no hypercall's number; vmcall */
	[EV_HYPERCALL] = { 9, 9, { 0x66, 0xb8, 0x50, 0x4d, 0x00, 0x00, 0x0f, 0x01, 0xc1 } },
	/* hlt */
	[EV_HLT] = { 1, 1, { 0xf4 } },
	/* nothing: the loop itself is what spins */
	[EV_SPIN] = { 0, 0, { 0 } },
	/* pause */
	[EV_PAUSE] = { 2, 2, { 0xf3, 0x90 } },
};

/* mov eax, 0x4d50; vmmcall: what AMD calls it */
static const struct code body_vmmcall = {
	9, 9, { 0x66, 0xb8, 0x50, 0x4d, 0x00, 0x00, 0x0f, 0x01, 0xd9 }
};

/* inc dword [0x400]; hlt: interrupts are on, the waker holds its own back until we sleep */
static const struct code body_hlt_irqchip = {
	6, 6, { 0x66, 0xff, 0x06, OFF_BEGUN & 0xff, OFF_BEGUN >> 8, 0xf4 }
};

/*
 * mov ebx, esi; and ebx, MAX_TIMES - 1; rdtsc; add eax, [OFF_TICKS + ebx * 4]; adc edx, 0;
 * mov ecx, IA32_TSC_DEADLINE; wrmsr; hlt: the vCPU's own timer ends it.
 */
static const struct code body_hlt_timer = {
	31, 31, { 0x66, 0x89, 0xf3, 0x66, 0x83, 0xe3, 0x07, 0x0f, 0x31, 0x67, 0x66,
		  0x03, 0x04, 0x9d, 0x40, 0x04, 0x00, 0x00, 0x66, 0x83, 0xd2, 0x00,
		  0x66, 0xb9, 0xe0, 0x06, 0x00, 0x00, 0x0f, 0x30, 0xf4 }
};
_Static_assert(MAX_TIMES == 8 && OFF_TICKS == 0x440, "they are in body_hlt_timer");

/* mov esi, COUNT: the count goes to offset 2 */
static const struct code load_counter = { 6, 0, { 0x66, 0xbe } };
/* dec esi */
static const struct code count_down = { 2, 0, { 0x66, 0x4e } };
/* jnz: the distance goes to offset 1 */
static const struct code jump_back = { 2, 0, { 0x75 } };

/* End of interrupt through an x2APIC: mov ecx, 0x80b; xor eax, eax; cdq; wrmsr; iret */
static const __u8 handler[] = { 0x66, 0xb9, 0x0b, 0x08, 0x00, 0x00, 0x66,
				0x31, 0xc0, 0x66, 0x99, 0x0f, 0x30, 0xcf };

/*
 * In front of that with body_hlt_timer, for an interrupt that comes before the HLT that it is to
 * end: push bp; mov bp, sp; cmp word [bp + 2], HLT; jne 1f; inc word [bp + 2]; 1: pop bp. The
 * HLT's address is at SKIPPED_AT.
 */
static const __u8 skip_hlt[] = { 0x55, 0x89, 0xe5, 0x81, 0x7e, 0x02, 0x00,
				 0x00, 0x75, 0x03, 0xff, 0x46, 0x02, 0x5d };
#define SKIPPED_AT 6

static bool host_is(const char *vendor)
{
	char name[13] = { 0 };
	unsigned int max, b, c, d;

	__cpuid(0, max, b, c, d);
	memcpy(name, &b, 4);
	memcpy(name + 4, &d, 4);
	memcpy(name + 8, &c, 4);
	return !strcmp(name, vendor);
}

bool host_is_amd(void)
{
	return host_is("AuthenticAMD") || host_is("HygonGenuine");
}

/* Whether the processor itself can virtualize; not so where KVM is PVM. */
static bool host_has_virtualization(void)
{
	unsigned int a, b, c, d;

	if (host_is_amd())
		return __get_cpuid(0x80000001, &a, &b, &c, &d) && (c & (1u << 2));
	return __get_cpuid(1, &a, &b, &c, &d) && (c & (1u << 5));
}

/* NULL: this host can do all of the plan. */
const char *arch_lacks(const struct plan *plan)
{
	if (plan->count[EV_HYPERCALL] && !host_has_virtualization())
		return "--hypercall: the processor has neither VMX nor SVM (PVM?)";
	if (plan->count[EV_FAULT])
		return "--fault: x86 has only one page of memory for each vCPU";
	return access__lacks(plan, host_has_virtualization());
}

static const struct code *body_of(const struct plan *plan, unsigned int ev)
{
	if (ev == EV_HYPERCALL && host_is_amd())
		return &body_vmmcall;
	if (ev == EV_HLT && plan->irqchip)
		return plan->ntimes ? &body_hlt_timer : &body_hlt_irqchip;
	return &bodies[ev];
}

static __u16 put(struct program *prog, __u16 at, const struct code *code)
{
	memcpy(prog->page + at, code->bytes, code->len);
	return (__u16)(at + code->len);
}

static __u16 put_section(struct program *prog, __u16 at, const struct plan *plan, unsigned int ev)
{
	const struct code *body = body_of(plan, ev);
	struct section *sect = &prog->sect[ev];
	__u16 jump;

	sect->start = at;
	sect->loop = put(prog, at, &load_counter);
	memcpy(prog->page + at + 2, &plan->count[ev], sizeof(plan->count[ev]));
	sect->after = (__u16)(sect->loop + body->after);
	sect->dec = put(prog, sect->loop, body);
	jump = put(prog, sect->dec, &count_down);
	sect->end = put(prog, jump, &jump_back);
	prog->page[jump + 1] = (__u8)(sect->loop - sect->end);
	return sect->end;
}

static void put_handler(struct program *prog, const struct plan *plan)
{
	__u8 *at = prog->page + OFF_HANDLER;

	if (plan->ntimes) {
		__u16 hlt = (__u16)(prog->sect[EV_HLT].after - 1);

		memcpy(at, skip_hlt, sizeof(skip_hlt));
		memcpy(at + SKIPPED_AT, &hlt, sizeof(hlt));
		at += sizeof(skip_hlt);
	}
	memcpy(at, handler, sizeof(handler));
}

int arch_build(const struct plan *plan, unsigned int vcpu, struct program *ret_prog)
{
	__u16 at = OFF_PROGRAM;
	unsigned int ev;

	memset(ret_prog, 0, sizeof(*ret_prog));
	for (ev = 0; ev < EV_MAX; ev++)
		if (plan->count[ev])
			at = put_section(ret_prog, at, plan, ev);
	for (ev = 0; ev < plan->naccesses; ev++) {
		if (at > OFF_STACK - STACK_SIZE - ACCESS_CODE) {
			fputs("guest: --access: the programme does not fit in its page\n", stderr);
			return -E2BIG;
		}
		at = put_access(ret_prog, at, plan, ev, vcpu);
	}
	/* the waker ends the last HLT, whatever ends the others */
	ret_prog->last = put(ret_prog, at, plan->irqchip ? &body_hlt_irqchip : &bodies[EV_HLT]);
	put_handler(ret_prog, plan);
	return 0;
}

int arch_init_vm(struct vm *vm)
{
	/* Intel without unrestricted guests keeps a task segment in the guest */
	int ret = xioctl(vm->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_SET_TSS_ADDR);

	if (ret > 0)
		ret = xioctl(vm->fd, KVM_SET_TSS_ADDR, TSS_ADDR);
	if (ret < 0 || !vm->plan->irqchip)
		return ret;
	return xioctl(vm->fd, KVM_CREATE_IRQCHIP, 0);
}

static int set_cpuid(struct vcpu *vcpu)
{
	struct kvm_cpuid2 *cpuid;
	unsigned int i;
	int ret;

	cpuid = calloc(1, sizeof(*cpuid) + MAX_CPUID * sizeof(cpuid->entries[0]));
	if (!cpuid)
		return complain("calloc", ENOMEM);
	cpuid->nent = MAX_CPUID;
	ret = xioctl(vcpu->vm->kvm_fd, KVM_GET_SUPPORTED_CPUID, cpuid);
	for (i = 0; !ret && vcpu->vm->plan->ntimes && i < cpuid->nent; i++) {
		if (cpuid->entries[i].function == 1)
			cpuid->entries[i].ecx |= CPUID_TSC;
	}
	if (!ret)
		ret = xioctl(vcpu->fd, KVM_SET_CPUID2, cpuid);
	free(cpuid);
	return ret;
}

static void set_segment(struct kvm_segment *seg, __u32 base)
{
	seg->base = base;
	seg->selector = (__u16)(base >> 4);
	seg->limit = 0xffff;
}

/* All addresses: a limit that real mode cannot set, but keeps. */
static void set_flat(struct kvm_segment *seg)
{
	seg->base = 0;
	seg->limit = 0xffffffff;
	seg->g = 1;
}

static int set_segments(struct vcpu *vcpu)
{
	__u32 page = GUEST_RAM + vcpu->id * GUEST_PAGE;
	struct kvm_sregs sregs;
	int ret;

	ret = xioctl(vcpu->fd, KVM_GET_SREGS, &sregs);
	if (ret)
		return ret;
	set_segment(&sregs.cs, page);
	set_segment(&sregs.ds, page);
	set_segment(&sregs.ss, page);
	set_segment(&sregs.es, GUEST_MMIO + vcpu->id * GUEST_PAGE);
	sregs.idt.base = page;
	sregs.idt.limit = 0x3ff;
	if (access__uses(vcpu->vm->plan, CAUSE_MMIO))
		set_flat(&sregs.fs);
	if (vcpu->vm->plan->irqchip && !vcpu->vm->plan->xapic)
		sregs.apic_base |= APIC_BASE_X2;
	return xioctl(vcpu->fd, KVM_SET_SREGS, &sregs);
}

/* Let the vCPU take our interrupt: switch its APIC on, fill in the vector. */
static int set_apic(struct vcpu *vcpu)
{
	__u16 vector[2] = { OFF_HANDLER, 0 };
	__u32 spiv = APIC_SPIV_ON, lvtt = LVTT_TSC | VECTOR;
	struct kvm_lapic_state apic;
	int ret;

	vector[1] = (__u16)((GUEST_RAM + vcpu->id * GUEST_PAGE) >> 4);
	memcpy((__u8 *)vcpu->page + VECTOR * sizeof(vector), vector, sizeof(vector));
	ret = xioctl(vcpu->fd, KVM_GET_LAPIC, &apic);
	if (ret)
		return ret;
	memcpy(apic.regs + APIC_SPIV, &spiv, sizeof(spiv));
	if (vcpu->vm->plan->ntimes)
		memcpy(apic.regs + APIC_LVTT, &lvtt, sizeof(lvtt));
	return xioctl(vcpu->fd, KVM_SET_LAPIC, &apic);
}

/* The timer's ticks are of the vCPU's TSC. */
static int set_ticks(struct vcpu *vcpu)
{
	const struct plan *plan = vcpu->vm->plan;
	int khz = xioctl(vcpu->fd, KVM_GET_TSC_KHZ, 0);
	__u32 *ticks = (__u32 *)((__u8 *)vcpu->page + OFF_TICKS);

	if (khz < 0)
		return khz;
	printf("tsc %u %u khz=%d\n", vcpu->vm->index, vcpu->id, khz);
	fflush(stdout);
	/* the loop's counter goes down */
	for (unsigned int i = 0; i < MAX_TIMES; i++) {
		__u64 us = plan->timer_us[i % plan->ntimes];

		ticks[(plan->count[EV_HLT] - i) % MAX_TIMES] = (__u32)(us * (__u32)khz / 1000);
	}
	return 0;
}

int arch_init_vcpu(struct vcpu *vcpu)
{
	int ret;

	ret = set_cpuid(vcpu);
	if (!ret)
		ret = set_segments(vcpu);
	if (!ret && vcpu->vm->plan->irqchip)
		ret = set_apic(vcpu);
	if (!ret && vcpu->vm->plan->ntimes)
		ret = set_ticks(vcpu);
	return ret;
}

/* To the programme's first instruction, awake. */
int arch_restart(struct vcpu *vcpu)
{
	struct kvm_mp_state awake = { .mp_state = KVM_MP_STATE_RUNNABLE };
	struct kvm_regs regs = {
		.rip = OFF_PROGRAM,
		.rsp = OFF_STACK,
		.rflags = 0x202,
	};
	int ret;

	ret = xioctl(vcpu->fd, KVM_SET_REGS, &regs);
	if (!ret && vcpu->vm->plan->irqchip)
		ret = xioctl(vcpu->fd, KVM_SET_MP_STATE, &awake);
	return ret;
}

/*
 * How far the programme is: ret_done has MAX_LOOPS counts, ret_last says whether
 * its last HLT is behind it.
 */
int arch_where(struct vcpu *vcpu, __u64 *ret_done, bool *ret_last)
{
	const struct program *prog = &vcpu->vm->prog;
	const struct plan *plan = vcpu->vm->plan;
	struct kvm_regs regs;
	unsigned int loop;
	int ret;

	ret = xioctl(vcpu->fd, KVM_GET_REGS, &regs);
	if (ret)
		return ret;
	if (regs.rip < OFF_PROGRAM) /* in the handler, so after a HLT */
		regs.rip = prog->sect[EV_HLT].end ? prog->sect[EV_HLT].dec : prog->last;
	for (loop = 0; loop < plan__loops(plan); loop++)
		ret_done[loop] = section__done(&prog->sect[loop], plan__count(plan, loop, vcpu->id),
					       regs.rip,
					       (__u32)(loop < EV_MAX ? regs.rsi : regs.rbp));
	*ret_last = regs.rip == prog->last;
	return 0;
}

__u32 arch_hlts_begun(const struct vcpu *vcpu)
{
	return __atomic_load_n((__u32 *)((__u8 *)vcpu->page + OFF_BEGUN), __ATOMIC_ACQUIRE);
}

int arch_wake(struct vcpu *vcpu)
{
	struct kvm_msi msi = {
		.address_lo = 0xfee00000u | vcpu->id << 12,
		.data = VECTOR,
	};
	int ret = xioctl(vcpu->vm->fd, KVM_SIGNAL_MSI, &msi);

	return ret < 0 ? ret : 0;
}

#endif /* GUEST_ARCH_X86 */
