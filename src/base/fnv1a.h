/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* 64-bit FNV-1a hash. Pinned maps store its values, so the result must never change. */
#ifndef PMDAKVM_FNV1A_H
#define PMDAKVM_FNV1A_H

#include <stdint.h>

/* Initial hash: the FNV offset basis. */
#define HASH_START UINT64_C(0xcbf29ce484222325)

/* Add one number, usually a byte, to the hash. */
static inline uint64_t hash_step(uint64_t hash, uint64_t number)
{
	return (hash ^ number) * UINT64_C(0x100000001b3);
}

/* Add a string to the hash, without its NUL. */
static inline uint64_t hash_text(uint64_t hash, const char *text)
{
	for (; *text; text++)
		hash = hash_step(hash, (unsigned char)*text);
	return hash;
}

#endif /* PMDAKVM_FNV1A_H */
