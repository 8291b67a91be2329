/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Lock a directory, so that one agent at a time uses it.
 *
 * A hung agent keeps its lock after pmcd times it out and starts a new one. pmcd runs one agent of
 * ours at a time, so a process that holds the lock, with our parent and our executable, is the old
 * agent: it is killed, and the lock is taken.
 *
 * A PID from /proc only tells whom to look at. The process is held by a pidfd while /proc is asked
 * whether it is the one meant, and the signal goes through the pidfd: if the process ended and its
 * PID was given away meanwhile, the signal reaches nobody. Without pidfds (before Linux 5.3)
 * nothing is killed.
 */
#ifndef PMDAKVM_FOLDER_LOCK_H
#define PMDAKVM_FOLDER_LOCK_H

#include <stdbool.h>

/*
 * Lock the directory with descriptor fd until the descriptor is closed. kill_hung: if a hung agent
 * holds it, kill that, which takes up to 15 s. Returns 0, -EWOULDBLOCK if another process has the
 * lock, or an error.
 */
int folder_lock(int fd, bool kill_hung);

/*
 * Does a process that /proc shows hold the lock of the directory with descriptor fd? Asking takes
 * no lock, not even for a moment, in which an agent that starts would not get it.
 */
bool folder_is_locked(int fd);

#endif /* PMDAKVM_FOLDER_LOCK_H */
