// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "kvm/classic_events.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "kernel/privileges.h"
#include "kernel/refusal.h"
#include "kvm/tracepoints.h"

/* How long perf may take to attach events in a pass. */
#define PASS_NS UINT64_C(3000000000)

/* The first refusal of a pass is the one that is told. */
static void refuse(struct classic_events *classic, enum classic_refusal why, int err)
{
	if (!classic->why) {
		classic->why = why;
		classic->err = err;
	}
}

/* The event has no folder. If others have, there is no such event, and nothing is refused. */
static void refuse_folder(struct classic_events *classic)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/events", classic->tracefs);
	if (access(path, X_OK))
		refuse(classic, CLASSIC_NO_TRACEFS, -errno);
}

bool classic_events_wanted(const struct classic_events *classic)
{
	return classic && classic->wanted;
}

bool classic_events_atomic(const struct classic_events *classic)
{
	return classic && classic->atomic;
}

char *classic_events_folder(struct classic_events *classic, const char *event,
			    const struct record_field *fields)
{
	char *folder;

	if (!classic_events_wanted(classic) || events_atomic(event))
		return NULL;
	if (classic->spent > PASS_NS) {
		refuse(classic, CLASSIC_NO_TIME, 0);
		return NULL;
	}
	folder = events_folder(classic->tracefs, event);
	if (!folder) {
		refuse_folder(classic);
	} else if (!record_has_fields(folder, fields)) {
		refuse(classic, CLASSIC_NO_RECORD, 0);
		free(folder);
		folder = NULL;
	}
	return folder;
}

int classic_events_open(struct classic_events *classic, const char *folder, int prog_fd)
{
	uint64_t start = clock_ns();
	int fd = classic_tracepoint_open(folder, prog_fd);

	classic->spent += clock_ns() - start;
	if (fd < 0)
		refuse(classic, CLASSIC_NO_PERF, fd);
	return fd;
}

/*
 * Distributions such as Debian add a level to upstream's 2: above it perf is for CAP_SYS_ADMIN
 * alone, and CAP_PERFMON is not enough. Returns the level, or 0 if it is not the cause.
 */
static int paranoid_level(const struct classic_events *classic)
{
	FILE *file = classic->err == -EACCES ? fopen(classic->paranoid, "re") : NULL;
	int level = 0;

	if (file && fscanf(file, "%d", &level) != 1)
		level = 0;
	if (file)
		fclose(file);
	return level > 2 ? level : 0;
}

/* Writes the cause of a refusal, and what to do. */
static void cause_write(const struct classic_events *classic, FILE *file)
{
	const char *missing = privs_missing();

	switch (classic->why) {
	case CLASSIC_NO_TRACEFS:
		if (is_lockdown_confidential(classic->lockdown))
			fputs("kernel lockdown mode is confidentiality: there is no tracefs", file);
		else
			fprintf(file, "tracefs (%s/events) cannot be read: %s; %s",
				classic->tracefs, strerror(-classic->err),
				classic->err == -ENOENT ? "mount it" : "let it be read");
		break;
	case CLASSIC_NO_RECORD:
		fputs("tracefs shows no record of the form that the program reads", file);
		break;
	case CLASSIC_NO_TIME:
		fputs("perf has taken 3 s, as on a slow machine or while the kernel detaches an agent that has just ended; store 0, then 1 to kvm.control.attached later",
		      file);
		break;
	default:
		fprintf(file, "perf_event_open() failed (%s)", strerror(-classic->err));
		if (*missing)
			fprintf(file, ": %s missing", missing);
		else if (paranoid_level(classic))
			fprintf(file,
				": kernel.perf_event_paranoid is %d, which wants CAP_SYS_ADMIN; set it to 2, or begin with that capability",
				paranoid_level(classic));
	}
}

void classic_events_report(struct classic_events *classic, struct report *report)
{
	char *text = NULL;
	size_t size;
	FILE *file;

	file = classic->why && classic->why != classic->said ? open_memstream(&text, &size) : NULL;
	if (file) {
		cause_write(classic, file);
		fclose(file);
		report_add(
			report, REPORT_WARNING,
			"events are counted by raw tracepoints, which can be preempted here; what they miss is in kvm.agent.event.missed: %s",
			text);
		free(text);
		classic->said = classic->why;
	}
	classic->why = CLASSIC_NOT_REFUSED;
	classic->spent = 0;
}
