/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Attach programs of type BPF_PROG_TYPE_TRACEPOINT by perf. Perf disables preemption while it runs
 * them, so no thread is switched out inside. It runs one at a time on a CPU: of an event that
 * interrupts another event's program, it runs none, and counts that in recursion_misses. Such a
 * program sees the event's record, not its arguments; tracefs says what is in it.
 */
#ifndef PMDAKVM_CLASSIC_TRACEPOINTS_H
#define PMDAKVM_CLASSIC_TRACEPOINTS_H

#include <stdbool.h>

/* A field of an event's record, as a program was compiled to read it. */
struct record_field {
	const char *name;
	unsigned offset, size; /* bytes */
};

/*
 * Does the record of the event with this folder in tracefs (events/GROUP/NAME) have all of the
 * fields, where they are expected? fields ends with a name of NULL; NULL: the program reads none.
 */
bool record_has_fields(const char *folder, const struct record_field *fields);

/*
 * Attach a program to the event with this folder. It has to return 1: after 0, perf counts the
 * event for nobody. Returns a descriptor that detaches it when closed, which takes up to 0.1 s; or
 * a negative errno: -ENOENT if the folder cannot be read.
 */
int classic_tracepoint_open(const char *folder, int prog_fd);

#endif /* PMDAKVM_CLASSIC_TRACEPOINTS_H */
