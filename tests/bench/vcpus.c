// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "vcpus.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/types.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#define RAM_AT	  0x10000u
#define RAM_SIZE  4096u
#define SPIN_AT	  0x100 /* in RAM */
#define CPUID_AT  0x140
#define OUT_AT	  0x200
#define OUTS	  1024 /* instructions of two bytes, and a jump back */
#define LINE	  64
#define LINES_MAX (1u << 16)

static struct {
	int fd;
	struct kvm_run *run;
	bool out; /* it is in the loop of OUTs */
} vcpus[BENCH_VCPUS];

static __u8 *lines_memory;

static void die(const char *what)
{
	fprintf(stderr, "pair: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static int call(int fd, unsigned long request, unsigned long argument, const char *what)
{
	int result = ioctl(fd, request, argument);

	if (result < 0)
		die(what);
	return result;
}

static void *map(size_t size, int fd, const char *what)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, 0);

	if (memory == MAP_FAILED)
		die(what);
	return memory;
}

static long long now(clockid_t clock)
{
	struct timespec at;

	clock_gettime(clock, &at);
	return at.tv_sec * 1000000000LL + at.tv_nsec;
}

static void code_write(__u8 *ram)
{
	static const __u8 spin[] = {
		0x66, 0x4e, /* decl %esi */
		0x75, 0xfc, /* jne -4 */
		0xf4,	    /* hlt */
	};
	static const __u8 cpuid[] = {
		0x66, 0x31, 0xc0, /* xorl %eax, %eax */
		0x0f, 0xa2,	  /* cpuid */
		0x66, 0x4e,	  /* decl %esi */
		0x75, 0xf7,	  /* jne -9 */
		0xf4,		  /* hlt */
	};
	static const __u8 back[] = {
		0xe9,
		(__u8) - (OUTS * 2 + 3),
		(__u8)(-(OUTS * 2 + 3) >> 8),
	};

	memcpy(ram + SPIN_AT, spin, sizeof(spin));
	memcpy(ram + CPUID_AT, cpuid, sizeof(cpuid));
	for (unsigned i = 0; i < OUTS; i++) {
		ram[OUT_AT + 2 * i] = 0xe6; /* outb %al, $0xe9 */
		ram[OUT_AT + 2 * i + 1] = 0xe9;
	}
	memcpy(ram + OUT_AT + OUTS * 2, back, sizeof(back));
}

static void segment_set(struct kvm_segment *segment)
{
	segment->base = RAM_AT;
	segment->selector = RAM_AT >> 4;
	segment->limit = 0xffff;
}

static void vcpu_make(int kvm, int vm, unsigned number)
{
	int size = call(kvm, KVM_GET_VCPU_MMAP_SIZE, 0, "KVM_GET_VCPU_MMAP_SIZE");
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entries[256];
	} *cpuid = calloc(1, sizeof(*cpuid));
	struct kvm_sregs sregs;
	int fd = call(vm, KVM_CREATE_VCPU, number, "KVM_CREATE_VCPU");

	if (!cpuid)
		die("memory");
	cpuid->head.nent = 256;
	call(kvm, KVM_GET_SUPPORTED_CPUID, (unsigned long)cpuid, "KVM_GET_SUPPORTED_CPUID");
	call(fd, KVM_SET_CPUID2, (unsigned long)cpuid, "KVM_SET_CPUID2");
	free(cpuid);
	call(fd, KVM_GET_SREGS, (unsigned long)&sregs, "KVM_GET_SREGS");
	segment_set(&sregs.cs);
	segment_set(&sregs.ds);
	segment_set(&sregs.ss);
	segment_set(&sregs.es);
	call(fd, KVM_SET_SREGS, (unsigned long)&sregs, "KVM_SET_SREGS");
	vcpus[number].fd = fd;
	vcpus[number].run = map((size_t)size, fd, "the vCPU's page");
}

void vcpus_make(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm;
	__u8 *ram = map(RAM_SIZE, -1, "the guest's memory");
	struct kvm_userspace_memory_region region = {
		.guest_phys_addr = RAM_AT,
		.memory_size = RAM_SIZE,
		.userspace_addr = (unsigned long)ram,
	};

	if (kvm < 0)
		die("/dev/kvm");
	code_write(ram);
	vm = call(kvm, KVM_CREATE_VM, 0, "KVM_CREATE_VM");
	call(vm, KVM_SET_USER_MEMORY_REGION, (unsigned long)&region, "the guest's memory");
	for (unsigned i = 0; i < BENCH_VCPUS; i++)
		vcpu_make(kvm, vm, i);
	lines_memory = map((size_t)LINES_MAX * LINE, -1, "the lines to read");
	memset(lines_memory, 1, (size_t)LINES_MAX * LINE);
}

/* Start a loop; what the vCPU has to finish of the last one must not move it again. */
static void registers_set(unsigned vcpu, __u64 at, __u64 rsi)
{
	struct kvm_regs regs = { .rip = at, .rsi = rsi, .rsp = 0x80, .rflags = 2 };

	if (vcpus[vcpu].out) {
		vcpus[vcpu].run->immediate_exit = 1;
		ioctl(vcpus[vcpu].fd, KVM_RUN, 0);
		vcpus[vcpu].run->immediate_exit = 0;
	}
	vcpus[vcpu].out = at == OUT_AT;
	call(vcpus[vcpu].fd, KVM_SET_REGS, (unsigned long)&regs, "KVM_SET_REGS");
}

static void enter(unsigned vcpu, __u32 reason)
{
	while (ioctl(vcpus[vcpu].fd, KVM_RUN, 0) < 0) {
		if (errno != EINTR && errno != EAGAIN)
			die("KVM_RUN");
	}
	if (vcpus[vcpu].run->exit_reason == reason)
		return;
	fprintf(stderr, "pair: the guest ended with exit reason %u, not %u\n",
		vcpus[vcpu].run->exit_reason, reason);
	exit(EXIT_FAILURE);
}

double vcpus_spin(unsigned vcpu, unsigned turns, bool cpuid)
{
	long long start;

	registers_set(vcpu, cpuid ? CPUID_AT : SPIN_AT, turns);
	start = now(CLOCK_THREAD_CPUTIME_ID);
	enter(vcpu, KVM_EXIT_HLT);
	return (double)(now(CLOCK_THREAD_CPUTIME_ID) - start);
}

static unsigned lines_read(unsigned lines)
{
	const volatile __u8 *memory = lines_memory;
	unsigned sum = 0;

	for (unsigned i = 0; i < lines; i++)
		sum += memory[(size_t)(i % LINES_MAX) * LINE];
	return sum;
}

static int order(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

double vcpus_out(unsigned n, unsigned runs, unsigned lines)
{
	double *took = calloc(runs, sizeof(*took)), median;

	if (!took)
		die("memory");
	for (unsigned i = 0; i < runs; i++) {
		unsigned vcpu = i % n;
		long long start;

		if (!vcpus[vcpu].out)
			registers_set(vcpu, OUT_AT, 0);
		lines_read(lines);
		start = now(CLOCK_MONOTONIC);
		enter(vcpu, KVM_EXIT_IO);
		took[i] = (double)(now(CLOCK_MONOTONIC) - start);
	}
	qsort(took, runs, sizeof(*took), order);
	median = took[runs / 2];
	free(took);
	return median;
}
