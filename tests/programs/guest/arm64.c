/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * arm64: the programme as machine code, and the registers to run it. The MMU is off, and there is
 * no interrupt controller.
 *
 * Each vCPU has one page to itself, one MMIO page, and pages that it touches for the first time
 * (--fault).
 *
 *	0x000	programme
 *	0x800	count of WFIs begun, told to the waker
 *
 * The programme ends with a write to the MMIO page, and then begins anew by itself: a KVM_RUN
 * after an MMIO exit first completes that instruction, so registers must not be set then.
 */
#include "guest.h"

#ifdef GUEST_ARCH_ARM64

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define OFF_BEGUN   0x800
#define GUEST_TOUCH 0x40000000u /* what --fault touches; a slot of its own */
#define TOUCH_SLOT  1
#define ACCESS_CODE (16 * WORD) /* no loop of --access is longer */

/* Registers of the programme: x0 to x3 are a hypercall's. */
enum {
	X_ADDRESS = 9,
	X_INDEX = 10,
	X_COUNTER = 20,
	X_MMIO = 21,
	X_TOUCH = 22,
	X_BEGUN = 23,
	X_TOUCH_START = 24
};

#define REG_64			 (KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE)
#define REG(member)		 (REG_64 | KVM_REG_ARM_CORE_REG(regs.member))

#define MOVZ_COUNTER		 0xd2800014u /* movz x20, #0: the low 16 bits go to bit 5 */
#define MOVK_COUNTER		 0xf2a00014u /* movk x20, #0, lsl #16 */
#define COUNT_DOWN		 0xd1000694u /* sub x20, x20, #1 */
#define CBNZ_COUNTER		 0xb5000014u /* cbnz x20, .: the distance in words goes to bit 5 */
#define FIRST_TOUCH		 0xaa1803f6u /* mov x22, x24 */
#define LAST_WRITE		 0x390002a0u /* strb w0, [x21] */
#define MOVZ			 0xd2800000u /* movz x0, #0: which 16 bits they are goes to bit 21 */
#define MOVK			 0xf2800000u /* movk x0, #0 */
#define HVC			 0xd4000002u /* hvc #0 */
#define MRS			 0xd5200000u /* mrs x0: the register goes to bit 5, as it is in a key */
#define MSR			 0xd5000000u /* msr or sys, x0 */
#define AND_LOW_BITS(bits)	 (0x92400000u | (-1 + (__u32)(bits)) << 10 | X_COUNTER << 5 | X_INDEX)
#define ADD_PAGES		 (0x8b000000u | X_INDEX << 16 | 12u << 10 | X_ADDRESS << 5 | X_ADDRESS)
#define BRANCH			 0x14000000u /* b .: the distance in words goes to bit 0 */
#define WORD			 4u
#define DISTANCE(from, to, bits) ((((__u32)(to) - (__u32)(from)) / WORD) & ((1u << (bits)) - 1))

struct code {
	__u8 len;   /* words */
	__u8 after; /* the event has happened once the pointer is at this word */
	__u32 words[4];
};

/* The loops' bodies. x20 is the counter. */
static const struct code bodies[EV_MAX] = {
	/* ldrb w0, [x21] */
	[EV_MMIO] = { 1, 1, { 0x394002a0 } },
	/* mrs x0, id_aa64pfr0_el1 */
	[EV_MSR] = { 1, 1, { 0xd5380400 } },
	/* mov x0, #0xc0000000, which is no function's number; hvc #0 */
	[EV_HYPERCALL] = { 2, 2, { 0xd2b80000, 0xd4000002 } },
	/* ldrb w0, [x22]; add x22, x22, #4096 */
	[EV_FAULT] = { 2, 1, { 0x394002c0, 0x914006d6 } },
	/* ldr w0, [x23]; add w0, w0, #1; str w0, [x23]; wfi */
	[EV_HLT] = { 4, 4, { 0xb94002e0, 0x11000400, 0xb90002e0, 0xd503207f } },
	/* nothing: the loop itself is what spins */
	[EV_SPIN] = { 0, 0, { 0 } },
	/* yield */
	[EV_PAUSE] = { 1, 1, { 0xd503203f } },
};

