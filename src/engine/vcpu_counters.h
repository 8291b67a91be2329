/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * The user side of cells (bpf/vcpu_counters.h, bpf/vcpu_counters.bpf.h): read them, add them up,
 * and keep what threads that have ended had counted.
 */
#ifndef PMDAKVM_CELLS_H
#define PMDAKVM_CELLS_H

#include <bpf/libbpf.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/vm_counters.h"
#include "kernel/cpus.h"
#include "bpf/vcpu_counters.h"
#include "kernel/map_dump.h"
#include "kernel/pinned_maps.h"
#include "kvm/exit_reasons.h"

struct vcpu_counters {
	const char *name;     /* of the family, which its maps' names begin with */
	uint32_t layout;      /* version of its pinned maps */
	unsigned nslots;      /* of a cell */
	enum reasons_isa isa; /* whose slots they are: as the last cell had it */
	const struct cpus *cpus;
	const char *proc;
	struct bpf_object *object;	 /* NULL: not loaded yet */
	const struct overflow_row *rows; /* mapped, [cpus->n]; NULL: not loaded */
	int fd, ended_fd, codes_fd, control_fd;
	struct retired_counters *ended; /* with its reasons behind it */
	struct thread_counters *room;	/* for one that is read */
	struct map_keys keys;		/* struct cell_key of those that there are, in order */
	struct reason_counters
		*total;		/* [nslots] of the host, max without its turn; as last read */
	uint64_t used, dropped; /* cells there are; exits that found none */
	struct counters_control control;
	char names[COUNTER_SLOTS_MAX][REASONS_NAME_SIZE]; /* of reasons that have been counted */
	struct vm_counters vms;
};

/* Begin with nothing loaded; what is given must outlive it. 0 or -ENOMEM. */
int vcpu_counters_init(struct vcpu_counters *counters, const char *name, uint32_t layout,
		       unsigned nslots, enum reasons_isa isa, const struct cpus *cpus,
		       const char *proc);

/* Free all, with the object; takes what cells_init has failed on, or zeros. */
void vcpu_counters_free(struct vcpu_counters *counters);

/*
 * Load an object, which is then the cells', or is closed. Its maps are those of the object
 * before it, if there was one, else the pinned ones. Cells are at most limit. Returns what
 * loading gave; after an error all is as before.
 */
int vcpu_counters_load(struct vcpu_counters *counters, struct bpf_object *object, uint32_t limit,
		       const struct pins *pins, struct report *report);

/*
 * Before anything is attached anew: open pairs are void from now on. Threads that ended
 * while nothing was attached are looked for, once sched_process_exit is attached.
 */
void vcpu_counters_begin(struct vcpu_counters *counters);
void vcpu_counters_reap(struct vcpu_counters *counters);

/*
 * Read all: total, and what each VM and vCPU of the register has. Threads that have ended
 * go into what is kept. 0 or -ENOMEM.
 */
int vcpu_counters_read(struct vcpu_counters *counters, const struct vms *vms);

/* From now on the longest time of each reason is looked for anew. 0 or an error. */
int vcpu_counters_reset_max(struct vcpu_counters *counters);

/* What a slot's reason is called; lives as long as the cells. */
const char *vcpu_counters_reason_name(struct vcpu_counters *counters, unsigned slot);

#endif /* PMDAKVM_CELLS_H */
