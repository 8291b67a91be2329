/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Attach programs to tracepoints, one each: raw, or by perf where events would be missed else. */
#ifndef PMDAKVM_PROGRAMS_H
#define PMDAKVM_PROGRAMS_H

#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/config.h"
#include "kvm/classic_events.h"
#include "kvm/tracepoints.h"

struct program {
	const struct bpf_program *program; /* of the raw tracepoint; NULL: not loaded */
	const char *event;
	int link_fd;			   /* -1: not attached */
	const struct bpf_program *classic; /* the same for perf; NULL: not loaded */
	const struct record_field *fields; /* that it reads */
	bool by_perf;			   /* the link is perf's */
	uint64_t closing;		   /* an earlier one, for late_close_take(); 0: none */
};

/* A program of a raw tracepoint alone. */
#define PROGRAM(of, at) ((struct program){ .program = (of), .event = (at), .link_fd = -1 })

/*
 * Attach the programs that are not attached yet, in array order. Returns 0 or the first error;
 * programs attached before it stay attached.
 */
int programs_attach(struct program *programs, size_t n, struct classic_events *classic);

/* Those attached by perf may run for some seconds more. */
void programs_detach(struct program *programs, size_t n, struct classic_events *classic);

/* The descriptor of the program that is attached, or was last. */
int program_fd(const struct program *program);

/*
 * Sum up how often the kernel has not run them since they were loaded, with a system call for each.
 * 0, or -ENODATA before Linux 5.12.
 */
int programs_missed(const struct program *programs, size_t n, uint64_t *ret_missed);

/* Why programs_attach() has failed with this error. The caller frees the text; NULL: no memory. */
char *programs_refusal(int err, const struct events *events, const struct config *config);

#endif /* PMDAKVM_PROGRAMS_H */
