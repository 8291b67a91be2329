/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Why the kernel refuses bpf(): what is known of this process and host, and a table of causes. */
#ifndef PMDAKVM_REFUSAL_H
#define PMDAKVM_REFUSAL_H

#include <stdbool.h>
#include <stdint.h>

#define REFUSAL_MODULES 128

struct refusal {
	int err;	     /* negative errno of bpf() */
	const char *missing; /* capabilities, see privs_missing() */
	bool filtered;	     /* a seccomp filter answers bpf(), not the kernel */
	bool other_users;    /* the user namespace is not the host's */
	bool confidential;   /* lockdown mode */
	bool limited;	     /* maps and programs count against RLIMIT_MEMLOCK, and it is finite */
	uint64_t limit;	     /* RLIMIT_MEMLOCK, in KiB */
	char modules[REFUSAL_MODULES]; /* security modules that can refuse it; "": none known */
};

/*
 * Find out what may be the cause of an error of bpf(). lockdown is the path of the kernel's
 * lockdown file, which may not exist; the list of security modules is beside it.
 */
void refusal_read(int err, const char *lockdown, struct refusal *ret_refusal);

/* The first cause that applies, and what to do. The caller frees the text; NULL: no memory. */
char *refusal_text(const struct refusal *refusal);

/* Is that the lockdown mode, by the kernel's file? False if it cannot be read. */
bool is_lockdown_confidential(const char *lockdown);

#endif /* PMDAKVM_REFUSAL_H */
