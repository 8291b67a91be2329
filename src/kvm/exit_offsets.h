/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * What this kernel's kvm_exit and kvm_entry have as arguments, and where the reason of an
 * exit stands in the vendor module's struct: read from the kernel's type information (BTF),
 * as /sys/kernel/btf has it for everybody.
 */
#ifndef PMDAKVM_EXIT_LAYOUT_H
#define PMDAKVM_EXIT_LAYOUT_H

#include <linux/types.h>
#include <stdbool.h>

#include "bpf/exit.h"

/* The arguments of kvm_exit; each form has a program of its own. */
enum exit_form {
	EXIT_VCPU_FIRST,   /* (vcpu, isa), from Linux 5.16 on */
	EXIT_REASON_FIRST, /* (reason, vcpu, isa), before */
	EXIT_FORMS,
};

struct exit_layout {
	enum exit_form form;
	struct exit_setup setup;
};

/*
 * Read the type information in btf_dir: vmlinux, kvm where it is a module, kvm_amd and
 * kvm_intel. Where there is none of a vendor's the layout has no reasons. Returns 0, -ENOENT
 * if there is no kvm_exit in it, -EINVAL if that is not as known, or the error of reading.
 * ret_layout is untouched on failure.
 */
int exit_layout_read(const char *btf_dir, struct exit_layout *ret_layout);

/* Are they the same? */
bool exit_layout_equal(const struct exit_layout *one, const struct exit_layout *other);

/* The slots of a table of reasons, for a BPF program; codes of more than 32 bits are left out. */
void exit_layout_ranges(unsigned isa, struct code_range ranges[CODE_RANGES]);

#endif /* PMDAKVM_EXIT_LAYOUT_H */
