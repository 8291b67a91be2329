/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Runs the programs of the families exit and userspace_exit, which record slow exits, with those of
 * ledger and cause; all with a clock, and a time of waiting for a CPU, that a test sets.
 */
#ifndef PMDAKVM_TESTS_BPF_SLOW_PROGRAMS_H
#define PMDAKVM_TESTS_BPF_SLOW_PROGRAMS_H

#include "bpf/counters.h"
#include "bpf/slow.h"

/* The threshold of the programs, us. */
#define SLOW_US 10
#define SLOW_NS (SLOW_US * 1000ULL)

/* Load all; there is room for so many records of slow exits. */
void slow_load(unsigned records);

/* For a test's teardown. */
int slow_unload(void **state);

/* Forget what was counted, and attach all. */
void slow_clear(void);

/* Attach or detach ledger and causes; trips: no exits are seen (PVM). Nothing is open then. */
void slow_attach(bool ledger, bool causes, bool trips);

/* Nobody records slow exits. */
void slow_detach(void);

/* The clock and what the thread has waited for a CPU until now, in ns. */
void slow_clock(uint64_t ns, uint64_t delay);

#define SVM_HLT 0x78
#define SVM_IO	0x7b
#define KVM_IO	2
#define KVM_HLT 5

void slow_run_exit(uint64_t vcpu, uint32_t code);
void slow_run_entry(uint64_t vcpu);
void slow_run_wakeup(uint64_t ns, bool waited);
void slow_run_trip(uint32_t reason);
void slow_run_return(void);
void slow_run_port(bool write, uint16_t port);

/* This thread's record; false: there is none. */
bool slow_of_thread(struct slow_record *ret_record);

/* That of a vCPU, by its address. */
bool slow_of_vcpu(uint64_t vcpu, struct slow_record *ret_record);

uint64_t slow_dropped(void);

#endif /* PMDAKVM_TESTS_BPF_SLOW_PROGRAMS_H */
