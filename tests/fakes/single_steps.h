/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* A process that is killed between any two writes to memory that others take over. */
#ifndef PMDAKVM_TESTS_SINGLE_STEPS_H
#define PMDAKVM_TESTS_SINGLE_STEPS_H

#include <stddef.h>

/*
 * Run the function in a child, step by step. After each step that changed the shared memory call
 * killed() with a copy of it, as a child that was killed there leaves it. Returns the number of
 * such steps, or -1 if the child cannot be traced.
 */
int single_steps(void (*run)(void), const void *shared, size_t bytes, void (*killed)(void *copy));

/* Skip the test under valgrind, which has no single steps. */
void need_single_steps(void);

#endif /* PMDAKVM_TESTS_SINGLE_STEPS_H */
