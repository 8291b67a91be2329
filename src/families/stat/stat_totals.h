/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Host totals: over all living VMs, and for cumulative statistics over destroyed VMs, too, so that
 * a counter never falls. Pinned maps keep them across agents: the counts of destroyed VMs, and the
 * last known values of each living one, which may be destroyed while no agent runs.
 */
#ifndef PMDAKVM_STAT_TOTALS_H
#define PMDAKVM_STAT_TOTALS_H

#include <stdbool.h>
#include <stdint.h>

#include "kvm/stat_schema.h"
#include "families/stat/stat_vms.h"

struct stat_totals {
	const struct stat_layout *layout;
	uint64_t schema; /* hash of the statistics' names; identifies the values in the maps */
	/* [layout->vm.nvalues] followed by [layout->vcpu.nvalues], as in all arrays here */
	uint64_t *ended;      /* cumulative values of destroyed VMs */
	uint64_t *now;	      /* totals at the last stat_totals_sum */
	uint64_t *away;	      /* cumulative values of VMs that are away, at the last sum */
	uint64_t *kept;	      /* buffer for a map value */
	int ended_fd, vms_fd; /* the maps; -1: none, nothing is kept */
	int watched_fd;	      /* the map of an agent that runs, as ended_fd; 0 or less: none */
	bool taken_over;      /* an earlier agent's entries were taken over */
	bool counted;	      /* now is valid: a sum was made */
	uint64_t nkept;	      /* VMs in the map */
	uint64_t dropped;     /* VMs that found no room in it */
};

/* Size of a value in the maps for this layout, in bytes. */
uint32_t stat_totals_bytes(const struct stat_layout *layout);

/* Initialize totals to 0; the layout must outlive them. Returns 0 or -ENOMEM. */
int stat_totals_init(const struct stat_layout *layout, struct stat_totals *ret_totals);

void stat_totals_free(struct stat_totals *totals);

/*
 * Add an older layout's counts of destroyed VMs, matched by the statistics' names, and its number
 * of dropped VMs.
 */
void stat_totals_inherit(struct stat_totals *totals, const struct stat_totals *older);

/*
 * Keep totals in these maps from now on: ended_fd has one value, vms_fd one value per VM, keyed by
 * struct vm_key. If take_over is set, take over what an earlier agent left there with the same
 * schema, now and at the next stat_totals_sum. Returns whether values of another schema were
 * discarded.
 */
bool stat_totals_keep(struct stat_totals *totals, int ended_fd, int vms_fd, bool take_over);

/*
 * Read the counts of destroyed VMs from the map of an agent that runs, at each stat_totals_sum();
 * nothing is kept there.
 */
void stat_totals_watch(struct stat_totals *totals, int ended_fd);

/* A VM was destroyed, with statistics hung on it: its counts stay in the totals. */
void stat_totals_ended(struct stat_totals *totals, const struct vm *vm);

/* After a pass that was aborted: recompute the VMs' sums alone. */
void stat_totals_sum_vms(const struct stat_totals *totals, const struct vms *vms);

/* After a pass: recompute the VMs' sums and the totals, and store changed VMs in the map. */
void stat_totals_sum(struct stat_totals *totals, const struct vms *vms);

#endif /* PMDAKVM_STAT_TOTALS_H */
