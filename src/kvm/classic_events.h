/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Which events are attached by perf (kernel/classic_tracepoints.h), not as raw tracepoints. */
#ifndef PMDAKVM_CLASSIC_EVENTS_H
#define PMDAKVM_CLASSIC_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/report.h"
#include "kernel/classic_tracepoints.h"
#include "kernel/late_close.h"

enum classic_refusal {
	CLASSIC_NOT_REFUSED,
	CLASSIC_NO_TRACEFS, /* its list of events cannot be read */
	CLASSIC_NO_RECORD,  /* the event's record cannot be read, or has another form */
	CLASSIC_NO_PERF,    /* perf refuses it */
	CLASSIC_NO_TIME,    /* perf has taken too long in this pass */
};

struct classic_events {
	const char *tracefs;
	const char *lockdown, *paranoid; /* paths of the kernel's files, which may not exist */
	bool atomic; /* it is known that no thread is switched out in raw tracepoint programs */
	bool wanted; /* one can be, so perf is to attach events */
	struct late_close *late;   /* closes their links; not NULL if wanted */
	uint64_t spent;		   /* ns in which perf attached in this pass */
	enum classic_refusal why;  /* perf did not attach an event in this pass: the first */
	enum classic_refusal said; /* what was reported last */
	int err;		   /* that came with why */
};

/*
 * The folder in tracefs of an event to be attached by perf, by a program that reads these fields of
 * its record (NULL: none); the caller frees it. NULL: attach a raw tracepoint. So it is where
 * nothing can be switched out, where tracefs cannot be read or has a record of another form, and
 * when perf has taken too long.
 * classic may be NULL.
 */
char *classic_events_folder(struct classic_events *classic, const char *event,
			    const struct record_field *fields);

/* Are programs for perf to be loaded? classic may be NULL. */
bool classic_events_wanted(const struct classic_events *classic);

/* Is it known that no thread is switched out inside a raw tracepoint program? It may be NULL. */
bool classic_events_atomic(const struct classic_events *classic);

/*
 * Attach the program by perf to the event with this folder: classic_tracepoint_open(). Perf
 * attaches nothing while the kernel closes a link of its own, such as those of an agent that has
 * just ended; pmcd waits for an agent for 5 s. So perf has 3 s in each pass.
 */
int classic_events_open(struct classic_events *classic, const char *folder, int prog_fd);

/*
 * At the end of a pass: if perf should have attached an event and did not, add a warning to the
 * report with the cause and what to do; the same cause once. The next pass begins.
 */
void classic_events_report(struct classic_events *classic, struct report *report);

#endif /* PMDAKVM_CLASSIC_EVENTS_H */
