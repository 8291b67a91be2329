/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Attach programs to raw tracepoints, one each. */
#ifndef PMDAKVM_PROGRAMS_H
#define PMDAKVM_PROGRAMS_H

#include <bpf/libbpf.h>
#include <stddef.h>
#include <stdint.h>

struct program {
	const struct bpf_program *program; /* NULL: not loaded */
	const char *event;
	int link_fd; /* -1: not attached */
};

/*
 * Attach the programs that are not attached yet, in array order. Returns 0 or the first error;
 * programs attached before it stay attached.
 */
int programs_attach(struct program *programs, size_t n);

void programs_detach(struct program *programs, size_t n);

/* Sum the programs' recursion_misses: runs that the kernel skipped. 0, or -ENODATA before 5.12. */
int programs_missed(const struct program *programs, size_t n, uint64_t *ret_missed);

#endif /* PMDAKVM_PROGRAMS_H */
