/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Runs the programs of the cause family, with the clocked ones of exit and userspace_exit, which
 * charge its records.
 */
#ifndef PMDAKVM_TESTS_BPF_CAUSE_PROGRAMS_H
#define PMDAKVM_TESTS_BPF_CAUSE_PROGRAMS_H

#include "bpf/cause.h"
#include "bpf/counters.h"

/* Addresses of vCPUs; nothing reads there. */
#define VCPU(n) (0xffff888000001000ULL + 0x1000ULL * (n))

/* Load all; there is room for so many records of causes. */
void causes_load(unsigned records);

/* For a test's teardown. */
int causes_unload(void **state);

/* Forget what was counted. */
void causes_clear(void);

/* As after a detach: open exits and trips are void. */
void causes_attach(void);

/* The flag: whether exit and userspace_exit charge the records, and those for perf count. */
void causes_switch(bool on);

/* Accesses are counted by the programs for perf from now on, until all are unloaded. */
void causes_by_perf(void);

/* The events, at a time in ns. */
void causes_clock(uint64_t ns);
void vcpu_exits(uint64_t vcpu);
void vcpu_enters(uint64_t vcpu);
void vmm_begins(void);
void vmm_ends(void);

enum access {
	PIO_READ,
	PIO_WRITE,
	MMIO_WAITS, /* a read without its value yet */
	MMIO_READ,
	MMIO_WRITE,
	FAST_MMIO,
	MSR_READ,
	MSR_WRITE,
	CPUID,
	HYPERCALL,
	HV_HYPERCALL,
	CR_READ,
	CR_WRITE,
	APIC_READ,
	APIC_WRITE,
	SYSREG, /* the number is a syndrome of arm64 */
	HVC,
	ACCESSES
};

void guest_accesses(enum access access, uint64_t number);

/* What is counted of a key, over all records; of CAUSE_NONE and CAUSE_OTHER, too. */
struct cause_counts causes_of(uint64_t key);

/* That of the record of a vCPU, or of the thread if it is 0; fails if there is none. */
struct cause_counts causes_of_vcpu(uint64_t vcpu, uint64_t key);

/* Over all keys, none and other. */
struct cause_counts causes_sum(void);

void causes_add(struct cause_counts *to, const struct cause_counts *from);

/* What found no record, over all CPUs. */
struct cause_counts causes_nowhere(void);

/* Counts and times of all exits, and of all trips, as exit and userspace_exit have them. */
struct counted causes_exits(void);
struct counted causes_trips(void);

#endif /* PMDAKVM_TESTS_BPF_CAUSE_PROGRAMS_H */
