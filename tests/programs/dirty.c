/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * dirty PAGES ROUNDS [hold]: a VM whose guest writes to each of PAGES pages, of which KVM keeps a
 * log.
 *
 * The first time each write is a page fault. Then for ROUNDS rounds the log is read, which clears
 * it, and the guest writes again. Where the processor writes the log (PML of VMX), it exits
 * whenever its 512 entries are full and another write comes: (PAGES - 1) / 512 times a round. Any
 * other exit empties it, too, so an interrupt of the host can make one less. With each round the
 * guest halts. Prints "done pages=N rounds=N" if the log named each page once a round; with hold
 * keeps the VM until there is standard input. Status 77: no KVM here.
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
	fputs("dirty: its guest has x86 code\n", stderr);
	return EXIT_SKIP;
}

#else

#define PAGE	  4096u
#define CODE	  0x8000u
#define DATA	  0x1000000u
#define PAGES_MAX 16384u
#define TSS_ADDR  0xfffbd000ul

struct machine {
	int kvm, vm, vcpu;
	__u32 pages;
	struct kvm_run *run;
};

static void *add_memory(const struct machine *machine, __u32 slot, __u64 at, size_t size,
			__u32 flags)
{
	void *memory = xmmap(size, -1);
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = at,
		.memory_size = size,
		.userspace_addr = (unsigned long)memory,
	};

	xioctl(machine->vm, KVM_SET_USER_MEMORY_REGION, &region);
	return memory;
}

/* 32-bit code: a byte into each page. */
static void put_code(const struct machine *machine, __u8 *code)
{
	static const __u8 bytes[] = {
		0xbf, 0x00, 0x00, 0x00, 0x01,	    /* mov edi, DATA */
		0xb9, 0x00, 0x00, 0x00, 0x00,	    /* mov ecx, PAGES */
		0xc6, 0x07, 0x01,		    /* mov byte [edi], 1 */
		0x81, 0xc7, 0x00, 0x10, 0x00, 0x00, /* add edi, 4096 */
		0x49,				    /* dec ecx */
		0x75, 0xf4,			    /* jnz to the third instruction */
		0xf4,				    /* hlt */
	};

	memcpy(code, bytes, sizeof(bytes));
	memcpy(code + 6, &machine->pages, sizeof(machine->pages));
}

/* Protected mode, with all addresses. */
static void set_segments(const struct machine *machine)
{
	struct kvm_segment code = { .limit = 0xffffffff,
				    .selector = 8,
				    .type = 11,
				    .present = 1,
				    .db = 1,
				    .s = 1,
				    .g = 1 },
			   data = code;
	struct kvm_sregs sregs;

	data.type = 3;
	data.selector = 16;
	xioctl(machine->vcpu, KVM_GET_SREGS, &sregs);
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.ss = sregs.fs = sregs.gs = data;
	sregs.cr0 |= 1; /* PE */
	xioctl(machine->vcpu, KVM_SET_SREGS, &sregs);
}

/* False: no KVM here. */
static bool set_up(struct machine *machine)
{
	machine->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (machine->kvm < 0)
		return false;
	machine->vm = xioctl(machine->kvm, KVM_CREATE_VM, 0);
	xioctl(machine->vm, KVM_SET_TSS_ADDR, TSS_ADDR);
	put_code(machine, add_memory(machine, 0, CODE, PAGE, 0));
	add_memory(machine, 1, DATA, (size_t)machine->pages * PAGE, KVM_MEM_LOG_DIRTY_PAGES);
	machine->vcpu = xioctl(machine->vm, KVM_CREATE_VCPU, 0);
	machine->run = xmmap((size_t)xioctl(machine->kvm, KVM_GET_VCPU_MMAP_SIZE, 0),
			     machine->vcpu);
	set_segments(machine);
	return true;
}

/* Until it halts. False: it did something else. */
static bool run(const struct machine *machine)
{
	struct kvm_regs regs = { .rip = CODE, .rflags = 0x202 };

	xioctl(machine->vcpu, KVM_SET_REGS, &regs);
	while (ioctl(machine->vcpu, KVM_RUN, 0) < 0) {
		if (errno == EINTR)
			continue;
		fprintf(stderr, "dirty: KVM_RUN: %s\n", strerror(errno));
		return false;
	}
	if (machine->run->exit_reason == KVM_EXIT_HLT)
		return true;
	fprintf(stderr, "dirty: an exit that it does not make: %u\n", machine->run->exit_reason);
	return false;
}

/* Read the log, which clears it. How many pages it names. */
static __u32 logged(const struct machine *machine)
{
	static __u64 bits[PAGES_MAX / 64];
	struct kvm_dirty_log log = { .slot = 1, .dirty_bitmap = bits };
	__u32 n = 0;

	memset(bits, 0, sizeof(bits));
	xioctl(machine->vm, KVM_GET_DIRTY_LOG, &log);
	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		n += (__u32)__builtin_popcountll(bits[i]);
	return n;
}

int main(int argc, char **argv)
{
	struct machine machine = { 0 };
	unsigned long rounds;
	__u32 n;

	if (argc < 3 || argc > 4 || strtoul(argv[1], NULL, 0) > PAGES_MAX) {
		fputs("usage: dirty PAGES ROUNDS [hold]\n", stderr);
		return 2;
	}
	machine.pages = (__u32)strtoul(argv[1], NULL, 0);
	rounds = strtoul(argv[2], NULL, 0);
	if (!set_up(&machine)) {
		fputs("dirty: no KVM here\n", stderr);
		return EXIT_SKIP;
	}
	for (unsigned long i = 0; i <= rounds; i++) {
		if (!run(&machine))
			return EXIT_FAILURE;
		n = logged(&machine);
		if (n == machine.pages)
			continue;
		fprintf(stderr, "dirty: the log of round %lu names %u pages\n", i, n);
		return EXIT_FAILURE;
	}
	printf("done pages=%u rounds=%lu\n", machine.pages, rounds);
	fflush(stdout);
	if (argc == 4)
		getchar();
	return 0;
}

#endif
