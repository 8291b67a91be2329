/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Binary search and insertion in sorted arrays. */
#ifndef PMDAKVM_SORTED_ARRAY_H
#define PMDAKVM_SORTED_ARRAY_H

#include <stddef.h>
#include <stdint.h>

/* Compare an element with a key, as strcmp() does. */
typedef int sorted_compare(const void *element, const void *key);

/* Return the index of the first element that is not below key; n if there is none. */
size_t sorted_bound(const void *list, size_t n, size_t size, const void *key,
		    sorted_compare *compare);

/*
 * Grow a malloc()ed list of n elements by one and open a gap at index at. Returns the new list, or
 * NULL without memory: the old list is unchanged.
 */
void *sorted_insert(void *list, size_t n, size_t size, size_t at);

static inline int sorted_numbers(uint64_t left, uint64_t right)
{
	return (left > right) - (left < right);
}

#endif /* PMDAKVM_SORTED_ARRAY_H */
