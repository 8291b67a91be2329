/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Runs the clocked programs of before the engine (tests/bench/old), whose headers have the names of
 * today's.
 */
#ifndef PMDAKVM_TESTS_BPF_OLD_EXIT_H
#define PMDAKVM_TESTS_BPF_OLD_EXIT_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What they have counted of a slot, over all threads; of the epoch. */
struct old_sums {
	uint64_t count, time, max;
	uint64_t overflow; /* found no room, on all CPUs */
	uint64_t bucket[32];
};

/* setup begins as theirs does, and has this size. Returns 0 or an error. */
int old_exits_load(const void *setup, size_t size, bool reason_first, uint32_t limit);
void old_exits_unload(void);

void old_clock_set(uint64_t ns);
void old_control_set(uint32_t generation, uint32_t epoch);

/* The programs of kvm_exit and kvm_entry. */
int old_exit_program(void);
int old_entry_program(void);

void old_sums_read(unsigned slot, uint32_t epoch, struct old_sums *ret_sums);
uint64_t old_guest_time(void);

#endif /* PMDAKVM_TESTS_BPF_OLD_EXIT_H */
