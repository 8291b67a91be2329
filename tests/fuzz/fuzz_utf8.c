// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Text that is not UTF-8. */
#include "fuzz/fuzz.h"

#include <string.h>

#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_string(data, size), *copy, *again;

	promise(utf8_copy(text, &copy) == 0);
	promise(fuzz_is_utf8(copy));
	if (fuzz_is_utf8(text))
		promise(strcmp(text, copy) == 0);
	promise(utf8_copy(copy, &again) == 0 && strcmp(copy, again) == 0);
	for (size_t max = 0; max < 64; max++) {
		size_t cut = utf8_cut(copy, max);

		promise(cut <= max && cut <= strlen(copy));
		again[cut] = '\0';
		promise(fuzz_is_utf8(again));
		memcpy(again, copy, strlen(copy) + 1);
	}
	free(again);
	free(copy);
	free(text);
	return 0;
}
