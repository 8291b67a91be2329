/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Reads from BTF the argument form of the kvm_exit and kvm_entry tracepoints and the offset of the
 * exit reason in the vendor module's vCPU struct. The source, /sys/kernel/btf, is readable by
 * everybody.
 */
#ifndef PMDAKVM_EXIT_OFFSETS_H
#define PMDAKVM_EXIT_OFFSETS_H

#include <linux/types.h>
#include <stdbool.h>

#include "bpf/exit.h"
#include "kernel/kernel_types.h"

/* Argument forms of kvm_exit; each form has its own BPF program. */
enum exit_form {
	EXIT_VCPU_FIRST,   /* (vcpu, isa), since Linux 5.16 */
	EXIT_REASON_FIRST, /* (reason, vcpu, isa), before Linux 5.16 */
	EXIT_TRAP,	   /* (ret, esr_ec, pc), arm64 */
	EXIT_FORMS,
};

struct exit_layout {
	enum exit_form form;
	struct exit_setup setup;
};

/*
 * Read the types of vmlinux, kvm if it is a module, kvm_amd and kvm_intel. A vendor without
 * BTF gets no reasons; arm64 needs none. Returns 0, -ENOENT if BTF has no kvm_exit, -EINVAL if the
 * arguments of kvm_exit are unknown, or the error from reading the files. ret_layout is untouched
 * on failure.
 */
int exit_layout_read(struct kernel_types *types, struct exit_layout *ret_layout);

/*
 * The layout of a kernel whose types do not say how kvm_exit is called: before Linux 5.11, modules
 * have none. Such a kernel's kvm_exit has the reason among its arguments; EXIT_VCPU_FIRST is for
 * one where EXIT_REASON_FIRST cannot be attached, since it has fewer arguments: it has no reasons.
 * Returns 0, or an error if vmlinux has no types either, -ENOENT if this is not x86.
 */
int exit_layout_untyped(struct kernel_types *types, enum exit_form form,
			struct exit_layout *ret_layout);

/* Are both layouts the same? */
bool exit_layout_equal(const struct exit_layout *one, const struct exit_layout *other);

/* The slot ranges of a reason table, for a BPF program; codes of more than 32 bits are omitted. */
void exit_layout_ranges(unsigned isa, struct code_range ranges[CODE_RANGES]);

#endif /* PMDAKVM_EXIT_OFFSETS_H */
