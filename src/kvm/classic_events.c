// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "kvm/classic_events.h"

#include <stdlib.h>

#include "base/clock.h"
#include "kvm/tracepoints.h"

/* How long perf may take to attach events in a pass. */
#define PASS_NS UINT64_C(3000000000)

char *classic_events_folder(struct classic_events *classic, const char *event,
			    const struct record_field *fields)
{
	char *folder;

	if (!classic || !classic->wanted || events_atomic(event) || classic->spent > PASS_NS)
		return NULL;
	folder = events_folder(classic->tracefs, event);
	if (folder && !record_has_fields(folder, fields)) {
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
	return fd;
}
