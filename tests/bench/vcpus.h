/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* vCPUs of a real-mode guest that fire one tracepoint often, for tests/bench/pair.c. */
#ifndef BENCH_VCPUS_H
#define BENCH_VCPUS_H

#include <stdbool.h>

#define BENCH_VCPUS 3

/* Make one VM with BENCH_VCPUS vCPUs. Ends the program if that fails. */
void vcpus_make(void);

/*
 * Let a vCPU run a loop of this many turns, each of two instructions, or with cpuid of a CPUID.
 * Returns the calling thread's CPU time in ns.
 */
double vcpus_spin(unsigned vcpu, unsigned turns, bool cpuid);

/*
 * Enter the guest runs times, the first n vCPUs in turn, for one OUT each, after reading this many
 * cache lines. Returns the median time of an entry in ns.
 */
double vcpus_out(unsigned n, unsigned runs, unsigned lines);

#endif /* BENCH_VCPUS_H */
