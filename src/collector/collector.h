/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Opens, loads, attaches and detaches the families, each on its own: one that
 * fails costs its own tables and no other.
 */
#ifndef PMDAKVM_COLLECTOR_H
#define PMDAKVM_COLLECTOR_H

#include "collector/collector_family.h"

struct collector;

/*
 * Load and attach every family as the configuration says; config and items must
 * outlive the collector. With pin set maps are pinned as [bpf] pin says. What fails
 * adds lines to the report. Returns 0 even where no family could be attached
 * (collector_attached tells), or -ENOMEM, or what reading the list of CPUs gave.
 * libbpf's own print function is ours meanwhile and the caller's again afterwards.
 */
int collector_open(const struct config *config, struct items *items, bool pin,
		   struct report *report, struct collector **ret_collector);

/* Detach all and free; takes NULL. Pinned maps stay. */
void collector_close(struct collector *collector);

/* How many families count. */
size_t collector_attached(const struct collector *collector);

/* Does a family only wait for KVM to come? */
bool collector_waits(const struct collector *collector);

/* The families, families_count of them. */
const struct collector_family *collector_families(const struct collector *collector);

/*
 * Attach a family, or detach it, and have it stay so. 0 if it is now as wanted or
 * will be once KVM is there, -ENODEV if it could not be loaded, or the error.
 */
int collector_switch(struct collector *collector, size_t family, bool attached,
		     struct report *report);

/* From now on have highest values looked for anew, as kvm.exit.max. 0 or an error. */
int collector_reset_max(struct collector *collector);

/*
 * Look around: are there new CPUs, has KVM come, gone or come anew? What can be
 * attached now is. Costs a few system calls; meant for once a second. Returns
 * whether any table has other rows or columns than before.
 */
bool collector_tick(struct collector *collector, struct report *report);

/* All tables that there are; values come with collector_read. */
struct snapshot *collector_snapshot(struct collector *collector);

/*
 * Read the tables whose bits are set in the mask (bit i: table i of the
 * snapshot), and no other; rows of all tables of their families follow what is there
 * now. Returns 0 or -ENOMEM.
 */
int collector_read(struct collector *collector, uint64_t tables);

/* The same; rows of further tables follow, too, which are not read. */
int collector_read_with_rows(struct collector *collector, uint64_t tables, uint64_t rows);

#endif /* PMDAKVM_COLLECTOR_H */