/* NULL: this host can do all of the plan. */
const char *arch_lacks(const struct plan *plan)
{
	if (plan->count[EV_PIO] || plan->count[EV_CPUID])
		return "--pio, --cpuid: arm64 has no such instructions";
	if (plan->count[EV_HLT] && !plan->irqchip)
		return "--hlt: a WFI of arm64 sleeps in the kernel; say --irqchip";
	if (plan->ntimes)
		return "--timer-us: x86 only";
	for (unsigned int i = 0; i < plan->naccesses; i++) {
		const struct access *access = &plan->accesses[i];

		if (access->kind != CAUSE_MMIO && access->kind != CAUSE_HVC &&
		    access->kind != CAUSE_SYSREG)
			return "--access: arm64 guests do mmio, hvc and sysreg";
		if (access->kind == CAUSE_HVC && access->number >> 32)
			return "--access: hvc's functions have 32 bits";
	}
	return NULL;
}

static __u16 put(struct program *prog, __u16 at, __u32 word)
{
	memcpy(prog->page + at, &word, sizeof(word));
	return (__u16)(at + sizeof(word));
}

static __u16 put_section(struct program *prog, __u16 at, __u32 count, unsigned int ev)
{
	const struct code *body = &bodies[ev];
	struct section *sect = &prog->sect[ev];
	unsigned int i;

	sect->start = at;
	at = put(prog, at, MOVZ_COUNTER | (count & 0xffff) << 5);
	at = put(prog, at, MOVK_COUNTER | (count >> 16) << 5);
	sect->loop = at;
	sect->after = (__u16)(at + body->after * WORD);
	for (i = 0; i < body->len; i++)
		at = put(prog, at, body->words[i]);
	sect->dec = at;
	at = put(prog, at, COUNT_DOWN);
	at = put(prog, at, CBNZ_COUNTER | DISTANCE(at, sect->loop, 19) << 5);
	sect->end = at;
	return at;
}

/* movz Xd; movk Xd for each further 16 bits: always as many, so that every vCPU's code is as long
 */
static __u16 put_number(struct program *prog, __u16 at, __u32 reg, __u64 number, unsigned int words)
{
	for (__u32 i = 0; i < words; i++)
		at = put(prog, at,
			 (i ? MOVK : MOVZ) | i << 21 | (__u32)(number >> 16 * i & 0xffff) << 5 |
				 reg);
	return at;
}

/* ldr or str of that size, W0 or X0, [X9] */
static __u32 memory_access(const struct access *access)
{
	__u32 size = access->size == 8 ? 3 : access->size / 2;

	return 0x39000000u | size << 30 | (access->write ? 0 : 1u << 22) | X_ADDRESS << 5;
}

static __u16 put_access_body(struct program *prog, __u16 at, const struct access *access)
{
	__u32 number = (__u32)access->number;

	if (access->kind == CAUSE_HVC)
		return put(prog, put_number(prog, at, 0, number, 2), HVC);
	at = put_number(prog, at, 0, access->value, 2);
	if (access->kind == CAUSE_SYSREG) /* mrs x0, or msr and sys, which are alike */
		return put(prog, at, (access->write ? MSR : MRS) | number);
	at = put_number(prog, at, X_ADDRESS, access->number, 3);
	if (access->span > 1) {
		/* and x10, x20, #SPAN - 1; add x9, x9, x10, lsl #12 */
		at = put(prog, at, AND_LOW_BITS(__builtin_ctz(access->span)));
		at = put(prog, at, ADD_PAGES);
	}
	return put(prog, at, memory_access(access));
}

static __u16 put_access(struct program *prog, __u16 at, const struct plan *plan, unsigned int i,
			unsigned int vcpu)
{
	const struct access *access = &plan->accesses[i];
	struct section *sect = &prog->sect[EV_MAX + i];

	sect->start = at;
	at = put_number(prog, at, X_COUNTER, access__count(access, vcpu), 2);
	sect->loop = at;
	at = put_access_body(prog, at, access);
	sect->after = at;
	sect->dec = at;
	at = put(prog, at, COUNT_DOWN);
	at = put(prog, at, CBNZ_COUNTER | DISTANCE(at, sect->loop, 19) << 5);
	sect->end = at;
	return at;
}

int arch_build(const struct plan *plan, unsigned int vcpu, struct program *ret_prog)
{
	unsigned int ev;
	__u16 at;

	memset(ret_prog, 0, sizeof(*ret_prog));
	at = put(ret_prog, 0, FIRST_TOUCH);
	for (ev = 0; ev < EV_MAX; ev++)
		if (plan->count[ev])
			at = put_section(ret_prog, at, plan->count[ev], ev);
	for (ev = 0; ev < plan->naccesses; ev++) {
		if (at > OFF_BEGUN - ACCESS_CODE) {
			fputs("guest: --access: the programme does not fit in its page\n", stderr);
			return -E2BIG;
		}
		at = put_access(ret_prog, at, plan, ev, vcpu);
	}
	ret_prog->last = at;
	at = put(ret_prog, at, LAST_WRITE);
	put(ret_prog, at, BRANCH | DISTANCE(at, 0, 26));
	return 0;
}

