/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Opens, loads, attaches and detaches the families, each on its own: one that
 * fails costs its own tables and no other.
 */
#ifndef PMDAKVM_COLLECTOR_H
#define PMDAKVM_COLLECTOR_H

#include "family.h"

struct collector_family {
	const struct family *family;
	void *state;
	int err;	      /* 0: attached */
	char *why;	      /* why not, in words; NULL if attached */
	uint64_t attach_time; /* ns that opening took */
};

struct collector;

/*
 * Open every family as the configuration says; config must outlive the
 * collector. What fails adds lines to the report. Returns 0 even where no family
 * could be opened (collector_attached tells), or -ENOMEM, or what reading the
 * list of CPUs gave. libbpf's own print function is ours meanwhile and the
 * caller's again afterwards.
 */
int collector_open(const struct config *config, struct report *report,
		   struct collector **ret_collector);

/* Detach all and free; takes NULL. */
void collector_close(struct collector *collector);

/* How many families count. */
size_t collector_attached(const struct collector *collector);

/* The families, families_count of them. */
const struct collector_family *collector_families(const struct collector *collector);

/* The CPUs; looked at again by collector_update_cpus (1 if there are new ones). */
const struct cpus *collector_cpus(const struct collector *collector);
int collector_update_cpus(struct collector *collector);

/* All tables that there are; values come with collector_read. */
struct snapshot *collector_snapshot(struct collector *collector);

/*
 * Read the tables whose bits are set in the mask (bit i: table i of the
 * snapshot), and no other. Returns 0 or -ENOMEM.
 */
int collector_read(struct collector *collector, uint64_t tables);

#endif /* PMDAKVM_COLLECTOR_H */
