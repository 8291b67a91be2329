// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Lists of CPUs, as in sysfs. */
#include "fuzz/fuzz.h"

#include "kernel/cpus.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *possible;
	char dir[4096];
	struct cpus cpus;
	size_t n;

	possible = fuzz_take(&data, &size, &n);
	fuzz_file("cpu/possible", possible, n);
	fuzz_file("cpu/online", data, size);
	snprintf(dir, sizeof(dir), "%s", fuzz_path("cpu"));
	if (cpus_read(dir, &cpus) != 0)
		return 0;
	promise(cpus.n > 0 && cpus.n <= 65536);
	promise(cpus_update(dir, &cpus) == 0);
	cpus_free(&cpus);
	return 0;
}
