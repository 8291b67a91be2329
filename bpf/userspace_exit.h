/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* The userspace_exit family: layouts that the BPF side and the user side share. */
#ifndef PMDAKVM_BPF_USERSPACE_EXIT_H
#define PMDAKVM_BPF_USERSPACE_EXIT_H

#include "vcpu_counters.h"

/*
 * The layout version of this family's pinned maps. Raise it when the meaning of what they
 * hold changes and its size does not: maps of another version are replaced, counters begin at 0.
 */
#define USERSPACE_EXIT_LAYOUT 1

#define USERSPACE_EXIT_SLOTS  80

struct userspace_exit_counters {
	struct thread_counters counters;
	struct reason_counters reason[USERSPACE_EXIT_SLOTS];
};

_Static_assert(sizeof(struct userspace_exit_counters) + sizeof(struct thread_key) <= 2048,
	       "a vCPU takes more than the man page says");

struct userspace_exit_setup {
	__u32 restart, error; /* slots of KVM_RUN's errors */
	struct code_range ranges[CODE_RANGES];
};

#endif /* PMDAKVM_BPF_USERSPACE_EXIT_H */
