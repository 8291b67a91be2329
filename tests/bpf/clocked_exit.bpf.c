// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The programs of the exit family with a clock, and waiting for a CPU, that a test sets. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

__u64 test_clock; /* ns */

static __always_inline __u64 test_clock_read(void)
{
	return test_clock;
}

__u64 test_delay; /* ns that the thread has waited for a CPU */

#define bpf_ktime_get_ns test_clock_read
#define RUN_DELAY(task)	 test_delay
#include "exit.bpf.c"
