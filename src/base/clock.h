/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
#ifndef PMDAKVM_CLOCK_H
#define PMDAKVM_CLOCK_H

#include <stdint.h>

/* Time between two reads of the kernel without a fetch, in ns. Slightly below a tick of 1 s. */
#define CLOCK_TICK_NS UINT64_C(900000000)

/* CLOCK_MONOTONIC, in ns. */
uint64_t clock_ns(void);

/* CLOCK_REALTIME, in ns. */
uint64_t clock_real_ns(void);

#endif /* PMDAKVM_CLOCK_H */
