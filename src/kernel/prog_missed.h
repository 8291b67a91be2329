/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* How often the kernel did not run a program. */
#ifndef PMDAKVM_PROG_MISSED_H
#define PMDAKVM_PROG_MISSED_H

#include <stdint.h>

/*
 * A program's recursion_misses since it was loaded; one system call. Returns 0, or -ENODATA if the
 * number is unknown: before Linux 5.12, or of no program (-1).
 */
int prog_missed(int fd, uint64_t *ret_missed);

#endif /* PMDAKVM_PROG_MISSED_H */
