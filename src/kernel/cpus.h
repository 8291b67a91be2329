/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Which CPUs there can be, and which are online. Source: sysfs. */
#ifndef PMDAKVM_CPUS_H
#define PMDAKVM_CPUS_H

#include <stdbool.h>
#include <stddef.h>

/* Where the kernel says so. */
#define CPUS_SYSFS "/sys/devices/system/cpu"

struct cpus {
	size_t n;      /* one more than the highest possible CPU number */
	bool *present; /* [n], by CPU number: online now, or at an earlier look */
};

/*
 * Read DIR/possible and DIR/online (lists such as "0-3,8").
 * Returns 0, or -EINVAL for a list that makes no sense, -ENOMEM, or the error
 * that opening or reading gave. ret_cpus is untouched on failure.
 */
int cpus_read(const char *dir, struct cpus *ret_cpus);

/*
 * Look again which CPUs are online, and add them: a CPU that has gone offline
 * stays present. Returns 1 if there are new ones, 0 if not, or an error as
 * cpus_read.
 */
int cpus_update(const char *dir, struct cpus *cpus);

void cpus_free(struct cpus *cpus);

#endif /* PMDAKVM_CPUS_H */
