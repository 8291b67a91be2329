/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Programs of one object, each at a raw tracepoint of its own. */
#ifndef PMDAKVM_PROGRAMS_H
#define PMDAKVM_PROGRAMS_H

#include <bpf/libbpf.h>
#include <stddef.h>
#include <stdint.h>

struct program {
	const char *name;
	const char *event;
	int link_fd; /* -1: not attached */
};

/*
 * Attach those that are not attached yet, in their order. 0, or what the first that fails
 * gave; those before it stay attached.
 */
int programs_attach(const struct bpf_object *object, struct program *programs, size_t n);

/* Detach all. */
void programs_detach(struct program *programs, size_t n);

/* Runs that the kernel skipped, over all. 0, or -ENODATA before Linux 5.12. */
int programs_missed(const struct bpf_object *object, const struct program *programs, size_t n,
		    uint64_t *ret_missed);

#endif /* PMDAKVM_PROGRAMS_H */
