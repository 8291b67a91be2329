/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Where kvmbpf top has its numbers from: this host, or files that kvmbpf save wrote. */
#ifndef PMDAKVM_TOP_SOURCE_H
#define PMDAKVM_TOP_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/config.h"
#include "metrics/snapshot.h"

/* The most files: one, or two between which time has passed. */
#define TOP_FILES 2

struct top_source;

/*
 * Read this host by the configuration, which must outlive it; or files, the second from seconds
 * after the first. Returns an exit status, after a message if it is not 0.
 */
int top_source_open(const struct config *config, const char *const *files, size_t nfiles,
		    double seconds, struct top_source **ret_source);
void top_source_close(struct top_source *source);

/* Read tables; first: from the first file again. Returns 0 or -ENOMEM. */
int top_source_read(struct top_source *source, uint64_t tables, bool first);

/* What was read last. */
const struct snapshot *top_source_snapshot(const struct top_source *source);

/* Did counting begin just before the first reading? An agent's has begun long before. */
bool top_source_begins(const struct top_source *source);

/* When that was, s. */
double top_source_now(const struct top_source *source);

/* Is there nothing more to read, since it was the last file? */
bool top_source_ended(const struct top_source *source);

/* When so many seconds have passed since the last reading, or soon, by top_source_clock(). */
double top_source_due(const struct top_source *source, double seconds);

/*
 * Wait until then, or do not wait, and not do either what a reading that follows does as well.
 * Return whether a signal says to end.
 */
bool top_source_wait(struct top_source *source, double seconds);
bool top_source_poll(struct top_source *source, bool reads);

/* What is to be known about the numbers, or NULL. */
const char *top_source_note(const struct top_source *source);

/*
 * Find the VM that is called so, NAME-PID or only NAME. Returns whether there is one, after a
 * message if not; ret_vm has room for TOP_NAME_SIZE bytes.
 */
bool top_source_find(const struct top_source *source, const char *name, char *ret_vm);

/* The clock that waiting is by, s. */
double top_source_clock(void);

#endif /* PMDAKVM_TOP_SOURCE_H */
