/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Layouts of the exit family, shared by the BPF side and the user side. */
#ifndef PMDAKVM_BPF_EXIT_H
#define PMDAKVM_BPF_EXIT_H

#include "engine.h"
#include "slow.h"

/*
 * Layout version of this family's pinned maps. Increment it when the meaning of their contents
 * changes but not the size: maps of another version are replaced, counters restart at 0.
 */
#define EXIT_LAYOUT (ENGINE_LAYOUT << 8 | 1)

#define EXIT_SLOTS  COUNTER_SLOTS_MAX

/*
 * The last slots stand for no reason: exits of a nested guest, and those of them that are passed on
 * to the guest that runs it. They have counts alone.
 */
#define EXIT_NO_REASONS	    2
#define EXIT_SLOT_NESTED    (EXIT_SLOTS - 2)
#define EXIT_SLOT_REFLECTED (EXIT_SLOTS - 1)

/*
 * Location of the exit reason relative to struct kvm_vcpu, and the slots of its codes. Where the
 * event has the code, only the mask counts.
 */
struct exit_isa {
	__u32 isa;     /* as in struct record */
	__s32 pointer; /* offset of a pointer to the code's struct; EXIT_NO_POINTER: none */
	__s32 code;    /* offset of the code in that struct or in struct kvm_vcpu */
	__u32 mask;    /* bits of the code; 0: location unknown */
	struct code_range ranges[CODE_RANGES];
};

#define EXIT_NO_POINTER 0x7fffffff

/* In arm64's codes: set for a trap, whose exception class the lower bits are. */
#define EXIT_TRAP_CODE 0x100

/* Indexes of struct engine_control events. */
enum {
	EXIT_EVENT_EXIT,
	EXIT_EVENT_ENTRY,
	EXIT_EVENT_NESTED,
	EXIT_EVENT_REFLECTED,
};

/* Rodata, set before loading. */
struct exit_setup {
	struct exit_isa vmx, svm;
	__u32 has_reasons;    /* 0: reasons cannot be read; all exits count as "other" */
	__u32 entry_has_vcpu; /* argument 0 of kvm_entry is the vCPU */
	struct exit_isa arm64;
};

#endif /* PMDAKVM_BPF_EXIT_H */
