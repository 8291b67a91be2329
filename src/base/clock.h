/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
#ifndef PMDAKVM_CLOCK_H
#define PMDAKVM_CLOCK_H

#include <stdint.h>

/* What families wait for between two looks at the kernel, if no fetch makes one: ns. */
#define CLOCK_TICK_NS UINT64_C(900000000)

/* The monotonic clock, in ns. */
uint64_t clock_ns(void);

#endif /* PMDAKVM_CLOCK_H */
