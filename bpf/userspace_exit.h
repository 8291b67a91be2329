/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Layouts of the userspace_exit family, shared by the BPF side and the user side. */
#ifndef PMDAKVM_BPF_USERSPACE_EXIT_H
#define PMDAKVM_BPF_USERSPACE_EXIT_H

#include "engine.h"
#include "slow.h"

/*
 * Layout version of this family's pinned maps. Increment it when the meaning of their contents
 * changes but not the size: maps of another version are replaced, counters restart at 0.
 */
#define USERSPACE_EXIT_LAYOUT (ENGINE_LAYOUT << 8 | 1)

#define USERSPACE_EXIT_SLOTS  80

/* Index of struct engine_control events. */
enum { USERSPACE_EXIT_EVENT_EXIT };

/* Records of events, as tracefs describes them: events/kvm/NAME/format. */
struct userspace_exit_record { /* kvm_userspace_exit */
	__u64 common;
	__u32 reason;
	__s32 error; /* errno there */
};

struct fpu_record { /* kvm_fpu */
	__u64 common;
	__u32 load;
};

/* Rodata, set before loading. */
struct userspace_exit_setup {
	__u32 restart, error; /* slots for KVM_RUN errors: EINTR, any other */
	struct code_range ranges[CODE_RANGES];
};

#endif /* PMDAKVM_BPF_USERSPACE_EXIT_H */
