/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * What the families exit and userspace_exit have in common: exit.c and userspace_exit.c
 * load and attach, exits.c reads, exit_tables.c shows.
 */
#ifndef PMDAKVM_EXITS_H
#define PMDAKVM_EXITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/vcpu_counters.h"
#include "kvm/exit_offsets.h"
#include "families/family.h"
#include "kernel/raw_tracepoints.h"

#define EXITS_PROGRAMS 3

struct exits {
	struct family_env env;
	struct vcpu_counters counters;
	struct program programs[EXITS_PROGRAMS];
	bool reasons;		   /* they are known: without them there are only totals */
	bool fires;		   /* this KVM has the event, not only its name */
	uint64_t read;		   /* when cells were read last, in ns */
	uint64_t vms_changes;	   /* of the VMs, when rows were made last */
	size_t vm_histograms;	   /* that there were when they were read last */
	size_t seen;		   /* reasons and buckets that had rows then */
	struct exit_layout layout; /* that is loaded, of the exit family */
	bool has_layout;
	struct snapshot_labels *labels[EXIT_SLOTS]; /* of reasons, while rows are made */
	char *no_reasons;			    /* why there are no reasons; NULL: there are */
	__u64 *cpu_buckets;			    /* room for a histogram, of each possible CPU */
	size_t ncpus;				    /* possible ones, as libbpf counts them */
	uint64_t latency[EXIT_SLOTS][EXIT_BUCKETS]; /* as last read */
};

/* A family's state, with nothing loaded. 0 or -ENOMEM. */
int exits_new(const struct family_env *env, const char *name, uint32_t layout, unsigned nslots,
	      enum reasons_isa isa, struct exits **ret_exits);

/* Hooks of both families, see family.h. */
void exits_detach(void *state);
void exits_close(void *state);
int exits_missed(void *state, uint64_t *ret_missed);
uint64_t exits_generation(void *state);
int exits_refresh(void *state);
int exits_reset_max(void *state);
void exits_tick(void *state, struct report *report);

/* Have the programs attached that are not, in a new generation if there are any. */
int exits_attach(struct exits *exits);

/* What can be said of the maps of cells and histograms. */
void exits_map(const struct exits *exits, struct family_map *ret_map);
void exits_latency_map(const struct exits *exits, struct family_map *ret_map);
void exits_vm_latency_map(const struct exits *exits, struct family_map *ret_map);

/* VMs' histograms, of which there may be none: read, after the cells; and their table. */
int exits_vm_latency_refresh(struct exits *exits);
int exits_vm_latency_sync(void *state, struct snapshot_table *table);
int exits_vm_latency_read(void *state, struct snapshot_table *table);

/* Tables of the exit family, and of userspace_exit. */
#define EXIT_TABLES	      7
#define USERSPACE_EXIT_TABLES 2
extern const struct family_table exit_tables[EXIT_TABLES];
extern const struct family_table userspace_exit_tables[USERSPACE_EXIT_TABLES];

#endif /* PMDAKVM_EXITS_H */
