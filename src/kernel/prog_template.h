/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * One BPF program per tracepoint, all copies of one template that differ in one
 * number. Loading copies takes a seventh of what opening an object for each
 * would take, and one program per tracepoint is what makes "which event" known
 * at no cost while it runs.
 */
#ifndef PMDAKVM_TEMPLATE_H
#define PMDAKVM_TEMPLATE_H

#include <bpf/bpf.h>
#include <stddef.h>
#include <stdint.h>

struct template
{
	struct bpf_insn *insns;
	size_t ninsns;
	size_t mark; /* which of them moves the number into a register */
};

/*
 * Take a copy of a program's instructions and find the one that moves the value
 * mark into a register. Returns 0, -EINVAL if there is not exactly one, -ENOMEM.
 */
int template_init(const struct bpf_insn *insns, size_t ninsns, int32_t mark,
		  struct template *ret_template);

/*
 * Load a copy with the number in the mark's place, as a raw tracepoint program
 * called after the event. Returns its descriptor, for the caller to close and to
 * attach with bpf_raw_tracepoint_open, or the kernel's error.
 */
int template_load(const struct template *template, int32_t number, const char *event);

void template_free(struct template *template);

#endif /* PMDAKVM_TEMPLATE_H */
