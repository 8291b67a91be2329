/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * What kvmbpf top shows, made from a snapshot and its rates: of the host the VMs; of a VM its
 * vCPUs, reasons, causes and slow exits. Knows no screen.
 */
#ifndef PMDAKVM_TOP_MODEL_H
#define PMDAKVM_TOP_MODEL_H

#include "command/grid.h"
#include "command/rates.h"
#include "command/top_shares.h"

enum top_section { TOP_VMS, TOP_VCPUS, TOP_REASONS, TOP_CAUSES, TOP_SLOW, TOP_SECTIONS };

/* Those of a VM's screen. */
#define TOP_VM_SECTIONS (TOP_SECTIONS - TOP_VCPUS)

/* Numbers of the host, as cells: of them known and number are used. */
struct top_host {
	struct grid_cell vms, vcpus;
	struct grid_cell exits, trips, halts, emulated; /* a second */
	struct grid_cell cpus[TOP_ALL_SHARES];		/* CPUs that are busy with it */
	struct grid_cell shares[TOP_ALL_SHARES];	/* of all vCPUs' time, per cent */
};

#define TOP_VM_COLUMNS 11

/* The columns of VMs from here on are made of those rows that need them: top_model_rest(). */
#define TOP_VM_REST 3

/* Where each VM's rows begin in a table; the last one is its end. */
struct top_begins {
	const struct snapshot_table *table;
	size_t *list;
};

/* What the rest of VMs' rows is made of: it belongs to the snapshot and the rates. */
struct top_rest {
	const struct rates *rates;
	const struct snapshot_table *vms;
	struct top_times times;
	struct top_place reasons, causes, accesses;
	struct top_begins times_begin, reasons_begin, causes_begin;
};

struct top_model {
	bool exits; /* kvm_exit fires here: else trips to the VMM are counted */
	struct top_host host;
	struct grid grids[TOP_SECTIONS];
	struct grid_column vm_columns[TOP_VM_COLUMNS];
	struct top_rest rest;
	bool there;				 /* the VM that is looked at runs */
	unsigned vcpus;				 /* of it */
	struct grid_cell shares[TOP_ALL_SHARES]; /* of it, per cent */
	struct grid_cell slow;			 /* how many slow exits it has had */
};

void top_model_init(struct top_model *model);
void top_model_free(struct top_model *model);

/* The tables of the snapshot that a screen needs: the host's, or a VM's. */
uint64_t top_tables(const struct snapshot *snapshot, bool of_vm);

/* Those that the host's numbers need alone. */
uint64_t top_host_tables(const struct snapshot *snapshot);

/* Make the host's numbers anew, without its VMs. */
void top_model_numbers(struct top_model *model, const struct snapshot *snapshot,
		       const struct rates *rates);

/*
 * Make the host's section of VMs anew, without the rest of their rows, which needs the snapshot and
 * the rates as they are now. Returns 0 or -ENOMEM.
 */
int top_model_host(struct top_model *model, const struct snapshot *snapshot,
		   const struct rates *rates);

/* Make the rest of a row of the section, wherever it is sorted to. Returns 0 or -ENOMEM. */
int top_model_rest(struct top_model *model, size_t row);

/* Make the sections of the VM of this name anew. Returns 0 or -ENOMEM. */
int top_model_vm(struct top_model *model, const struct snapshot *snapshot,
		 const struct rates *rates, const char *vm);

/* The first columns of a section that are texts to be filtered by. */
size_t top_texts(enum top_section section);

/* What is said where the section of slow exits is empty: why, and how long the longest exit was. */
void top_slow_text(const struct top_model *model, char *text, size_t size);

/* --- for the files of the model --- */

/* Where both are counted, a trip to the VMM is told from an exit by this before its reason. */
#define TOP_TRIP "vmm:"

/* The column of reasons with the longest time, us. */
#define TOP_REASON_MAX 4

/* Set a cell to a metric's value in a row. */
void top_value(struct grid_cell *cell, struct top_place place, size_t row);

/* Set a cell to a metric's rate in a row. */
void top_rate(struct grid_cell *cell, const struct rates *rates, struct top_place place,
	      size_t row);

/* Add the slow exits of the VM of this name. Returns 0 or -ENOMEM. */
int top_slow_make(struct top_model *model, const struct snapshot *snapshot, const char *vm);

/* Does the kernel fire kvm_exit here? */
bool top_has_exits(const struct snapshot *snapshot);

#endif /* PMDAKVM_TOP_MODEL_H */