/* The pages that --fault touches. A huge page would be one fault for many. */
int arch_init_vm(struct vm *vm)
{
	size_t size = (size_t)vm->plan->nvcpus * vm->plan->count[EV_FAULT] * GUEST_PAGE;
	struct kvm_userspace_memory_region slot = {
		.slot = TOUCH_SLOT,
		.guest_phys_addr = GUEST_TOUCH,
		.memory_size = size,
	};
	void *pages;

	if (!size)
		return 0;
	pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED)
		return complain("mmap pages to touch", errno);
	vm->touched = pages;
	vm->touched_size = size;
	madvise(pages, size, MADV_NOHUGEPAGE);
	slot.userspace_addr = (unsigned long)pages;
	return xioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &slot);
}

int arch_init_vcpu(struct vcpu *vcpu)
{
	struct kvm_vcpu_init init;
	int ret = xioctl(vcpu->vm->fd, KVM_ARM_PREFERRED_TARGET, &init);

	if (ret)
		return ret;
	init.features[0] |= 1u << KVM_ARM_VCPU_PSCI_0_2;
	return xioctl(vcpu->fd, KVM_ARM_VCPU_INIT, &init);
}

static int set_register(struct vcpu *vcpu, __u64 id, __u64 value)
{
	struct kvm_one_reg reg = { .id = id, .addr = (unsigned long)&value };

	return xioctl(vcpu->fd, KVM_SET_ONE_REG, &reg);
}

static int get_register(struct vcpu *vcpu, __u64 id, __u64 *ret_value)
{
	struct kvm_one_reg reg = { .id = id, .addr = (unsigned long)ret_value };

	return xioctl(vcpu->fd, KVM_GET_ONE_REG, &reg);
}

/* To the programme's first instruction, where it has not gone by itself. */
int arch_restart(struct vcpu *vcpu)
{
	const __u64 page = GUEST_RAM + vcpu->id * GUEST_PAGE;
	const struct {
		__u64 id, value;
	} registers[] = {
		{ REG(pc), page },
		{ REG(regs[X_MMIO]), GUEST_MMIO + vcpu->id * GUEST_PAGE },
		{ REG(regs[X_BEGUN]), page + OFF_BEGUN },
		{ REG(regs[X_TOUCH_START]),
		  GUEST_TOUCH + (__u64)vcpu->id * vcpu->vm->plan->count[EV_FAULT] * GUEST_PAGE },
	};
	int ret = 0;

	if (vcpu->rounds)
		return 0;
	for (size_t i = 0; !ret && i < sizeof(registers) / sizeof(registers[0]); i++)
		ret = set_register(vcpu, registers[i].id, registers[i].value);
	return ret;
}

/*
 * How far the programme is: ret_done has MAX_LOOPS counts, ret_last says whether it is at its last
 * write, which is done once KVM_RUN is called again.
 */
int arch_where(struct vcpu *vcpu, __u64 *ret_done, bool *ret_last)
{
	const struct program *prog = &vcpu->vm->prog;
	const struct plan *plan = vcpu->vm->plan;
	unsigned int loop;
	__u64 at, counter;
	int ret;

	ret = get_register(vcpu, REG(pc), &at);
	if (!ret)
		ret = get_register(vcpu, REG(regs[X_COUNTER]), &counter);
	if (ret)
		return ret;
	at -= GUEST_RAM + vcpu->id * GUEST_PAGE;
	for (loop = 0; loop < plan__loops(plan); loop++)
		ret_done[loop] = section__done(&prog->sect[loop], plan__count(plan, loop, vcpu->id),
					       at, (__u32)counter);
	*ret_last = at == prog->last;
	return 0;
}

__u32 arch_hlts_begun(const struct vcpu *vcpu)
{
	return __atomic_load_n((__u32 *)((__u8 *)vcpu->page + OFF_BEGUN), __ATOMIC_ACQUIRE);
}

/* A signal ends the WFI as well as an interrupt would. */
int arch_wake(struct vcpu *vcpu)
{
	int err = pthread_kill(vcpu->thread, SIGUSR1);

	return err ? complain("pthread_kill", err) : 0;
}

#endif /* GUEST_ARCH_ARM64 */
