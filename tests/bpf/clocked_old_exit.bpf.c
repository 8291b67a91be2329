// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The exit family's programs of before the engine, with a clock that a test sets. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

__u64 test_clock; /* ns */

static __always_inline __u64 test_clock_read(void)
{
	return test_clock;
}

#define bpf_ktime_get_ns test_clock_read
#include "../bench/old/exit.bpf.c"
