/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Runs the clocked programs of the exit family, on vCPUs in memory that they can read. */
#ifndef PMDAKVM_TESTS_BPF_EXIT_PROGRAMS_H
#define PMDAKVM_TESTS_BPF_EXIT_PROGRAMS_H

#include "bpf/counters.h"
#include "bpf/exit.h"
#include "bpf/steps.h"

/* As the kernel's tracepoints call it. */
enum { ISA_VMX = 1, ISA_SVM = 2 };

#define VCPUS 4

/* Flags of exits_load(); 0: kvm_exit(vcpu, isa), reasons are read, kvm_entry(vcpu). */
enum {
	REASON_FIRST = 1,  /* kvm_exit(reason, vcpu, isa) */
	NO_REASONS = 2,	   /* without reading kernel memory */
	NO_ENTRY_VCPU = 4, /* kvm_entry names no vCPU */
	NO_VMX = 8,	   /* the place of Intel's reasons is not known */
	TWO_BLOCKS = 16,   /* there is room for two reasons of a vCPU */
	TYPED = 32,	   /* reads by typed loads */
	TRAP = 64,	   /* kvm_exit(ret, esr_ec, pc), kvm_entry(pc), of arm64 */
	BY_VCPU = 128,	   /* a vCPU in the guest is known by its address */
	ALONE = 256,	   /* without the families that charge records beside these */
};

/* Has this kernel typed loads? */
bool typed_loads(void);

/* Load the programs for this many records. Where they may not read kernel memory, skip the test. */
void exits_load(unsigned flags, unsigned entries);

/* The setup that these programs have; it is zeroed before. */
void exit_setup_make(unsigned flags, struct exit_setup *setup);

/* For a test's teardown. */
int exits_unload(void **state);

extern struct counter_maps exit_maps;

/* The scenarios' subject: an AMD guest with one vCPU. */
extern const struct subject exit_subject;

void clock_set(uint64_t ns);

/* The address that the events have of vCPU 0 ... VCPUS - 1. */
uint64_t vcpu_address(unsigned vcpu);

/* Have all hints lead to the record of this number. */
void hints_fill(uint32_t number);

/* Edges that found no ledger: there is room for none. */
uint64_t ledger_dropped(void);

/* Say whether the vendor's module is gone. */
void vendor_gone_set(bool gone);

/* The events, at the clock's time. */
void kvm_exit(unsigned vcpu, unsigned isa, uint32_t code);
void kvm_entry(unsigned vcpu);
/* An exit of a nested guest; that the guest which runs it gets it. */
void kvm_nested_vmexit(unsigned vcpu);
void kvm_nested_vmexit_inject(uint32_t code);

void thread_ends(void);

/* An exit of arm64: the kind, and the class, which means something if the kind is a trap. */
void kvm_exit_arm64(uint32_t ret, uint32_t esr_ec);

/* The same exit of a vCPU whose memory cannot be read. */
void kvm_exit_unreadable(void);

#endif /* PMDAKVM_TESTS_BPF_EXIT_PROGRAMS_H */
