/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* The register's VMs and vCPUs, sorted to be found by address, thread or id. */
#ifndef PMDAKVM_KNOWN_VCPUS_H
#define PMDAKVM_KNOWN_VCPUS_H

#include <stddef.h>
#include <stdint.h>

#include "vms/vm_register.h"

/* A vCPU, by its address, thread or id. */
struct known {
	uint64_t key;
	const struct vm *vm;
	const struct vcpu *vcpu;
};

/*
 * Addresses and threads are those that the last pass saw: those of a vCPU that is hidden, or gone,
 * can be another's already.
 */
struct known_vcpus {
	struct known *addresses, *threads; /* [nthere] each, sorted */
	size_t nthere;
	struct known *ids; /* [n], sorted */
	size_t n;
	struct known *vms; /* [nvms], by id, without vCPU */
	size_t nvms;
};

/*
 * Sort those of a register; known is zeroed before. Returns 0 or -ENOMEM; known_free() in both
 * cases.
 */
int known_make(const struct vms *vms, struct known_vcpus *known);
void known_free(struct known_vcpus *known);

/* The entry with this key in one of the lists, or NULL. */
const struct known *known_find(const struct known *list, size_t n, uint64_t key);

#endif /* PMDAKVM_KNOWN_VCPUS_H */
