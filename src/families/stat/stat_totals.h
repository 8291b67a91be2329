/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Totals of the host: over all VMs that there are, and of what only grows, over those
 * that have ended too, so that a counter never falls. In pinned maps they outlive the
 * agent: what the ended ones counted, and the last known of each living one, which may
 * end while no agent runs.
 */
#ifndef PMDAKVM_STAT_TOTALS_H
#define PMDAKVM_STAT_TOTALS_H

#include <stdbool.h>
#include <stdint.h>

#include "kvm/stat_schema.h"
#include "vms/vm_register.h"

struct stat_totals {
	const struct stat_layout *layout;
	uint64_t schema; /* a hash of its statistics' names: what kept values are of */
	/* [layout->vm.nvalues], behind them [layout->vcpu.nvalues], as all arrays here */
	uint64_t *ended;      /* of VMs that have ended, what only grows */
	uint64_t *now;	      /* totals as of the last stat_totals_sum */
	uint64_t *kept;	      /* room for a VM's */
	int ended_fd, vms_fd; /* the maps; -1: none, nothing is kept */
	bool taken_up;	      /* the maps have been looked through after a start */
	bool counted;	      /* a sum was made: else now is not true */
	uint64_t nkept;	      /* VMs that are in the map */
	uint64_t dropped;     /* VMs that found no room there */
};

/* Bytes of a value of the maps, for that layout. */
uint32_t stat_totals_bytes(const struct stat_layout *layout);

/* Totals of nothing yet. 0 or -ENOMEM. The layout must outlive them. */
int stat_totals_init(const struct stat_layout *layout, struct stat_totals *ret_totals);

void stat_totals_free(struct stat_totals *totals);

/*
 * What older ones know of ended VMs is in these too, by the statistics' names, and so is
 * how many VMs found no room.
 */
void stat_totals_inherit(struct stat_totals *totals, const struct stat_totals *older);

/*
 * Keep them in these maps from now on: of one value, and of one for each VM, by struct
 * stat_vm_key. With take_up set, what an earlier agent has left there of a layout with
 * the same names is taken up, at once and at the next stat_totals_sum; returns whether
 * there was something of another, which is gone.
 */
bool stat_totals_keep(struct stat_totals *totals, int ended_fd, int vms_fd, bool take_up);

/* As struct vms wants it, with the totals as data. */
void stat_totals_ended(const struct vm *vm, void *totals);

/* After a pass: sum up, and write down. */
void stat_totals_sum(struct stat_totals *totals, struct vms *vms);

#endif /* PMDAKVM_STAT_TOTALS_H */
