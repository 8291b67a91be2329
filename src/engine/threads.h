/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Looks up in /proc whether a thread still exists. */
#ifndef PMDAKVM_THREADS_H
#define PMDAKVM_THREADS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Does the folder proc show all threads, with the TIDs and start times that records have? It does
 * in the initial PID and time namespaces.
 */
bool threads_show_all(const char *proc);

/*
 * Does the thread still exist, under this TID? start is in ns since boot; after an exec a thread
 * has its process's first TID. True if that cannot be found out.
 */
bool thread_exists(const char *proc, uint32_t tgid, uint32_t tid, uint64_t start);

#endif /* PMDAKVM_THREADS_H */
