// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Snapshots for kvmbpf dump --load. What was loaded is saved as text that loads as the same. */
#include "fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "metrics/snapshot.h"

static char *saved(const struct snapshot *snapshot, size_t *ret_size)
{
	char *text = NULL;
	FILE *file = open_memstream(&text, ret_size);

	promise(file && snapshot_save(snapshot, file) == 0 && fclose(file) == 0);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct snapshot first, second;
	char *text, *again;
	size_t bytes, more;
	unsigned line;
	FILE *file;

	if (!size)
		return 0;
	file = fmemopen((void *)data, size, "r");
	promise(file);
	if (snapshot_load(file, &first, &line) == 0) {
		text = saved(&first, &bytes);
		fclose(file);
		file = fmemopen(text, bytes, "r");
		promise(file && snapshot_load(file, &second, &line) == 0);
		again = saved(&second, &more);
		promise(bytes == more && memcmp(text, again, bytes) == 0);
		free(again);
		free(text);
		snapshot_free(&second);
		snapshot_free(&first);
	} else {
		promise(line > 0);
	}
	fclose(file);
	return 0;
}
