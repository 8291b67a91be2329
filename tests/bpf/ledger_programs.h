/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Runs the programs of the ledger family, with those of exit and userspace_exit, which write its
 * records; all with a clock, and a time of waiting for a CPU, that a test sets.
 */
#ifndef PMDAKVM_TESTS_BPF_LEDGER_PROGRAMS_H
#define PMDAKVM_TESTS_BPF_LEDGER_PROGRAMS_H

#include "bpf/counters.h"
#include "bpf/ledger.h"

/* Load all; there is room for so many ledgers. typed: by typed loads; false: this kernel has none.
 */
bool ledgers_load(unsigned records, bool typed);

/* For a test's teardown. */
int ledgers_unload(void **state);

/* Forget what was counted. */
void ledgers_clear(void);

/* As after attaching: in_run is the state of threads in KVM_RUN out of the guest. */
void ledgers_attach(enum ledger_state in_run);
void ledgers_detach(void);

/* The place of KVM's statistics of polling is known. */
void ledgers_know_polls(bool know);

/* The clock and what the thread has waited for a CPU until now, in ns. */
void ledgers_clock(uint64_t ns, uint64_t delay);

/* What KVM has counted for vCPU(0), in ns. */
void kvm_polled(uint64_t success, uint64_t failure);

/* The same of how often it has polled. */
void kvm_attempted(uint64_t n);

/* The place of vCPU(0)'s number and of its TSC's rate is known; 0: it is not. */
void ledgers_know_tsc(uint32_t vcpu_id, uint32_t khz);

/* Addresses of vCPUs; only that of the first can be read. */
uint64_t ledgers_vcpu(unsigned n);

void run_exit(uint64_t vcpu, uint32_t code);
void run_entry(uint64_t vcpu);
void run_wakeup(uint64_t ns, bool waited);
void run_timer(uint32_t vcpu_id, int64_t cycles);
void run_trip(void);
void run_return(void);

#define SVM_HLT 0x78
#define SVM_IO	0x7b

/* This thread's ledger, or that of a vCPU's thread; fails if there is none. */
struct ledger_record ledger_of_thread(void);
struct ledger_record ledger_of_vcpu(uint64_t vcpu);

/* The user side's flag. */
uint32_t ledgers_flag(void);

/* How many records were taken since loading. */
uint32_t ledgers_taken(void);

/* What found no record, over all CPUs. */
uint64_t ledgers_dropped(void);

#endif /* PMDAKVM_TESTS_BPF_LEDGER_PROGRAMS_H */
