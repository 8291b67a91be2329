/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* The virtual machine: its memory, its vCPUs and their threads. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest.h"

int complain(const char *what, int err)
{
	fprintf(stderr, "guest: %s: %s (errno %d)\n", what, strerror(err), err);
	return -err;
}

int xioctl_named(int fd, unsigned long req, unsigned long arg, const char *name)
{
	int ret = ioctl(fd, req, arg);

	return ret < 0 ? complain(name, errno) : ret;
}

/* Returns -ENODEV where there is no KVM that we could use. */
static int open_kvm(struct vm *vm)
{
	int ret;

	vm->kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (vm->kvm_fd < 0) {
		complain("open /dev/kvm", errno);
		return -ENODEV;
	}
	ret = xioctl(vm->kvm_fd, KVM_GET_API_VERSION, 0);
	if (ret != KVM_API_VERSION) {
		if (ret >= 0)
			fprintf(stderr, "guest: /dev/kvm: API version %d, need %d\n", ret,
				KVM_API_VERSION);
		return -ENODEV;
	}
	vm->fd = xioctl(vm->kvm_fd, KVM_CREATE_VM, 0);
	return vm->fd < 0 ? -ENODEV : 0;
}

static int add_ram(struct vm *vm)
{
	size_t size = (size_t)vm->plan->nvcpus * GUEST_PAGE;
	struct kvm_userspace_memory_region slot = {
		.guest_phys_addr = GUEST_RAM,
		.memory_size = size,
	};
	void *ram;
	unsigned int i;
	int ret;

	ram = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (ram == MAP_FAILED)
		return complain("mmap guest memory", errno);
	vm->ram = ram;
	for (i = 0; i < vm->plan->nvcpus; i++) {
		/* the same to the byte, but for the counts */
		ret = arch_build(vm->plan, i, &vm->prog);
		if (ret)
			return ret;
		memcpy(vm->ram + i * GUEST_PAGE, vm->prog.page, GUEST_PAGE);
	}
	slot.userspace_addr = (unsigned long)ram;
	return xioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &slot);
}

