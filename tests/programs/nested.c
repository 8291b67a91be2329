/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * nested CPUIDS OUTS TAKEN [hold]: a VM whose few instructions run a VM of their own, by VMRUN
 * (SVM only).
 *
 * The nested guest (L2) makes
 *	CPUIDS	CPUIDs, which the guest (L1) intercepts
 *	OUTS	OUTs to port 0xe9, which L1 does not: each goes out to user space from L2
 *	TAKEN	OUTs to port 0xea, which L1 intercepts
 * and a VMMCALL, which ends it; then L1 halts. Each is a number below 65536, 0: none. With each
 * exit that L1 gets it enters L2 anew, so
 *	kvm_nested_vmexit_inject   CPUIDS + TAKEN + 1
 *	kvm_exit vmrun             CPUIDS + TAKEN + 1
 *	kvm_exit cpuid             CPUIDS
 *	kvm_exit io                OUTS + TAKEN
 *	kvm_userspace_exit         OUTS + 1 (HLT)
 * and kvm_nested_vmexit is at least CPUIDS + OUTS + TAKEN + 1; page faults and interrupts of the
 * host come on top. Prints "done cpuids=N outs=N taken=N"; with hold keeps the VM until there is
 * standard input. Status 77: no KVM with nested SVM here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "xcalls.h"

#define EXIT_SKIP 77

#ifndef __x86_64__

int main(void)
{
	fputs("nested: SVM is of x86\n", stderr);
	return EXIT_SKIP;
}

#else

/* The guest's memory. */
#define RAM_SIZE	  0x100000u
#define L2_STACK	  0x7000u
#define L1_STACK	  0x7800u
#define L1_CODE		  0x8000u
#define L2_CODE		  0x9000u
#define VMCB		  0x10000u
#define PORT_MAP	  0x20000u /* a bit for each port: L1 intercepts it; 12 KiB */
#define MSR_MAP		  0x30000u
#define PAGE_TABLE	  0x40000u
#define HOST_SAVE	  0x50000u

#define PORT_FREE	  0xe9
#define PORT_TAKEN	  0xea

/* AMD64 Architecture Programmer's Manual, volume 2, appendix B: offsets in a VMCB. */
#define VMCB_INTERCEPTS	  0x00c
#define VMCB_INTERCEPTS2  0x010
#define VMCB_PORT_MAP	  0x040
#define VMCB_MSR_MAP	  0x048
#define VMCB_ASID	  0x058
#define VMCB_EXIT_CODE	  0x070
#define VMCB_SEGMENTS	  0x400 /* ES CS SS DS FS GS GDTR LDTR IDTR TR */
#define VMCB_EFER	  0x4d0
#define VMCB_CR0	  0x558
#define VMCB_DR7	  0x560
#define VMCB_DR6	  0x568
#define VMCB_RFLAGS	  0x570
#define VMCB_RIP	  0x578
#define VMCB_RSP	  0x5d8
#define VMCB_PAT	  0x668

#define INTERCEPT_CPUID	  (1u << 18)
#define INTERCEPT_PORTS	  (1u << 27)
#define INTERCEPT_VMRUN	  (1u << 0)
#define INTERCEPT_VMMCALL (1u << 1)
#define EFER_SVME	  0x1000
#define MSR_VM_HSAVE_PA	  0xc0010117

struct machine {
	int kvm, vm, vcpu;
	__u8 *ram;
	struct kvm_run *run;
};

/* 32-bit code. Every exit that L1 gets is by an instruction of two bytes, or is the last. */
static const __u8 l1_code[] = {
	0xb8, 0x00, 0x00, 0x01, 0x00,			      /* mov eax, VMCB */
	0x0f, 0x01, 0xd8,				      /* vmrun */
	0x81, 0x3d, 0x70, 0x00, 0x01, 0x00, 0x81, 0x00, 0, 0, /* cmp dword [exit code], VMMCALL */
	0x74, 0x09,					      /* je the last instruction */
	0x83, 0x05, 0x78, 0x05, 0x01, 0x00, 0x02,	      /* add dword [rip], 2 */
	0xeb, 0xe3,					      /* jmp the first instruction */
	0xf4,						      /* hlt */
};

