/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Arrays that are kept in order. */
#ifndef PMDAKVM_SORTED_H
#define PMDAKVM_SORTED_H

#include <stddef.h>
#include <stdint.h>

/* Of an element, and a key. */
typedef int sorted_compare(const void *element, const void *key);

/* The place of the first element that is not below key. */
size_t sorted_bound(const void *list, size_t n, size_t size, const void *key,
		    sorted_compare *compare);

/* Make room for one at a place, on the heap; NULL: no memory, and the list is as before. */
void *sorted_insert(void *list, size_t n, size_t size, size_t at);

static inline int sorted_numbers(uint64_t left, uint64_t right)
{
	return (left > right) - (left < right);
}

#endif /* PMDAKVM_SORTED_H */
