/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Why a vCPU left guest mode (kvm_exit) or went out to the VMM (kvm_userspace_exit):
 * numbers, their names, and the slots that they have in a map.
 *
 * A table of reasons/ has two kinds of rows:
 *
 * RANGE(slot, first, count)
 *	The codes first .. first + count - 1 have the slots slot, slot + 1, ...,
 *	whether they have a name or not. Pinned maps and instance numbers live by
 *	that, so ranges are append-only: none is ever changed, and a new one begins at
 *	the first slot after the last. All of a table are below REASONS_SLOTS_MAX.
 * REASON(code, name)
 *	The name of a code that a range has, in the order of codes. A row may come at
 *	any time and moves no slot. A name in use is not changed.
 *
 * Below the ranges' slots are one for all that have none, and a few that whoever
 * counts may give to codes as he meets them.
 */
#ifndef PMDAKVM_REASONS_H
#define PMDAKVM_REASONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a code is, is said at the top of each table. */
enum reasons_isa {
	REASONS_VMX,	   /* reasons/vmx.def */
	REASONS_SVM,	   /* reasons/svm.def */
	REASONS_ARM64,	   /* reasons/arm64.def */
	REASONS_USERSPACE, /* reasons/userspace.def */
	REASONS_ISAS,
};

/* Codes of REASONS_USERSPACE where KVM_RUN failed: outside the kernel's 32 bits. */
#define REASONS_RESTART (UINT64_C(1) << 32) /* with EINTR */
#define REASONS_ERROR	(REASONS_RESTART + 1)

/* The trap bit of a code of REASONS_ARM64, beside the exception class. */
#define REASONS_ARM64_TRAP    0x100

#define REASONS_SLOT_OTHER    0 /* what has no slot of its own */
#define REASONS_OTHER_NAME    "other"
#define REASONS_SLOT_UNKNOWN  1 /* the first of those for codes that no range has */
#define REASONS_UNKNOWN_SLOTS 8
#define REASONS_SLOT_FIRST    (REASONS_SLOT_UNKNOWN + REASONS_UNKNOWN_SLOTS)
#define REASONS_SLOTS_MAX     256 /* a slot fits in a byte */
#define REASONS_RANGES_MAX    8
#define REASONS_NAME_SIZE     19 /* 64 bits as 0x..., and a NUL */

struct reason {
	uint64_t code;
	const char *name; /* its part before the first space is unique, too */
};

/*
 * A code has the slot "slot + (code - first)" if code - first, unsigned, is below
 * count: one comparison for each range. A range of count 0 has no code.
 */
struct reasons_range {
	uint64_t first;
	uint64_t count;
	uint32_t slot;
};

/* Codes that have a name, in ascending order. */
const struct reason *reasons_list(enum reasons_isa isa, size_t *ret_count);

/* The row of that code, or of that name; NULL: none. */
const struct reason *reasons_find(enum reasons_isa isa, uint64_t code);
const struct reason *reasons_find_name(enum reasons_isa isa, const char *name);

/*
 * Does a vCPU that goes out for the reason of that name, of len bytes, sleep until something
 * wakes it? Of whatever table the name is.
 */
bool reasons_sleeps(const char *name, size_t len);

/* What a code without a name is called: its number, 0x2d, as the kernel prints it. */
const char *reasons_name(enum reasons_isa isa, uint64_t code, char buffer[REASONS_NAME_SIZE]);

/* At most REASONS_RANGES_MAX, in ascending order of slots. */
const struct reasons_range *reasons_ranges(enum reasons_isa isa, size_t *ret_count);

/* How many slots there are, REASONS_SLOT_OTHER and the unknown codes' included. */
unsigned reasons_slots(enum reasons_isa isa);

/* The slot that a range gives to a code; -ENOENT if none does. */
int reasons_slot_of(enum reasons_isa isa, uint64_t code);

/*
 * The code to which a range gives that slot. Returns 0, or -ENOENT for a slot that no
 * range has, as REASONS_SLOT_OTHER and those of unknown codes.
 */
int reasons_code_of(enum reasons_isa isa, unsigned slot, uint64_t *ret_code);

#endif /* PMDAKVM_REASONS_H */
