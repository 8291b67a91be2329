/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* The statistics of each VM and vCPU, which hang on the register's VMs and vCPUs. */
#ifndef PMDAKVM_STAT_VMS_H
#define PMDAKVM_STAT_VMS_H

#include "kvm/stat_schema.h"
#include "vms/vm_register.h"

/*
 * Values are KVM's plus a base. The base is what KVM's counters have lost: somebody resets them, by
 * a write to debugfs. NULL: nothing.
 */
struct stat_vcpu {
	uint32_t n;	   /* layout->vcpu.nvalues */
	uint64_t *base;	   /* [n] */
	uint64_t values[]; /* [n], as last seen */
};

struct stat_vm {
	uint64_t *base;	  /* [layout->vm.nvalues] */
	uint64_t *values; /* [layout->vm.nvalues], as last seen */
	uint64_t *gone;	  /* [layout->vcpu.nvalues], cumulative, of vCPUs that were closed */
	uint64_t *sum;	  /* [layout->vcpu.nvalues], over all vCPUs, closed ones included */
	bool changed; /* values changed since the totals were last written; the writer clears it */
	bool kept, dropped; /* set by the writer: stored in the map; had no room in it */
	bool away; /* set by the writer: its counts are with those of ended VMs in the map */
};

/* What hangs on a VM or vCPU; NULL: no statistics were seen of it. */
static inline struct stat_vm *stat_vm_of(const struct vm *vm)
{
	return vm->hung;
}

static inline struct stat_vcpu *stat_vcpu_of(const struct vcpu *vcpu)
{
	return vcpu->hung;
}

/*
 * Take the values of a VM (vcpu NULL) or of its vCPU from a stat member. Returns 0 or -ENOMEM. If
 * cumulative values fell, somebody has reset them, and the base rises; but of a VM that has no
 * better identity (vm_is_certain) it is another one, and 1 is returned. scratch has room for the
 * values of either.
 */
int stat_vms_seen(const struct stat_layout *layout, uint64_t *scratch, struct vm *vm,
		  struct vcpu *vcpu, const void *member);

/*
 * The VM had at least these cumulative values: raise the base where it has less now. Returns 0 or
 * -ENOMEM.
 */
int stat_vms_raise(const struct stat_layout *layout, const uint64_t *before, struct vm *vm);

/* A vCPU was closed: its cumulative values stay in the VM's sums. */
void stat_vms_vcpu_ended(const struct stat_layout *layout, struct vm *vm, struct vcpu *vcpu);

/* Free what hangs on a VM, or on a vCPU. */
void stat_vms_free(struct vm *vm);
void stat_vms_vcpu_free(struct vcpu *vcpu);

/* Recompute a VM's sum from its vCPUs. A vCPU absent from the last pass has no gauges. */
void stat_vms_sum(const struct stat_layout *layout, const struct vms *vms, struct vm *vm);

#endif /* PMDAKVM_STAT_VMS_H */
