/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * The trace family's list of events: what [trace] of kvm.conf comes to on this
 * kernel, and what became of each.
 */
#ifndef PMDAKVM_TRACE_EVENTS_H
#define PMDAKVM_TRACE_EVENTS_H

#include "families/family.h"

enum trace_event_state {
	TRACE_EVENT_WANTED,  /* not attached yet */
	TRACE_EVENT_UNKNOWN, /* neither this kernel nor items.def knows the name */
	TRACE_EVENT_ATTACHED,
	TRACE_EVENT_DETACHED, /* was attached; what it counted stays */
	TRACE_EVENT_FAILED,   /* see err */
};

struct trace_event {
	char *name;
	unsigned line; /* of kvm.conf; 0 if it came from elsewhere */
	enum trace_event_state state;
	int err;
	int slot;     /* its item number; 0 if it has none */
	int column;   /* in the table of counts; -1: none */
	bool counted; /* there is a true count in its slot */
	int prog_fd;  /* -1: none */
	int link_fd;
};

struct trace_events {
	struct trace_event *list; /* grows at its end only */
	size_t n;
};

/*
 * Make the list, or add to it what has come since: names as they are, patterns
 * resolved against the kernel's events, each event once, in the file's order. What
 * is wrong (a pattern that matches nothing, an event that this kernel lacks) adds a
 * warning to env->report, but where the kernel has no events at all nothing is said.
 * Returns 0 or -ENOMEM.
 */
int trace_events_resolve(const struct family_env *env, struct trace_events *events);

/* Note what attaching gave: 0 (the descriptors are set) or an error. */
void trace_event_attached(struct trace_event *event, int err);

/* Close the link; what was counted stays, and so does the program. */
void trace_event_detach(struct trace_event *event);

/* Note that none could be attached, and why. */
void trace_events_fail(struct trace_events *events, int err);

/*
 * After attaching: a warning for each event that failed, or none if it is the same
 * for all, which *ret_why then says. Returns 0 if any is attached, else an error with
 * *ret_why as in struct family_ops.
 */
int trace_events_report(const struct trace_events *events, const struct family_env *env,
			char **ret_error);

/* What became of it, in a few words. */
const char *trace_event_status(const struct trace_event *event);

/* How many runs of its program were skipped. 0, -ENODATA if not known. */
int trace_event_missed(const struct trace_event *event, uint64_t *ret_missed);

/* Detach all, and free. */
void trace_events_free(struct trace_events *events);

#endif /* PMDAKVM_TRACE_EVENTS_H */
