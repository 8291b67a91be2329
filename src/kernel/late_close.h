/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Close descriptors that take long to close: the link of a classic tracepoint takes 64 to 100 ms,
 * and the kernel closes one at a time. A thread of its own closes them, so that pmcd is answered
 * meanwhile. The thread lives while there is something to close.
 */
#ifndef PMDAKVM_LATE_CLOSE_H
#define PMDAKVM_LATE_CLOSE_H

#include <stdint.h>

struct late_close;

/* Returns 0 or -ENOMEM. */
int late_close_new(struct late_close **ret_late);

/*
 * Close the descriptor, soon. Returns a number for late_close_take(), never 0. Where there is no
 * memory, or no thread to be had, it is closed at once.
 */
uint64_t late_close_put(struct late_close *late, int fd);

/*
 * Take back what is not closed yet. Returns its descriptor, or -1 if it is closed; waits for that
 * if it is being closed.
 */
int late_close_take(struct late_close *late, uint64_t number);

/*
 * Free it; takes NULL. What is left is closed by a process of its own, which has nothing else of
 * ours open, so that ours can end. Where there is none to be had, it is closed here.
 */
void late_close_free(struct late_close *late);

#endif /* PMDAKVM_LATE_CLOSE_H */