static void put32(struct machine *machine, __u32 at, __u32 value)
{
	memcpy(machine->ram + at, &value, sizeof(value));
}

static void put64(struct machine *machine, __u32 at, __u64 value)
{
	memcpy(machine->ram + at, &value, sizeof(value));
}

/* 16-bit code: a loop of an instruction, with SI as the counter. */
static __u8 *put_loop(__u8 *at, __u16 count, const __u8 *body, size_t len)
{
	__u8 *loop;

	if (!count)
		return at;
	*at++ = 0xbe; /* mov si, count */
	memcpy(at, &count, sizeof(count));
	loop = at += sizeof(count);
	memcpy(at, body, len);
	at += len;
	*at++ = 0x4e; /* dec si */
	*at++ = 0x75; /* jnz loop */
	*at = (__u8)(loop - (at + 1));
	return at + 1;
}

static void put_l2(struct machine *machine, const __u16 *counts)
{
	static const __u8 cpuid[] = { 0x66, 0x31, 0xc0, 0x0f, 0xa2 }; /* xor eax, eax; cpuid */
	static const __u8 out[] = { 0xe6, PORT_FREE }, taken[] = { 0xe6, PORT_TAKEN };
	static const __u8 vmmcall[] = { 0x0f, 0x01, 0xd9 };
	__u8 *at = machine->ram + L2_CODE;

	at = put_loop(at, counts[0], cpuid, sizeof(cpuid));
	at = put_loop(at, counts[1], out, sizeof(out));
	at = put_loop(at, counts[2], taken, sizeof(taken));
	memcpy(at, vmmcall, sizeof(vmmcall));
}

static void put_segment(struct machine *machine, unsigned number, __u16 attributes)
{
	__u32 at = VMCB + VMCB_SEGMENTS + number * 16;

	put32(machine, at, (__u32)attributes << 16);
	put32(machine, at + 4, 0xffff);
}

/* L2 in real mode. */
static void put_vmcb(struct machine *machine)
{
	/* ES CS SS DS FS GS GDTR LDTR IDTR TR */
	static const __u16 attributes[] = { 0x93, 0x9b, 0x93, 0x93, 0x93, 0x93, 0, 0x82, 0, 0x8b };

	for (unsigned i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++)
		put_segment(machine, i, attributes[i]);
	put32(machine, VMCB + VMCB_INTERCEPTS, INTERCEPT_CPUID | INTERCEPT_PORTS);
	put32(machine, VMCB + VMCB_INTERCEPTS2, INTERCEPT_VMRUN | INTERCEPT_VMMCALL);
	put64(machine, VMCB + VMCB_PORT_MAP, PORT_MAP);
	put64(machine, VMCB + VMCB_MSR_MAP, MSR_MAP);
	put32(machine, VMCB + VMCB_ASID, 1);
	put64(machine, VMCB + VMCB_EFER, EFER_SVME);
	put64(machine, VMCB + VMCB_CR0, 0x10); /* ET */
	put64(machine, VMCB + VMCB_DR7, 0x400);
	put64(machine, VMCB + VMCB_DR6, 0xffff0ff0);
	put64(machine, VMCB + VMCB_RFLAGS, 2);
	put64(machine, VMCB + VMCB_RIP, L2_CODE);
	put64(machine, VMCB + VMCB_RSP, L2_STACK);
	put64(machine, VMCB + VMCB_PAT, 0x0007040600070406);
	machine->ram[PORT_MAP + PORT_TAKEN / 8] |= 1 << PORT_TAKEN % 8;
}

/* Does KVM offer SVM to guests? If so the vCPU gets all that it offers. */
static bool set_cpuid(struct machine *machine)
{
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entries[256];
	} cpuid = { .head.nent = 256 };
	bool svm = false;

	xioctl(machine->kvm, KVM_GET_SUPPORTED_CPUID, &cpuid);
	for (unsigned i = 0; i < cpuid.head.nent; i++)
		svm |= cpuid.entries[i].function == 0x80000001 && cpuid.entries[i].ecx & 4;
	if (svm)
		xioctl(machine->vcpu, KVM_SET_CPUID2, &cpuid);
	return svm;
}

