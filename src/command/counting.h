/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Counts for a subcommand: opens the families, waits, reads them, and says on stderr what failed.
 */
#ifndef PMDAKVM_COUNTING_H
#define PMDAKVM_COUNTING_H

#include <stdbool.h>

#include "base/config.h"
#include "metrics/snapshot.h"

struct counting;

/*
 * Have the configuration of the file at path instead of a valid one, with what is wrong in it said
 * on stderr; NULL: it stays. Returns 0, or -ENOMEM, and then there is nothing to free.
 */
int counting_configure(struct config *config, const char *path, bool verbose);

/*
 * Have only what numbers of VMs are made of: events of [trace] are not counted, labels do not
 * follow VMs, and a table has rows once it is read.
 */
void counting_of_numbers(struct config *config);

/*
 * Read the maps of the agent that runs, if one does; else, or if the configuration selects the
 * family trace, attach the families as it says. It must outlive the result. From then on SIGINT,
 * SIGTERM and SIGHUP end counting_wait() only. verbose: also say details. Returns an exit status:
 * 0, EXIT_FAILURE, or EXIT_NOTHING if there is nothing to count; the reason is printed.
 */
int counting_open(const struct config *config, bool verbose, struct counting **ret_counting);

/*
 * Wait for that many seconds; if negative, until a signal. KVM may be loaded meanwhile. Returns
 * whether a signal ended it; once one did, later calls return at once.
 */
bool counting_wait(struct counting *counting, double seconds);

/* The same for who reads next, and calls counting_tick_early() then. */
bool counting_wait_to_read(struct counting *counting, double seconds);

/* For how long it has counted, in seconds. */
double counting_seconds(const struct counting *counting);

/* Do what is due once a second, and do not wait. Returns as counting_wait(). */
bool counting_poll(struct counting *counting);

/* The same without doing what is due, for who reads next. */
bool counting_ended(struct counting *counting);

/*
 * Do it now if it is due within half a second: behind a reading, which has just looked for VMs, it
 * need not look for them again.
 */
void counting_tick_early(struct counting *counting);

/* The signal that has ended waiting, which is forgotten: later calls wait again. 0: none. */
int counting_signal(struct counting *counting);

/* Has the agent ended whose maps are read? */
bool counting_stands(const struct counting *counting);

/*
 * Read the tables in the mask (bit i: table i of the snapshot), all by UINT64_MAX. Returns 0 or
 * -ENOMEM.
 */
int counting_read(struct counting *counting, uint64_t tables);

/*
 * The folder of the agent that runs, whose maps are read: they have counted since before. NULL:
 * programs of our own count.
 */
const char *counting_reads(const struct counting *counting);

/* What counting_read() has read; it belongs to counting. */
struct snapshot *counting_snapshot(struct counting *counting);

/* Let maxima begin anew. Returns 0 or the first family's error. */
int counting_reset_max(struct counting *counting);

/* Returns 0, or EXIT_NOTHING after having said that nothing was counted, and why. */
int counting_status(const struct counting *counting);

/* Print a line to stderr, if details are wanted. */
void counting_say(const struct counting *counting, const char *what);

/* Detach and free; takes NULL. */
void counting_close(struct counting *counting);

/* Print a report's lines to stderr, those for debugging only if verbose, and clear it. */
void counting_show(struct report *report, bool verbose);

#endif /* PMDAKVM_COUNTING_H */
