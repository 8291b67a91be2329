// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The file of item numbers. What was loaded is saved and loaded as the same. */
#include "fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/report.h"
#include "metrics/item_numbers.h"

static void compare(const struct items *one, const struct items *other)
{
	for (int group = 0; group < ITEMS_GROUPS; group++) {
		for (size_t i = 0; i < ITEMS_FREE; i++) {
			const char *a = one->names[group][i], *b = other->names[group][i];

			promise(!a == !b);
			promise(!a || strcmp(a, b) == 0);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *path = strdup(fuzz_file("items", data, size));
	struct report report = { 0 };
	static struct items first, second;
	int number;

	promise(path);
	promise(items_load(path, &report, &first) == 0);
	number = items_number(&first, ITEMS_TRACE, "kvm_made_by_a_fuzzer");
	promise(number > 0 || number == -28 /* -ENOSPC */);
	if (number > 0)
		promise(items_number(&first, ITEMS_TRACE, "kvm_made_by_a_fuzzer") == number);
	promise(items_save(&first) == 0);
	report_clear(&report);
	if (number > 0) {
		promise(items_load(path, &report, &second) == 0);
		promise(report.n == 0);
		compare(&first, &second);
		items_free(&second);
	}
	report_clear(&report);
	items_free(&first);
	free(path);
	return 0;
}
