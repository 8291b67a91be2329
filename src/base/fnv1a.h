/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* FNV-1a, of 64 bits: pinned maps live by its values, which must not change. */
#ifndef PMDAKVM_HASH_H
#define PMDAKVM_HASH_H

#include <stdint.h>

/* What a hash begins with. */
#define HASH_START UINT64_C(0xcbf29ce484222325)

/* The hash with one number more, mostly a byte. */
static inline uint64_t hash_step(uint64_t hash, uint64_t number)
{
	return (hash ^ number) * UINT64_C(0x100000001b3);
}

/* The hash with a text more, its end not included. */
static inline uint64_t hash_text(uint64_t hash, const char *text)
{
	for (; *text; text++)
		hash = hash_step(hash, (unsigned char)*text);
	return hash;
}

#endif /* PMDAKVM_HASH_H */