/* L1 in protected mode with paging, of which EFER.SVME takes nothing less. */
static void set_registers(struct machine *machine)
{
	struct kvm_segment code = { .limit = 0xffffffff,
				    .selector = 8,
				    .type = 11,
				    .present = 1,
				    .db = 1,
				    .s = 1,
				    .g = 1 },
			   data = code;
	struct kvm_regs regs = { .rip = L1_CODE, .rsp = L1_STACK, .rflags = 2 };
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msrs = { .head.nmsrs = 1, .entry = { .index = MSR_VM_HSAVE_PA, .data = HOST_SAVE } };
	struct kvm_sregs sregs;

	data.type = 3;
	data.selector = 16;
	xioctl(machine->vcpu, KVM_GET_SREGS, &sregs);
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.ss = sregs.fs = sregs.gs = data;
	put32(machine, PAGE_TABLE, 0x83); /* one page of 4 MiB */
	sregs.cr3 = PAGE_TABLE;
	sregs.cr4 |= 0x10;	 /* PSE */
	sregs.cr0 |= 0x80000001; /* PG, PE */
	sregs.efer |= EFER_SVME;
	xioctl(machine->vcpu, KVM_SET_SREGS, &sregs);
	if (xioctl(machine->vcpu, KVM_SET_MSRS, &msrs) != 1) {
		fputs("nested: KVM takes no VM_HSAVE_PA\n", stderr);
		exit(EXIT_FAILURE);
	}
	xioctl(machine->vcpu, KVM_SET_REGS, &regs);
}

/* False: no nested SVM here. */
static bool set_up(struct machine *machine)
{
	struct kvm_userspace_memory_region slot = { .memory_size = RAM_SIZE };

	machine->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (machine->kvm < 0)
		return false;
	machine->vm = xioctl(machine->kvm, KVM_CREATE_VM, 0);
	machine->ram = xmmap(RAM_SIZE, -1);
	slot.userspace_addr = (unsigned long)machine->ram;
	xioctl(machine->vm, KVM_SET_USER_MEMORY_REGION, &slot);
	machine->vcpu = xioctl(machine->vm, KVM_CREATE_VCPU, 0);
	machine->run = xmmap((size_t)xioctl(machine->kvm, KVM_GET_VCPU_MMAP_SIZE, 0),
			     machine->vcpu);
	if (!set_cpuid(machine))
		return false;
	memcpy(machine->ram + L1_CODE, l1_code, sizeof(l1_code));
	put_vmcb(machine);
	set_registers(machine);
	return true;
}

/* Until L1 halts: how many OUTs came out; -1: it did something else. */
static int run(struct machine *machine)
{
	struct kvm_run *run = machine->run;
	int outs = 0;

	for (;;) {
		if (ioctl(machine->vcpu, KVM_RUN, 0) < 0 && errno != EINTR) {
			fprintf(stderr, "nested: KVM_RUN: %s\n", strerror(errno));
			return -1;
		}
		if (run->exit_reason == KVM_EXIT_HLT)
			return outs;
		if (run->exit_reason != KVM_EXIT_IO || run->io.port != PORT_FREE) {
			fprintf(stderr, "nested: an exit that it does not make: %u\n",
				run->exit_reason);
			return -1;
		}
		outs++;
	}
}

int main(int argc, char **argv)
{
	struct machine machine = { 0 };
	__u16 counts[3];
	__u32 code;

	if (argc < 4 || argc > 5) {
		fputs("usage: nested CPUIDS OUTS TAKEN [hold]\n", stderr);
		return 2;
	}
	for (int i = 0; i < 3; i++)
		counts[i] = (__u16)strtoul(argv[i + 1], NULL, 0);
	if (!set_up(&machine)) {
		fputs("nested: no KVM with nested SVM here\n", stderr);
		return EXIT_SKIP;
	}
	put_l2(&machine, counts);
	if (run(&machine) != counts[1])
		return EXIT_FAILURE;
	memcpy(&code, machine.ram + VMCB + VMCB_EXIT_CODE, sizeof(code));
	if (code != 0x81) {
		fprintf(stderr, "nested: L2 ended by exit 0x%x, not by its VMMCALL\n", code);
		return EXIT_FAILURE;
	}
	printf("done cpuids=%u outs=%u taken=%u\n", counts[0], counts[1], counts[2]);
	fflush(stdout);
	if (argc == 5)
		getchar();
	return 0;
}

#endif
