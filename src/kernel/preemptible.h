/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Can a thread be switched out inside a raw tracepoint program? Since Linux 7.2 tracepoints no
 * longer disable preemption. While a thread is switched out in a program, the kernel skips that
 * program for all other threads of the CPU.
 */
#ifndef PMDAKVM_PREEMPTIBLE_H
#define PMDAKVM_PREEMPTIBLE_H

#include <stdbool.h>

#include "kernel/kernel_types.h"

/*
 * Run a program in a raw tracepoint, and have it look. The kernel holds a thread on its CPU
 * (task_struct.migration_disabled) inside a program that can be switched out, and needs not where
 * preemption is disabled. No version, name or option is asked. The tracepoint is
 * sched_process_wait, which fires without a lock, and which a waitpid() for no child fires. Takes
 * a fraction of a millisecond. Returns false if the kernel does not let us look.
 */
bool tracepoints_preemptible(struct kernel_types *types);

#endif /* PMDAKVM_PREEMPTIBLE_H */
