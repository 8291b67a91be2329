/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * The user side of per-thread vCPU counters (bpf/vcpu_counters.h, bpf/vcpu_counters.bpf.h): reads
 * them, sums them up, and retires counters of ended threads.
 */
#ifndef PMDAKVM_VCPU_COUNTERS_H
#define PMDAKVM_VCPU_COUNTERS_H

#include <bpf/libbpf.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/reason_slots.h"
#include "engine/vm_counters.h"
#include "kernel/cpus.h"
#include "kernel/kernel_types.h"
#include "bpf/vcpu_counters.h"
#include "kernel/map_dump.h"
#include "kernel/pinned_maps.h"
#include "kvm/exit_reasons.h"

/*
 * A family's generated skeleton, and those of its members that count: the family opens it, the
 * counters load and destroy it.
 */
struct counters_object {
	void *family; /* struct NAME_bpf; NULL: nothing is loaded */
	void (*destroy)(void *family);
	struct bpf_object_skeleton *skeleton;
	struct bpf_map *cells;	 /* counters by thread */
	struct bpf_map *ended;	 /* sums of retired threads */
	struct bpf_map *rows;	 /* what found no room, by CPU */
	struct bpf_map *codes;	 /* unknown codes, by slot */
	struct bpf_map *control; /* struct counters_control */
	struct bpf_map *meta;
};

struct vcpu_counters {
	const char *name;	   /* of the family */
	uint32_t layout;	   /* layout version of its pinned maps */
	unsigned nslots;	   /* reasons per thread */
	struct reason_slots slots; /* their instruction set is that of the last counters read */
	const struct cpus *cpus;
	const char *proc;
	struct counters_object object;
	const struct overflow_row *overflow; /* mapped, [cpus->n]; NULL: not loaded */
	int fd, retired_fd, control_fd;
	struct retired_counters *retired; /* followed by its reasons */
	struct thread_counters *scratch;  /* buffer for one thread's counters */
	struct map_dump dump;		  /* for reading any of the family's maps */
	struct thread_key *later;	  /* [nlater] entries that are read after all others */
	size_t nlater, later_room;
	struct reason_counters
		*total;		/* [nslots] of the host as last read; max without the epoch */
	uint64_t used, dropped; /* entries in the map; exits that found no room */
	struct counters_control control;
	struct vm_counters vms;
};

/* Initialize with nothing loaded; the arguments must outlive it. Returns 0 or -ENOMEM. */
int vcpu_counters_init(struct vcpu_counters *counters, const char *name, uint32_t layout,
		       unsigned nslots, enum reasons_isa isa, const struct cpus *cpus,
		       const char *proc);

/*
 * Free everything, including the object; takes a zeroed struct or one whose vcpu_counters_init
 * failed.
 */
void vcpu_counters_free(struct vcpu_counters *counters);

/*
 * Load an object; counters own it from then on, and it is destroyed on failure. It reuses the maps
 * of its predecessor if there is one, else the pinned maps. limit is the maximum number of threads
 * with counters. Returns 0 or the error from loading, which leaves the state unchanged.
 */
int vcpu_counters_load(struct vcpu_counters *counters, const struct counters_object *object,
		       uint32_t limit, const struct pins *pins, struct kernel_types *types,
		       struct report *report);

/*
 * Call vcpu_counters_begin before attaching: it invalidates open exit-entry pairs. Call
 * vcpu_counters_reap once sched_process_exit is attached: it marks threads that ended while nothing
 * was attached.
 */
void vcpu_counters_begin(struct vcpu_counters *counters);
void vcpu_counters_reap(struct vcpu_counters *counters);

/*
 * Read all counters: sets total and the sums of each VM and vCPU in the register, and retires ended
 * threads. Returns 0 or -ENOMEM.
 */
int vcpu_counters_read(struct vcpu_counters *counters, const struct vms *vms);

/* Begin a new epoch: max of each reason starts again. Returns 0 or an error. */
int vcpu_counters_reset_max(struct vcpu_counters *counters);

#endif /* PMDAKVM_VCPU_COUNTERS_H */
