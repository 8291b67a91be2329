/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* What programs that record slow exits are loaded with: bpf/slow.h. */
#ifndef PMDAKVM_SLOW_SETUP_H
#define PMDAKVM_SLOW_SETUP_H

#include <stdint.h>

#include "bpf/slow.h"

/* The threshold in microseconds, as in kvm.conf; and in which reasons vCPUs sleep. */
void slow_setup_fill(struct slow_setup *ret_setup, uint32_t threshold_us);

#endif /* PMDAKVM_SLOW_SETUP_H */
