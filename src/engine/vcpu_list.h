/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Lists of what records have, by VM and vCPU: that of threads, added up; and what is kept of
 * records that are retired, for as long as their VM runs.
 */
#ifndef PMDAKVM_VCPU_LIST_H
#define PMDAKVM_VCPU_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "engine/vm_counters.h"
#include "vms/vm_register.h"

/* An element begins with it: ids in the register; no vCPU: it is gone, its VM is not. */
struct vcpu_ids {
	uint32_t vm, vcpu;
};

struct vcpu_list {
	void *list; /* [n] */
	size_t n, room;
};

/* What is in a list. */
struct vcpu_list_kind {
	size_t size; /* of an element */
	/* Add one thread's to another's of the same vCPU; what from has of memory goes. */
	void (*add)(void *to, const void *from);
	void (*unseat)(void *element); /* its vCPU is gone; NULL: all that it has is the VM's */
	void (*drop)(void *element);   /* free what it has of memory; NULL: it has none */
};

/* Takes a zeroed list. */
void vcpu_list_free(struct vcpu_list *list, const struct vcpu_list_kind *kind);

/* Append a copy. Returns 0 or -ENOMEM. */
int vcpu_list_add(struct vcpu_list *list, const struct vcpu_list_kind *kind, const void *element);

/* Sort the list, and add up what has one VM and vCPU. */
void vcpu_list_merge(struct vcpu_list *list, const struct vcpu_list_kind *kind);

/* Drop what is kept of VMs that are gone; what has a vCPU that is gone becomes its VM's. Merges. */
void vcpu_list_update(struct vcpu_list *list, const struct vcpu_list_kind *kind,
		      const struct vms *vms);

/* In a merged list, what a VM has, or its vCPU (0: all of them): the first, and their number. */
const void *vcpu_list_find(const struct vcpu_list *list, const struct vcpu_list_kind *kind,
			   struct vcpu_ids ids, size_t *ret_n);

/* Whose a record is; no VM: it is not known (yet). */
struct vcpu_ids vcpu_ids_of(const struct vm_counters *records, uint32_t number);

/*
 * Call the function with each record that is in use, until it returns an error, which is returned
 * then.
 */
int vcpu_records_walk(const struct vm_counters *records,
		      int (*read)(void *data, uint32_t number, const void *record), void *data);

#endif /* PMDAKVM_VCPU_LIST_H */
