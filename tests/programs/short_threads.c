// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* A VM whose vCPUs are run by one short-lived thread after the other: see --help. x86 only. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXIT_USAGE 2
#define EXIT_SKIP  77
#define MAX_VCPUS  64
#define STACK	   (64 << 10) /* bytes of a thread's */
#define CODE	   0x1000     /* where the guest's code is, in its only two pages */

static const char usage[] =
	"Usage: short_threads THREADS [VCPUS]\n"
	"Run each of VCPUS vCPUs (default 1, at most 64) of one VM by THREADS threads, one after the other. Each\n"
	"thread runs it until one OUT comes to user space, and ends: one kvm_userspace_exit of reason IO for\n"
	"each thread. Then print \"done\" and hold the VM until standard input ends.\n"
	"Exit status: 0 success, 1 failure, 2 bad usage, 77 no KVM.\n";

struct vcpu {
	pthread_t keeper; /* starts one thread after the other, and waits for it */
	int fd;
	const struct kvm_run *run;
	unsigned long threads;
};

static void fail(const char *what)
{
	fprintf(stderr, "short_threads: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

/* ioctl(), which must not fail. */
static int must(int fd, unsigned long request, void *arg, const char *what)
{
	int ret = ioctl(fd, request, arg);

	if (ret < 0)
		fail(what);
	return ret;
}

static void *must_map(size_t size, int fd, const char *what)
{
	int flags = MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0);
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (memory == MAP_FAILED)
		fail(what);
	return memory;
}

/* A thread's whole life. */
static void *run_once(void *arg)
{
	const struct vcpu *vcpu = arg;

	must(vcpu->fd, KVM_RUN, NULL, "KVM_RUN");
	if (vcpu->run->exit_reason != KVM_EXIT_IO) {
		fprintf(stderr, "short_threads: exit reason %u\n", vcpu->run->exit_reason);
		exit(EXIT_FAILURE);
	}
	return NULL;
}

static void *keep(void *arg)
{
	struct vcpu *vcpu = arg;
	pthread_attr_t small;
	pthread_t thread;

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, STACK);
	for (unsigned long i = 0; i < vcpu->threads; i++) {
		errno = pthread_create(&thread, &small, run_once, vcpu);
		if (errno)
			fail("pthread_create");
		pthread_join(thread, NULL);
	}
	pthread_attr_destroy(&small);
	return NULL;
}

/* In real mode, for ever: out 0xe9, al. */
static void vm_make(int vm)
{
	static const unsigned char code[] = { 0xe6, 0xe9, 0xeb, 0xfc };
	struct kvm_userspace_memory_region region = { .memory_size = 2 * CODE };
	unsigned char *memory = must_map(2 * CODE, -1, "mmap");

	memcpy(memory + CODE, code, sizeof(code));
	region.userspace_addr = (unsigned long)memory;
	must(vm, KVM_SET_USER_MEMORY_REGION, &region, "KVM_SET_USER_MEMORY_REGION");
}

static void vcpu_make(struct vcpu *vcpu, int kvm, int vm, unsigned long number)
{
	int size = must(kvm, KVM_GET_VCPU_MMAP_SIZE, NULL, "KVM_GET_VCPU_MMAP_SIZE");
	struct kvm_regs regs = { .rip = CODE, .rflags = 2 };
	struct kvm_sregs sregs;

	vcpu->fd = must(vm, KVM_CREATE_VCPU, (void *)number, "KVM_CREATE_VCPU");
	vcpu->run = must_map((size_t)size, vcpu->fd, "mmap of a vCPU");
	must(vcpu->fd, KVM_GET_SREGS, &sregs, "KVM_GET_SREGS");
	sregs.cs.base = sregs.cs.selector = 0;
	must(vcpu->fd, KVM_SET_SREGS, &sregs, "KVM_SET_SREGS");
	must(vcpu->fd, KVM_SET_REGS, &regs, "KVM_SET_REGS");
}

int main(int argc, char **argv)
{
	unsigned long threads = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
	unsigned long n = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
	struct vcpu vcpus[MAX_VCPUS];
	int kvm, vm;
	char byte;

	if (argc > 3 || !threads || !n || n > MAX_VCPUS) {
		fputs(usage, argc == 2 && !strcmp(argv[1], "--help") ? stdout : stderr);
		return argc == 2 && !strcmp(argv[1], "--help") ? EXIT_SUCCESS : EXIT_USAGE;
	}
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0) {
		perror("short_threads: /dev/kvm");
		return EXIT_SKIP;
	}
	vm = must(kvm, KVM_CREATE_VM, NULL, "KVM_CREATE_VM");
	vm_make(vm);
	for (unsigned long i = 0; i < n; i++) {
		vcpus[i].threads = threads;
		vcpu_make(&vcpus[i], kvm, vm, i);
	}
	for (unsigned long i = 0; i < n; i++) {
		errno = pthread_create(&vcpus[i].keeper, NULL, keep, &vcpus[i]);
		if (errno)
			fail("pthread_create");
	}
	for (unsigned long i = 0; i < n; i++)
		pthread_join(vcpus[i].keeper, NULL);
	puts("done");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	return EXIT_SUCCESS;
}
