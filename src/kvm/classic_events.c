// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "kvm/classic_events.h"

#include <stdlib.h>

#include "kvm/tracepoints.h"

char *classic_events_folder(const struct classic_events *classic, const char *event,
			    const struct record_field *fields)
{
	char *folder;

	if (!classic || !classic->wanted || events_atomic(event))
		return NULL;
	folder = events_folder(classic->tracefs, event);
	if (folder && !record_has_fields(folder, fields)) {
		free(folder);
		folder = NULL;
	}
	return folder;
}
