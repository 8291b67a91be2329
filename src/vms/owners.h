/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* What rows of tables belong to: the host, CPUs, VMs and vCPUs, each in natural order. */
#ifndef PMDAKVM_OWNERS_H
#define PMDAKVM_OWNERS_H

#include <stddef.h>
#include <stdint.h>

#include "kernel/cpus.h"
#include "vms/vm_register.h"

enum owner_kind { OWNER_HOST, OWNER_CPU, OWNER_VM, OWNER_VCPU, OWNER_KINDS };

/* Valid until the register changes. */
struct owner {
	uint32_t id;	  /* of a CPU its number; else unique in its kind while the owner exists */
	const char *name; /* NULL for the host */
	struct labels *labels;
	const struct vm *vm;	 /* of a VM or a vCPU */
	const struct vcpu *vcpu; /* of a vCPU */
};

struct owners {
	struct owner_list {
		struct owner *list;
		size_t n, room;
	} kinds[OWNER_KINDS];
	char (*cpu_names)[16]; /* [cpus->n] */
	size_t ncpu_names;
	uint64_t vms_changes; /* the register's plus 1, when the lists were made; 0: never */
	uint64_t changes;     /* incremented when a list changes */
};

/*
 * Bring the lists up to date: the CPUs that are present, and the VMs and vCPUs that the register's
 * last pass saw. VMs are sorted by name, with numbers in names compared by value; vCPUs by VM and
 * vCPU ID. owners is zeroed before the first call. Returns 0, or -ENOMEM with lists that are
 * incomplete but valid.
 */
int owners_update(struct owners *owners, const struct vms *vms, const struct cpus *cpus);

void owners_free(struct owners *owners);

#endif /* PMDAKVM_OWNERS_H */