static int add_vcpu(struct vm *vm, unsigned int id)
{
	struct vcpu *vcpu = &vm->vcpus[id];
	void *run;

	vcpu->vm = vm;
	vcpu->id = id;
	vcpu->page = vm->ram + id * GUEST_PAGE;
	vcpu->fd = xioctl(vm->fd, KVM_CREATE_VCPU, id);
	if (vcpu->fd < 0)
		return vcpu->fd;
	run = mmap(NULL, vm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (run == MAP_FAILED)
		return complain("mmap vcpu", errno);
	vcpu->run = run;
	return arch_init_vcpu(vcpu);
}

static int set_up(struct vm *vm)
{
	unsigned int i;
	int ret;

	ret = open_kvm(vm);
	if (ret)
		return ret;
	vm->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (vm->stop_fd < 0)
		return complain("eventfd", errno);
	ret = arch_init_vm(vm);
	if (ret)
		return ret;
	ret = add_ram(vm);
	if (ret)
		return ret;
	ret = xioctl(vm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (ret < 0)
		return ret;
	vm->run_size = (size_t)ret;
	for (ret = 0, i = 0; i < vm->plan->nvcpus && !ret; i++)
		ret = add_vcpu(vm, i);
	return ret;
}

/* -ENODEV: no usable KVM here, already said on stderr. */
int vm__create(const struct plan *plan, unsigned int index, int done_fd, struct vm **ret_vm)
{
	struct vm *vm = calloc(1, sizeof(*vm));
	unsigned int i;
	int err;

	if (!vm)
		return complain("calloc", ENOMEM);
	vm->plan = plan;
	vm->index = index;
	vm->done_fd = done_fd;
	vm->kvm_fd = vm->fd = vm->stop_fd = -1;
	for (i = 0; i < MAX_VCPUS; i++)
		vm->vcpus[i].fd = vm->vcpus[i].stat_fd = -1;
	sem_init(&vm->ready, 0, 0);
	sem_init(&vm->go, 0, 0);
	err = set_up(vm);
	if (err) {
		vm__destroy(vm);
		return err;
	}
	*ret_vm = vm;
	return 0;
}

static void on_kick(int sig)
{
	(void)sig; /* its arrival is all: KVM_RUN returns EINTR */
}

static int pin(const struct vcpu *vcpu)
{
	const struct plan *plan = vcpu->vm->plan;
	cpu_set_t set;
	__u32 cpu;

	if (!plan->ncpus)
		return 0;
	cpu = plan->cpus[(vcpu->vm->index * plan->nvcpus + vcpu->id) % plan->ncpus];
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (!sched_setaffinity(0, sizeof(set), &set))
		return 0;
	fprintf(stderr, "guest: vcpu %u cannot run on CPU %u\n", vcpu->id, cpu);
	return complain("sched_setaffinity", errno);
}

static int open_stat(struct vcpu *vcpu)
{
	vcpu->stat_fd = open("/proc/thread-self/stat", O_RDONLY | O_CLOEXEC);
	return vcpu->stat_fd < 0 ? complain("open /proc/thread-self/stat", errno) : 0;
}

static void *vcpu_thread(void *arg)
{
	struct vcpu *vcpu = arg;
	struct vm *vm = vcpu->vm;
	__u64 one = 1;
	char name[16];

	snprintf(name, sizeof(name), "CPU %u/KVM", vcpu->id);
	pthread_setname_np(pthread_self(), name);
	vcpu->status = pin(vcpu);
	if (!vcpu->status && vm->plan->irqchip)
		vcpu->status = open_stat(vcpu);
	sem_post(&vm->ready);
	sem_wait(&vm->go);
	if (!vcpu->status)
		vcpu->status = vcpu__run(vcpu);
	if (vcpu->status)
		vm__stop(vm);
	if (write(vm->done_fd, &one, sizeof(one)) != sizeof(one))
		abort();
	return NULL;
}

/* Threads exist and are pinned when this returns, and wait for vm__go(). */
int vm__start(struct vm *vm)
{
	struct sigaction kick = { .sa_handler = on_kick };
	unsigned int i;
	int err;

	sigaction(SIGUSR1, &kick, NULL);
	for (i = 0; i < vm->plan->nvcpus; i++) {
		err = pthread_create(&vm->vcpus[i].thread, NULL, vcpu_thread, &vm->vcpus[i]);
		if (err)
			return complain("pthread_create", err);
		vm->vcpus[i].started = true;
		sem_wait(&vm->ready);
		if (vm->vcpus[i].status)
			return vm->vcpus[i].status;
	}
	return 0;
}

void vm__go(struct vm *vm)
{
	unsigned int i;

	for (i = 0; i < vm->plan->nvcpus; i++)
		sem_post(&vm->go);
}

bool vm__stopping(const struct vm *vm)
{
	return __atomic_load_n(&vm->stop, __ATOMIC_ACQUIRE);
}

/* Every vCPU leaves KVM_RUN, now or as soon as it enters; any thread may call it. */
void vm__stop(struct vm *vm)
{
	__u64 one = 1;
	unsigned int i;

	__atomic_store_n(&vm->stop, true, __ATOMIC_RELEASE);
	for (i = 0; i < vm->plan->nvcpus; i++) {
		struct vcpu *vcpu = &vm->vcpus[i];

		if (!vcpu->started)
			continue;
		__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
		pthread_kill(vcpu->thread, SIGUSR1);
	}
	if (vm->stop_fd >= 0 && write(vm->stop_fd, &one, sizeof(one)) != sizeof(one))
		abort();
}

/*
 * Whether the thread sleeps, which in KVM_RUN means that it is halted for good:
 * it runs while the guest does, and while KVM polls before it sleeps.
 */
static bool asleep(const struct vcpu *vcpu)
{
	char text[64];
	const char *end;
	ssize_t n;

	n = pread(vcpu->stat_fd, text, sizeof(text) - 1, 0);
	if (n <= 0)
		return false;
	text[n] = '\0';
	end = strrchr(text, ')'); /* "TID (NAME) STATE ..." */
	return end && !strncmp(end, ") S", 3);
}

/*
 * With an in-kernel interrupt controller a HLT sleeps in the kernel. The guest
 * counts each in its memory first; this gives each one interrupt, and gets the
 * vCPU out of the last HLT by a signal. Either waits until the thread sleeps: an
 * interrupt that came before the HLT would leave none to end it. (sti next to hlt
 * is no help where QEMU does without KVM: it was seen to let interrupts in between.)
 * The guest's count and the wakes go on from round to round.
 */
int vm__wake_due(struct vm *vm)
{
	__u64 per_round = vm->plan->ntimes ? 1 : (__u64)vm->plan->count[EV_HLT] + 1;
	unsigned int i;
	int err;

	for (i = 0; i < vm->plan->nvcpus; i++) {
		struct vcpu *vcpu = &vm->vcpus[i];

		if (arch_hlts_begun(vcpu) == (__u32)vcpu->wakes || !asleep(vcpu))
			continue;
		vcpu->wakes++;
		if (vcpu->wakes % per_round == 0) {
			if (!vm->plan->sleep)
				pthread_kill(vcpu->thread, SIGUSR1);
			continue;
		}
		err = arch_wake(vcpu);
		if (err)
			return err;
	}
	return 0;
}

/* All threads end; the first one's negative errno, if any failed. */
int vm__join(struct vm *vm)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < vm->plan->nvcpus; i++) {
		if (!vm->vcpus[i].started)
			continue;
		pthread_join(vm->vcpus[i].thread, NULL);
		vm->vcpus[i].started = false;
		if (!err)
			err = vm->vcpus[i].status;
	}
	return err;
}

/* For use after vm__join(): ret_seen has EV_MAX sums over all vCPUs. */
void vm__total(const struct vm *vm, __u64 *ret_seen, __u64 *ret_rounds)
{
	unsigned int i;
	int ev;

	memset(ret_seen, 0, EV_MAX * sizeof(*ret_seen));
	*ret_rounds = 0;
	for (i = 0; i < vm->plan->nvcpus; i++) {
		for (ev = 0; ev < EV_MAX; ev++)
			ret_seen[ev] += vm->vcpus[i].seen[ev];
		*ret_rounds += vm->vcpus[i].rounds;
	}
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void vm__destroy(struct vm *vm)
{
	unsigned int i;

	if (!vm)
		return;
	vm__stop(vm);
	vm__go(vm);
	vm__join(vm);
	for (i = 0; i < vm->plan->nvcpus; i++) {
		if (vm->vcpus[i].run)
			munmap(vm->vcpus[i].run, vm->run_size);
		close_fd(vm->vcpus[i].fd);
		close_fd(vm->vcpus[i].stat_fd);
	}
	close_fd(vm->fd);
	close_fd(vm->kvm_fd);
	close_fd(vm->stop_fd);
	if (vm->ram)
		munmap(vm->ram, (size_t)vm->plan->nvcpus * GUEST_PAGE);
	if (vm->touched)
		munmap(vm->touched, vm->touched_size);
	sem_destroy(&vm->ready);
	sem_destroy(&vm->go);
	free(vm);
}
