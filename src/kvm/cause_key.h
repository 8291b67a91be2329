/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Keys of causes (bpf/cause.h) as text: io:0x608:r, mmio:0xfec00000:w, msr:0x6e0:w, cpuid:0x1,
 * hypercall:10, hv:0x2, cr:3:w, apic:0x300:w, sysreg:s3_0_c12_c11_5:w, hvc:2214592512, none, other.
 * Numbers are lower-case hex with 0x; those of cr, hypercall and hvc are decimal. A system register
 * has the name that every assembler knows, in lower case.
 */
#ifndef PMDAKVM_CAUSE_KEY_H
#define PMDAKVM_CAUSE_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/cause.h"

#define CAUSE_KEY_TEXT_SIZE 32 /* of the longest text, with its NUL */

/* The key of a kind and a number, of which bits that do not fit are lost. */
uint64_t cause_key(enum cause_kind kind, uint64_t number, bool write);

/* Does a kind have reads and writes? False also for a number of no kind. */
bool cause_kind_has_direction(unsigned kind);

/*
 * The text's first word: io, msr, ...; "none" and "other" for those keys. NULL if the key is of no
 * kind.
 */
const char *cause_key_kind(uint64_t key);

/*
 * Write a key's text. Returns its length, or -EINVAL for a key that stands for nothing: of no kind,
 * with a direction that its kind does not have, or no system register. The buffer is untouched
 * then.
 */
int cause_key_text(uint64_t key, char buffer[CAUSE_KEY_TEXT_SIZE]);

/*
 * The key of a text as cause_key_text() writes it. Returns 0, or -EINVAL for any other text, such
 * as io:0x0608:r.
 */
int cause_key_parse(const char *text, uint64_t *ret_key);

#endif /* PMDAKVM_CAUSE_KEY_H */
