/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Exit reason tables of kvm_exit and kvm_userspace_exit: codes, their names, and their slots in BPF
 * maps.
 *
 * A table in reasons/ has two kinds of rows:
 *
 * RANGE(slot, first, count)
 *	The codes first .. first + count - 1 get the slots slot, slot + 1, ..., named or not.
 *	Pinned maps and instance numbers depend on this, so ranges are append-only: never
 *	change one, and start a new one at the first slot after the last. All slots of a
 *	table are below REASONS_SLOTS_MAX.
 * REASON(code, name, listed)
 *	Names a code that a range covers; rows are in the order of codes. A row can be added
 *	at any time and moves no slot. Never change a name in use. listed is 1 for a dozen
 *	reasons that any guest can have: their rows exist before they are first counted. X86:
 *	on x86 only.
 *
 * Below the ranges' slots are REASONS_SLOT_OTHER for all codes without a slot, and
 * REASONS_UNKNOWN_SLOTS slots that a counting program assigns to codes outside all ranges, first
 * come, first served.
 */
#ifndef PMDAKVM_EXIT_REASONS_H
#define PMDAKVM_EXIT_REASONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The head of each table defines its codes. */
enum reasons_isa {
	REASONS_VMX,	   /* reasons/vmx.def */
	REASONS_SVM,	   /* reasons/svm.def */
	REASONS_ARM64,	   /* reasons/arm64.def */
	REASONS_USERSPACE, /* reasons/userspace.def */
	REASONS_ISAS,
};

/* Codes of REASONS_USERSPACE for a failed KVM_RUN; they lie outside the kernel's 32-bit codes. */
#define REASONS_RESTART (UINT64_C(1) << 32) /* failed with EINTR */
#define REASONS_ERROR	(REASONS_RESTART + 1)

/* In codes of REASONS_ARM64: set for a trap; the low bits are then the exception class. */
#define REASONS_ARM64_TRAP    0x100

#define REASONS_SLOT_OTHER    0 /* for all codes without a slot of their own */
#define REASONS_OTHER_NAME    "other"
#define REASONS_SLOT_UNKNOWN  1 /* the first slot for codes outside all ranges */
#define REASONS_UNKNOWN_SLOTS 8
#define REASONS_SLOT_FIRST    (REASONS_SLOT_UNKNOWN + REASONS_UNKNOWN_SLOTS)
#define REASONS_SLOTS_MAX     256 /* a slot fits in a byte */
#define REASONS_RANGES_MAX    8
#define REASONS_NAME_SIZE     19 /* "0x", 16 hex digits and a NUL */

struct reason {
	uint64_t code;
	const char *name; /* unique up to its first space, too */
	bool listed;	  /* has a row of the host before it is first counted */
};

/*
 * A code has the slot "slot + (code - first)" if code - first, unsigned, is below count: one
 * comparison per range. A range with count 0 matches no code.
 */
struct reasons_range {
	uint64_t first;
	uint64_t count;
	uint32_t slot;
};

/* All named codes, in ascending order. */
const struct reason *reasons_list(enum reasons_isa isa, size_t *ret_count);

/* The row of a code, or of a name; NULL if there is none. */
const struct reason *reasons_find(enum reasons_isa isa, uint64_t code);
const struct reason *reasons_find_name(enum reasons_isa isa, const char *name);

/*
 * Does a vCPU that exits for this reason sleep until something wakes it? The name has len bytes and
 * can be of any table.
 */
bool reasons_sleeps(const char *name, size_t len);

/*
 * The name of a code; for an unnamed code its number in hex, such as 0x2d, as the kernel prints it.
 */
const char *reasons_name(enum reasons_isa isa, uint64_t code, char buffer[REASONS_NAME_SIZE]);

/* Has the reason of a slot a row of the host before it is first counted? */
bool reasons_listed(enum reasons_isa isa, unsigned slot);

/* At most REASONS_RANGES_MAX ranges, in ascending order of slots. */
const struct reasons_range *reasons_ranges(enum reasons_isa isa, size_t *ret_count);

/* The number of slots, including REASONS_SLOT_OTHER and the slots for unknown codes. */
unsigned reasons_slots(enum reasons_isa isa);

/* The slot that a range assigns to a code; -ENOENT if no range has the code. */
int reasons_slot_of(enum reasons_isa isa, uint64_t code);

/*
 * The code to which a range assigns a slot. Returns 0, or -ENOENT for a slot of no range, such as
 * REASONS_SLOT_OTHER and the slots for unknown codes.
 */
int reasons_code_of(enum reasons_isa isa, unsigned slot, uint64_t *ret_code);

#endif /* PMDAKVM_EXIT_REASONS_H */
