/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Which VMs, vCPUs, reasons and causes the user wants to see: the rows of a snapshot to keep. */
#ifndef PMDAKVM_SELECTION_H
#define PMDAKVM_SELECTION_H

#include <stdbool.h>

#include "metrics/snapshot.h"

enum selection_by {
	BY_VM,
	BY_PID,
	BY_TID,
	BY_VCPU,
	BY_REASON,
	BY_CAUSE,
	BY_EVENT,
	SELECTION_BYS,
};

/*
 * Shell patterns; a row is kept if it matches one of each kind that has any. Those of vCPUs are
 * numbers and ranges, such as 0,2-3; so are those of processes and of vCPUs' threads. A VM is known
 * by its name and by NAME-PID.
 */
struct selection {
	const char **patterns[SELECTION_BYS]; /* [n[by]] */
	size_t n[SELECTION_BYS];
	uint64_t slower; /* ns: exits that took at least as long, or a little longer; 0: all */
};

/* Make room for that many patterns of each kind. Returns 0 or -ENOMEM. */
int selection_init(struct selection *selection, size_t room);
void selection_free(struct selection *selection);

/*
 * Add a pattern, which must outlive the selection. Returns 0, or -EINVAL if it can match nothing:
 * it is empty, or no number where one is needed.
 */
int selection_add(struct selection *selection, enum selection_by by, const char *pattern);

/* Are patterns of this kind lists of numbers? */
bool selection_is_of_numbers(enum selection_by by);

/* Are there patterns of anything but events? */
bool selection_is_of_vms(const struct selection *selection);

/*
 * Tell on stderr which patterns match nothing in the snapshot, unless they are names of reasons
 * that have not occurred. Returns whether there are any.
 */
bool selection_unknown(const struct selection *selection, const struct snapshot *snapshot);

/* Remove all other rows from a copy of a snapshot. Returns 0, or -ENOMEM with nothing removed. */
int selection_apply(const struct selection *selection, struct snapshot *snapshot);

#endif /* PMDAKVM_SELECTION_H */
