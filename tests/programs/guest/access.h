/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* What --access asks for: accesses of one key, or of keys in a row. */
#ifndef GUEST_ACCESS_H
#define GUEST_ACCESS_H

#include <stdbool.h>
#include <linux/types.h>

#include "bpf/cause.h"

#define MAX_ACCESSES 32
#define MAX_COUNTS   16
#define MAX_SPAN     4096
#define MAX_STRING   768 /* bytes of a string instruction's memory */

struct access {
	enum cause_kind kind;
	__u64 number; /* port, address, ... of the first key */
	bool write;
	__u32 counts[MAX_COUNTS]; /* of each key; vCPU i takes number i modulo ncounts */
	unsigned int ncounts;
	__u32 span;   /* so many keys in a row, a power of two; of MMIO each in a page of its own */
	__u32 size;   /* bytes of an element */
	__u32 string; /* elements of a string instruction; 0: it is none */
	__u32 into;   /* where a string read writes to; 0: into the vCPU's page */
	__u32 value;  /* written */
	__u32 toggle; /* of a control register: bits to turn over; 0: value is written */
	__u32 delay_us; /* asleep */
	__u32 busy_us;	/* on a CPU */
};

/* What came out to user space of one access of a vCPU. */
struct answered {
	__u64 exits;
	__u64 bytes;
	__u64 into_exits; /* MMIO writes to access.into */
	__u64 into_bytes;
	__u64 delay_ns; /* how long user space kept it waiting */
};

struct plan;
struct vcpu;
struct fleet;

int access__parse(const char *spec, struct plan *plan);
__u32 access__count(const struct access *access, unsigned int vcpu);
bool access__uses(const struct plan *plan, enum cause_kind kind);
int access__answer_io(struct vcpu *vcpu);
int access__answer_mmio(struct vcpu *vcpu);
bool access__as_planned(const struct vcpu *vcpu);
void access__print(const struct fleet *fleet);

#endif
