/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Which events are attached by perf (kernel/classic_tracepoints.h), not as raw tracepoints. */
#ifndef PMDAKVM_CLASSIC_EVENTS_H
#define PMDAKVM_CLASSIC_EVENTS_H

#include <stdbool.h>

#include "kernel/classic_tracepoints.h"
#include "kernel/late_close.h"

struct classic_events {
	const char *tracefs;
	bool wanted;		 /* a thread can be switched out inside raw tracepoint programs */
	struct late_close *late; /* closes their links; not NULL if wanted */
};

/*
 * The folder in tracefs of an event to be attached by perf, by a program that reads these fields of
 * its record (NULL: none); the caller frees it. NULL: attach a raw tracepoint. So it is where
 * nothing can be switched out, and where tracefs cannot be read or has a record of another form.
 * classic may be NULL.
 */
char *classic_events_folder(const struct classic_events *classic, const char *event,
			    const struct record_field *fields);

#endif /* PMDAKVM_CLASSIC_EVENTS_H */
