/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * The trace family's list of events: resolves [trace] of kvm.conf on this kernel and keeps each
 * event's state.
 */
#ifndef PMDAKVM_TRACE_EVENTS_H
#define PMDAKVM_TRACE_EVENTS_H

#include "bpf/trace.h"
#include "families/family.h"

enum trace_event_state {
	TRACE_EVENT_WANTED,  /* not attached yet */
	TRACE_EVENT_UNKNOWN, /* neither in this kernel nor in tracepoint_items.def */
	TRACE_EVENT_ATTACHED,
	TRACE_EVENT_DETACHED, /* was attached; its counts stay */
	TRACE_EVENT_FAILED,   /* see err */
};

struct trace_event {
	char *name;
	unsigned line; /* in kvm.conf; 0: not from the file */
	enum trace_event_state state;
	int err;
	int slot;     /* item number; 0: none */
	int column;   /* in the table of counts; -1: none */
	bool counted; /* the slot's count is valid */
	int prog_fd;  /* -1: none */
	bool by_perf; /* the program is for perf, not for the raw tracepoint */
	int link_fd;
	uint64_t closing; /* an earlier link of perf's, for late_close_take(); 0: none */
	int source_fd;	  /* another family's program that counts the event; -1: none */
	/* misses: until the program that counts began to, and of that program until then */
	uint64_t missed, missed_before;
	bool missed_known;
};

struct trace_events {
	struct trace_event *list; /* append-only */
	size_t n;
};

/*
 * Build the list, or add events that have appeared since: names as they are, patterns resolved
 * against the kernel's events, each event once, in the file's order. A pattern without a match or
 * an event missing from this kernel adds a warning to env->report, except if the kernel has no
 * events at all. Returns 0 or -ENOMEM.
 */
int trace_events_resolve(const struct family_env *env, struct trace_events *events);

/* Record the result of attaching: 0 (the descriptors are set) or an error. */
void trace_event_attached(struct trace_event *event, int err);

/* Close the link, one of perf's late; the program stays loaded and its counts stay. */
void trace_event_detach(struct trace_event *event, struct late_close *late);

/* Record that no event could be attached, and the error. */
void trace_events_fail(struct trace_events *events, int err);

/*
 * After attaching, warn about each event that failed. If all failed for the same reason, *ret_error
 * says it instead. Returns 0 if any event is attached, else an error with *ret_error as in struct
 * family_ops.
 */
int trace_events_report(const struct trace_events *events, const struct family_env *env,
			char **ret_error);

/* The event's state as text for kvm.agent.event.status. */
const char *trace_event_status(const struct trace_event *event);

/*
 * How often the event fired and was not counted: runs that the kernel has skipped, of whatever
 * program was counting it. Never falls. One system call. Returns 0, or -ENODATA if it is unknown.
 */
int trace_event_missed(const struct trace_event *event, uint64_t *ret_missed);

/* Has any of the CPUs' rows a count in the slot? */
bool trace_slot_used(const struct trace_row *rows, size_t n, int slot);

/* Which events does the agent count whose rows these are? Those that it has counted once. */
void trace_events_note(struct trace_events *events, const struct trace_row *rows, size_t n);

/* Detach all events and free the list. */
void trace_events_free(struct trace_events *events);

#endif /* PMDAKVM_TRACE_EVENTS_H */
