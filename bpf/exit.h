/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* The exit family: layouts that the BPF side and the user side share. */
#ifndef PMDAKVM_BPF_EXIT_H
#define PMDAKVM_BPF_EXIT_H

#include "vcpu_counters.h"

/*
 * The layout version of this family's pinned maps. Raise it when the meaning of what they
 * hold changes and its size does not: maps of another version are replaced, counters begin at 0.
 */
#define EXIT_LAYOUT 1

#define EXIT_SLOTS  COUNTER_SLOTS_MAX

struct exit_counters {
	struct thread_counters counters;
	struct reason_counters reason[EXIT_SLOTS];
};

_Static_assert(sizeof(struct exit_counters) + sizeof(struct thread_key) <= 6400,
	       "a vCPU takes more than the man page says");

/* Reasons that can have a histogram. Each takes EXIT_BUCKETS * 8 bytes on every possible CPU. */
#define EXIT_HISTOGRAMS 64

/* Where the reason of an exit stands, seen from struct kvm_vcpu, and the slots of its codes. */
struct exit_isa {
	__u32 isa;     /* as a cell has it */
	__s32 pointer; /* there is a pointer to what has the code; EXIT_NO_POINTER: the code itself
			*/
	__s32 code;    /* from there */
	__u32 mask;    /* of the code; 0: where it stands is not known */
	struct code_range ranges[CODE_RANGES];
};

#define EXIT_NO_POINTER 0x7fffffff

/* Set before loading. */
struct exit_setup {
	struct exit_isa vmx, svm;
	__u32 has_reasons;    /* 0: they are not to be had, and all count as "other" */
	__u32 entry_has_vcpu; /* argument 0 of kvm_entry is the vCPU */
	__u32 vm_histograms;  /* there are histograms of vCPUs */
};

#endif /* PMDAKVM_BPF_EXIT_H */
