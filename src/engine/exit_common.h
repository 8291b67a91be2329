/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * State and code shared by the families exit and userspace_exit: exit.c and userspace_exit.c load
 * and attach, exit_common.c and exit_histograms.c read, exit_tables.c fills the tables.
 */
#ifndef PMDAKVM_EXIT_COMMON_H
#define PMDAKVM_EXIT_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/vcpu_counters.h"
#include "kvm/exit_offsets.h"
#include "kernel/map_usage.h"
#include "kernel/raw_tracepoints.h"
#include "vms/family_env.h"
#include "vms/tables.h"

#define EXITS_PROGRAMS 3

struct exits {
	struct family_env env;
	struct vcpu_counters counters;
	struct program programs[EXITS_PROGRAMS];
	/* maps of histograms, of the loaded object; NULL: it has none, or they are disabled */
	const struct bpf_map *latency_map, *vm_latency_map;
	bool reasons;	      /* reasons are known; without them only totals are shown */
	bool fires;	      /* this KVM fires the event; that the event exists is not enough */
	uint64_t read;	      /* time of the last read of counters, ns */
	size_t vm_histograms; /* number of VM histograms at the last read */
	size_t seen;	      /* reasons and buckets that had rows then */
	struct exit_layout layout; /* the loaded one; exit family only */
	bool has_layout;
	char *no_reasons; /* message for missing reasons; NULL: reasons are known */
	size_t ncpus;	  /* number of possible CPUs by libbpf's count */
	size_t nlatency;  /* histograms in the map; see exits_latency_map() */
	uint64_t latency[EXIT_SLOTS][EXIT_BUCKETS];	 /* as last read */
	uint64_t latency_read[EXIT_SLOTS][EXIT_BUCKETS]; /* as being read */
};

/* Make a family's state with nothing loaded. Returns 0 or -ENOMEM. */
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

/* Attach the programs that are not attached; if there are any, begin a new generation. */
int exits_attach(struct exits *exits);

/* Fill in the state of the maps of counters and histograms. */
void exits_map(struct exits *exits, struct map_usage *ret_usage);
void exits_latency_map(struct exits *exits, struct map_usage *ret_usage);
void exits_vm_latency_map(struct exits *exits, struct map_usage *ret_usage);

/* Read VMs' histograms, if there are any; call it after counters were read. 0 or -ENOMEM. */
int exits_vm_latency_refresh(struct exits *exits);

/* Tables of the families exit and userspace_exit. */
#define EXIT_TABLES	      7
#define USERSPACE_EXIT_TABLES 2
extern const struct table exit_tables[EXIT_TABLES];
extern const struct table userspace_exit_tables[USERSPACE_EXIT_TABLES];

#endif /* PMDAKVM_EXIT_COMMON_H */
