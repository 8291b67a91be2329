/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <pthread.h>
#include <semaphore.h>
#include <linux/kvm.h>
#include <linux/types.h>

#include "access.h"

#if defined(__x86_64__)
#define GUEST_ARCH_X86 1
#elif defined(__aarch64__)
#define GUEST_ARCH_ARM64 1
#else
#error there is no machine code for this architecture
#endif

#define EXIT_USAGE   2
#define EXIT_SKIP    77

#define MAX_VMS	     64
#define MAX_VCPUS    64
#define MAX_CPULIST  256
#define MAX_TIMES    8 /* a power of two */

#define MAX_TIMER_US 500000 /* 32 bits have as many ticks */

#define GUEST_PAGE   4096u
/* vCPU i has the page at GUEST_RAM + i * GUEST_PAGE; no memory is from GUEST_MMIO on. */
#define GUEST_RAM  0x10000u
#define GUEST_MMIO 0x80000u
#define GUEST_PORT 0xe9

/* What a programme does, in this order. */
enum guest_event {
	EV_PIO,
	EV_MMIO,
	EV_CPUID,
	EV_MSR,
	EV_HYPERCALL,
	EV_FAULT,
	EV_HLT,
	EV_SPIN,
	EV_PAUSE,
	EV_MAX
};

/* Loops of a programme: those of the events, then those of --access. */
#define MAX_LOOPS (EV_MAX + MAX_ACCESSES)

struct plan {
	__u32 count[EV_MAX];
	unsigned int nvms;
	unsigned int nvcpus; /* of each VM */
	unsigned int pause_ms;
	unsigned int ncpus; /* 0: threads are not pinned */
	__u32 cpus[MAX_CPULIST];
	bool overcommit; /* nvcpus is by the CPUs that there are */
	bool irqchip;
	bool sleep; /* nothing wakes the last HLT of --irqchip */
	__u32 timer_us[MAX_TIMES];
	unsigned int
		ntimes; /* 0: the waker ends each HLT of --irqchip; else the vCPU's own timer */
	bool xapic;	/* the local APIC of --irqchip is in memory, not in MSRs */
	bool repeat;
	bool wait;
	bool hold;
	bool flight;
	const char *stats; /* NULL: none are written */
	struct access accesses[MAX_ACCESSES];
	unsigned int naccesses;
};

/*
 * One loop of the programme, as offsets into its page: the counter is loaded
 * at start, the body is at loop, the event has happened once the instruction
 * pointer is at after, the counter goes down at dec, the next loop is at end.
 */
struct section {
	__u16 start, loop, after, dec, end;
};

struct program {
	__u8 page[GUEST_PAGE];
	struct section sect[MAX_LOOPS]; /* all 0: not in the programme */
	__u16 last;			/* where the last HLT or write leaves the pointer */
};

struct vm;

struct vcpu {
	struct vm *vm;
	unsigned int id;
	int fd;
	int stat_fd; /* the thread's /proc stat (--irqchip) */
	struct kvm_run *run;
	void *page;
	pthread_t thread;
	bool started;
	int status;		/* negative errno: the thread failed */
	__u64 round[MAX_LOOPS]; /* this round, as far as user space sees it */
	__u64 seen[MAX_LOOPS];	/* all rounds together */
	struct answered answered[MAX_ACCESSES];
	__u64 rounds; /* finished */
	__u64 wakes;  /* HLTs that the waker has ended, all rounds */
};

struct vm {
	const struct plan *plan;
	unsigned int index;
	struct program prog;
	int kvm_fd;
	int fd;
	int done_fd; /* the fleet's */
	int stop_fd; /* eventfd: readable for good once stopping */
	size_t run_size;
	__u8 *ram;
	void *touched; /* NULL: none */
	size_t touched_size;
	bool stop;
	sem_t ready;
	sem_t go;
	struct vcpu vcpus[MAX_VCPUS];
};

struct fleet {
	const struct plan *plan;
	int done_fd; /* eventfd: one count for each thread that ended */
	struct vm *vms[MAX_VMS];
};

/* ioctl() that says on stderr which one failed; 0 or more, or a negative errno. */
#define xioctl(fd, req, arg) xioctl_named(fd, req, (unsigned long)(arg), #req)
int xioctl_named(int fd, unsigned long req, unsigned long arg, const char *name);
int complain(const char *what, int err);

int options__parse(int argc, char **argv, struct plan *ret_plan);

int vm__create(const struct plan *plan, unsigned int index, int done_fd, struct vm **ret_vm);
int vm__start(struct vm *vm);
void vm__go(struct vm *vm);
void vm__stop(struct vm *vm);
int vm__join(struct vm *vm);
void vm__total(const struct vm *vm, __u64 *ret_seen, __u64 *ret_rounds);
void vm__destroy(struct vm *vm);
int vm__wake_due(struct vm *vm);
bool vm__stopping(const struct vm *vm);
int vcpu__run(struct vcpu *vcpu);

int fleet__create(const struct plan *plan, struct fleet *ret_fleet);
int fleet__start(struct fleet *fleet);
void fleet__go(struct fleet *fleet);
void fleet__stop(struct fleet *fleet);
bool fleet__stopping(const struct fleet *fleet);
int fleet__wake_due(struct fleet *fleet);
int fleet__join(struct fleet *fleet);
void fleet__total(const struct fleet *fleet, __u64 *ret_seen, __u64 *ret_rounds);
void fleet__destroy(struct fleet *fleet);

int fleet__send(struct fleet *fleet, int to);
int fleet__receive(struct fleet *fleet, int from);

unsigned int plan__loops(const struct plan *plan);
__u32 plan__count(const struct plan *plan, unsigned int loop, unsigned int vcpu);
__u64 section__done(const struct section *sect, __u32 count, __u64 at, __u32 counter);

int stats__check(const struct vm *vm);
int stats__write(const struct fleet *fleet);

/* What a machine architecture gives. */
const char *arch_lacks(const struct plan *plan);
int arch_build(const struct plan *plan, unsigned int vcpu, struct program *ret_prog);
int arch_init_vm(struct vm *vm);
int arch_init_vcpu(struct vcpu *vcpu);
int arch_restart(struct vcpu *vcpu);
int arch_where(struct vcpu *vcpu, __u64 *ret_done, bool *ret_last);
__u32 arch_hlts_begun(const struct vcpu *vcpu);
int arch_wake(struct vcpu *vcpu);

#endif
