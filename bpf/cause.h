/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Layouts of the cause family, shared by the BPF side and the user side: what in the guest causes
 * exits. A key is a port, an address, a register or a call, with the direction of the access.
 */
#ifndef PMDAKVM_BPF_CAUSE_H
#define PMDAKVM_BPF_CAUSE_H

#include "engine.h"

/*
 * Layout version of this family's pinned maps. Increment it when the meaning of their contents
 * changes but not the size: maps of another version are replaced, counters restart at 0.
 */
#define CAUSE_LAYOUT (ENGINE_LAYOUT << 8 | 1)

/* --- keys --- */

/*
 * Bits 63 to 56 of a key are its kind, bit 55 is set for a write, the rest is a number: port,
 * address, register, leaf or call. Of several keys of one exit, that of the lowest kind counts;
 * a hypercall's kinds are one. The numbers are in pinned maps: append only.
 */
enum cause_kind {
	CAUSE_PIO = 1,
	CAUSE_MSR,
	CAUSE_CPUID,
	CAUSE_HYPERCALL,
	CAUSE_HV,
	CAUSE_CR,
	CAUSE_MMIO,
	CAUSE_APIC,
	CAUSE_SYSREG,
	CAUSE_HVC,
	CAUSE_KINDS
};

#define CAUSE_KIND_SHIFT 56
#define CAUSE_WRITE	 (1ULL << 55)
#define CAUSE_NUMBER	 (CAUSE_WRITE - 1)

#define CAUSE_NONE	 0ULL	 /* an exit without a key */
#define CAUSE_OTHER	 (~0ULL) /* keys that have no room */

#define CAUSE_KEY(kind, write, number)                                           \
	((__u64)(kind) << CAUSE_KIND_SHIFT | ((write) ? CAUSE_WRITE : (__u64)0) | \
	 ((__u64)(number)&CAUSE_NUMBER))

/*
 * The number of an address is its 4 KiB page; that of a register of the I/O APIC, the HPET or the
 * local APIC, at their usual addresses, is the address itself; all of the VGA's memory is one.
 */
#define CAUSE_PAGE   0xfffULL
#define CAUSE_IOAPIC 0xfec00000ULL
#define CAUSE_HPET   0xfed00000ULL
#define CAUSE_LAPIC  0xfee00000ULL
#define CAUSE_VGA    0xa0000ULL
#define CAUSE_VGA_END 0xc0000ULL

#endif /* PMDAKVM_BPF_CAUSE_H */
