/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Sums up what is published of records: by VM and key, and by key for the host. */
#ifndef PMDAKVM_CAUSE_TOTALS_H
#define PMDAKVM_CAUSE_TOTALS_H

#include <stddef.h>
#include <stdint.h>

#include "engine/vm_counters.h"
#include "families/cause/cause_sums.h"

struct cause_total {
	uint32_t vm; /* its id; 0: the host's */
	uint64_t key;
	struct cause_counts counts;
	bool seen; /* in this reading */
};

struct cause_list {
	struct cause_total *list; /* [n], sorted by VM and key, each once */
	size_t n, room;
	size_t sorted; /* while it is summed up: how many it had; the others are behind */
};

struct cause_totals {
	struct cause_sums *sums;
	const struct vm_counters *records; /* whose records are whose */
	const struct cause_row *rows;	   /* [nrows] what found no record */
	size_t nrows;
	uint32_t vm_keys;	 /* at most so many keys of a VM are published */
	struct cause_list vms;	 /* as last read */
	struct cause_list host;	 /* the same */
	struct cause_list kept;	 /* of retired records of VMs that run; no total of a VM falls */
	struct cause_list fresh; /* keys admitted in the last read */
	bool exits, trips;	 /* any were charged, ever */
	uint64_t fetched;	 /* when a fetch has read all, ns; 0: not since the last tick */
	bool grown;		 /* there are keys that the caller has not seen; it clears it */
};

/* Takes a zeroed struct. */
void cause_totals_free(struct cause_totals *totals);

/*
 * Publish what all records have, and sum it up. vms: the register, to which they are assigned.
 * Returns 0 or -ENOMEM.
 */
int cause_totals_read(struct cause_totals *totals, const struct vms *vms);

/* A fetch has read it. */
void cause_totals_fetched(struct cause_totals *totals);

/* For a tick: has a fetch read it less than a tenth of a second ago, and after the last tick? */
bool cause_totals_fresh(struct cause_totals *totals);

/*
 * Sum up what the agent that runs has published, as it has moved nothing meanwhile. Publishes
 * nothing. Returns 0 or -ENOMEM.
 */
int cause_totals_show(struct cause_totals *totals);

/* A record is about to be retired, and no program writes it: keep its VM's. Returns 0 or -ENOMEM.
 */
int cause_totals_retire(struct cause_totals *totals, uint32_t number);

/* The keys of a VM, or of the host (0): the first, and their number. */
const struct cause_total *cause_totals_of(const struct cause_totals *totals, uint32_t vm,
					  size_t *ret_n);

/* One of them, or NULL. */
const struct cause_total *cause_totals_find(const struct cause_totals *totals, uint32_t vm,
					    uint64_t key);

#endif /* PMDAKVM_CAUSE_TOTALS_H */
