/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Read possible and online CPUs from sysfs. */
#ifndef PMDAKVM_CPUS_H
#define PMDAKVM_CPUS_H

#include <stdbool.h>
#include <stddef.h>

#define CPUS_SYSFS "/sys/devices/system/cpu"

struct cpus {
	size_t n;      /* one more than the highest possible CPU number */
	bool *present; /* [n], by CPU number: online now or at an earlier read */
};

/*
 * Read DIR/possible and DIR/online (lists such as "0-3,8").
 * Returns 0, -EINVAL for an invalid list, -ENOMEM, or the error of opening or reading.
 * ret_cpus is untouched on failure.
 */
int cpus_read(const char *dir, struct cpus *ret_cpus);

/*
 * Read DIR/online again and add new CPUs; a CPU that went offline stays present. Returns 1 if a
 * CPU was added, 0 if not, or an error as cpus_read().
 */
int cpus_update(const char *dir, struct cpus *cpus);

void cpus_free(struct cpus *cpus);

#endif /* PMDAKVM_CPUS_H */
