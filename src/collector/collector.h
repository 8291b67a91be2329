/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Opens, attaches, reads and closes all families; a family that fails affects only its own
 * tables.
 */
#ifndef PMDAKVM_COLLECTOR_H
#define PMDAKVM_COLLECTOR_H

#include "collector/collector_family.h"

struct collector;

/* What is pinned below the folder that [bpf] pin of kvm.conf names. */
enum collector_pins {
	COLLECTOR_ALONE, /* nothing */
	COLLECTOR_PINS,	 /* the maps, as an agent does */
	COLLECTOR_READS, /* an agent's maps are read, if one runs; else nothing is pinned */
};

/*
 * Load and attach every family as the configuration says; config, items and numbers must outlive
 * the collector. numbers may be NULL: then instances have no numbers. Where the maps of an agent
 * that runs are read, no family is loaded or attached, but for those of another layout. Failures of
 * families add lines to the report. Returns 0 even if no family could be attached (see
 * collector_attached()), -ENOMEM, or the error of reading the list of CPUs. Replaces libbpf's print
 * function during the call and restores the caller's before returning.
 */
int collector_open(const struct config *config, struct items *items,
		   struct instance_numbers *numbers, enum collector_pins pin, struct report *report,
		   struct collector **ret_collector);

/* The folder of the agent whose maps are read; NULL: they are our own. */
const char *collector_reads(const struct collector *collector);

/* Had that agent ended at the last tick? Then its counts stand still. */
bool collector_stands(const struct collector *collector);

/* Detach all families and free the collector; takes NULL. Pinned maps stay. */
void collector_close(struct collector *collector);

/* The number of attached families. */
size_t collector_attached(const struct collector *collector);

/*
 * Returns whether a wanted family is detached only because KVM is not loaded yet; if an agent's
 * maps are read, whether KVM is not loaded.
 */
bool collector_waits(const struct collector *collector);

/* An array of families_count elements, in the order of families[]. */
const struct collector_family *collector_families(const struct collector *collector);

/*
 * Attach or detach a family; ticks keep it so. Returns 0 if the family is now as wanted, or will
 * be once KVM is loaded, or has nothing to count on this host; -ENODEV if it could not be loaded;
 * or the error of attaching.
 */
int collector_switch(struct collector *collector, size_t family, bool attached,
		     struct report *report);

/* Start a new epoch for maxima such as kvm.exit.max. Returns 0 or the first family's error. */
int collector_reset_max(struct collector *collector);

/*
 * Check for new CPUs and for KVM being loaded, unloaded or reloaded, and attach what can be
 * attached now. Call it about once a second; it costs a few system calls. Returns whether any
 * table's rows or columns changed.
 */
bool collector_tick(struct collector *collector, struct report *report);

/* The tables of all families and of the agent; collector_read() fills in their values. */
struct snapshot *collector_snapshot(struct collector *collector);

/*
 * Refresh the families of the tables in the mask (bit i: table i of the snapshot), which updates
 * the rows of all tables of those families, then read the values of the tables in the mask only.
 * Returns 0 or -ENOMEM.
 */
int collector_read(struct collector *collector, uint64_t tables);

/*
 * The same, but also update the rows of the tables in the mask rows, without their values. Of rows
 * alone, VMs are as they were within the last VMS_NAMES_NS.
 */
int collector_read_with_rows(struct collector *collector, uint64_t tables, uint64_t rows);

#endif /* PMDAKVM_COLLECTOR_H */
