/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* x86: --access as machine code. */
#ifndef GUEST_X86_ACCESS_H
#define GUEST_X86_ACCESS_H

#include "guest.h"

#define OFF_BUFFER  0x100
#define ACCESS_CODE 0x50 /* no loop of --access is longer */

bool host_is_amd(void);

/* NULL: this machine can do all of --access. */
const char *access__lacks(const struct plan *plan, bool virtualization);

/* Put the loop of access number i at that offset of the page; returns what comes after it. */
__u16 put_access(struct program *prog, __u16 at, const struct plan *plan, unsigned int i,
		 unsigned int vcpu);

#endif
