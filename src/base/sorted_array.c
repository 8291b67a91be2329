// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "base/sorted_array.h"

#include <stdlib.h>
#include <string.h>

size_t sorted_bound(const void *list, size_t n, size_t size, const void *key,
		    sorted_compare *compare)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare((const char *)list + middle * size, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void *sorted_insert(void *list, size_t n, size_t size, size_t at)
{
	char *grown = reallocarray(list, n + 1, size);

	if (grown)
		memmove(grown + (at + 1) * size, grown + at * size, (n - at) * size);
	return grown;
}
