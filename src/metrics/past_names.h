/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Names of instances that are gone. A client may ask for the name of a number whose value it got
 * before the VM ended: a logger asks after each fetch that has a number which is new to it.
 */
#ifndef PMDAKVM_PAST_NAMES_H
#define PMDAKVM_PAST_NAMES_H

#include <stddef.h>
#include <stdint.h>

/* Names are kept this long, in ns, and the latest so many, of so many bytes together. */
#define PAST_NAMES_NS	 UINT64_C(300000000000)
#define PAST_NAMES_MAX	 16384
#define PAST_NAMES_BYTES (1024 * 1024)

struct past_names;

/* Returns NULL without memory. */
struct past_names *past_names_new(void);
void past_names_free(struct past_names *past);

/*
 * An instance of a table is gone; its name, from malloc(), is taken over. Without memory it is not
 * remembered.
 */
void past_names_add(struct past_names *past, const void *table, uint32_t number, char *name);

/* The name of the instance of a table that had this number last; NULL: none in that time. */
const char *past_names_find(const struct past_names *past, const void *table, uint32_t number);

/* Call visit for each instance of a table that went less than so many ns ago, the latest first. */
void past_names_each(const struct past_names *past, const void *table, uint64_t ns,
		     void (*visit)(void *data, uint32_t number, const char *name), void *data);

/* The bytes that it takes. */
size_t past_names_bytes(const struct past_names *past);

#endif /* PMDAKVM_PAST_NAMES_H */
