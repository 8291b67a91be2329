/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * The register of VMs and vCPUs. Passes over the kernel's open files (vm_passes.h) keep it up to
 * date: each pass shows one record per open file of a VM or vCPU; several files can belong to one.
 * Others hang what they have of a VM or vCPU on it.
 */
#ifndef PMDAKVM_VM_REGISTER_H
#define PMDAKVM_VM_REGISTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/vms.h"
#include "kernel/pinned_folder.h"
#include "metrics/instance_numbers.h"
#include "vms/vm.h"

/*
 * Who hangs something on VMs and vCPUs. member is the stat member of struct kvm or struct kvm_vcpu
 * that a pass has copied. All functions are called within a pass, unless said otherwise.
 */
struct vms_listener {
	void *data;
	/*
	 * A VM (vcpu NULL) or vCPU was seen; what hangs on it is NULL at first. Returns 0, 1 if the
	 * member shows that it is another one at the same address, or -ENOMEM.
	 */
	int (*seen)(void *data, struct vm *vm, struct vcpu *vcpu, const void *member);
	/* A vCPU gave way to another one, or a VM was destroyed. Frees what hangs on it. */
	void (*ended)(void *data, struct vm *vm, struct vcpu *vcpu);
	/* A pass has ended; if it is not complete, it does not tell who is gone. */
	void (*passed)(void *data, bool complete);
};

struct vms {
	const char *proc;
	const struct vms_listener *listener; /* NULL: none */
	uint32_t vm_bytes, vcpu_bytes;	     /* sizes of the stat members in records */
	struct vm **list; /* sorted by address; includes VMs absent from the last pass */
	size_t n;
	uint64_t pass;
	uint64_t now;	  /* when the pass began, ns */
	uint64_t away_ns; /* how long an absent VM is kept: VMS_AWAY_NS, but for tests */
	bool hides;	  /* the last pass did not see all VMs and vCPUs of the list */
	uint64_t changes; /* how often VMs or vCPUs appeared, disappeared or got other labels */
	uint32_t last_id, last_vcpu_id;
	bool labels_stay;	  /* nobody looks at labels: they do not follow VMs */
	size_t followed;	  /* index of the VM whose labels follow next (vm_follow.h) */
	uint64_t relabelled;	  /* how often labels of a VM changed */
	bool told;		  /* that a process's files cannot be read */
	struct vm_names *names;	  /* NULL while the register is freed */
	struct vm_passes *passes; /* NULL: no pass can be made */
	const struct pins *pins;  /* where the passes' link is pinned, or, for reading, found; NULL:
				     nowhere */
};

/*
 * Make an empty register; proc and numbers must outlive it. numbers keeps suffixes of VMs' names
 * over restarts; it may be NULL. Returns 0 or -ENOMEM.
 */
int vms_new(const char *proc, struct instance_numbers *numbers, struct vms **ret_vms);

/* Free the register and all VMs; ended is called for each. Accepts NULL. */
void vms_free(struct vms *vms);

/* Begin a pass. */
void vms_begin(struct vms *vms);

/*
 * Take a record of a pass; member is the stat member behind it, record->bytes long. Returns 0,
 * -EINVAL for an inconsistent record, or -ENOMEM with the VM or vCPU unchanged.
 */
int vms_see(struct vms *vms, const struct vm_record *record, const void *member);

/*
 * A VM that no process has open may be back: its files can be on their way to another process. It
 * is kept for this long, if its birth is known; of many VMs or vCPUs, those absent the shortest.
 */
#define VMS_AWAY_NS	   UINT64_C(300000000000)
#define VMS_AWAY_MAX	   64
#define VMS_AWAY_VCPUS_MAX 512

/*
 * End a pass. A VM or vCPU that is absent is hidden (vm_is_there). A vCPU stays until its VM ends.
 * A VM that was absent from two passes in a row (a pass can miss a file that moves meanwhile) is
 * considered destroyed, but for what is said above.
 */
void vms_end(struct vms *vms);

/* Abort a pass: all VMs and vCPUs keep their state. */
void vms_cancel(struct vms *vms);

/* Consider all VMs destroyed. */
void vms_end_all(struct vms *vms);

static inline bool vm_is_there(const struct vms *vms, const struct vm *vm)
{
	return vm->pass == vms->pass;
}

/* Was the VM absent from more than one pass? */
static inline bool vm_is_away(const struct vms *vms, const struct vm *vm)
{
	return vm->pass + 1 < vms->pass;
}

static inline bool vcpu_is_there(const struct vms *vms, const struct vcpu *vcpu)
{
	return vcpu->pass == vms->pass;
}

/* The VM with this key, or NULL. */
struct vm *vms_find(const struct vms *vms, const struct vm_key *key);

/* The VM with this id in the register, or NULL; and does a VM have the vCPU with this id? */
const struct vm *vms_find_id(const struct vms *vms, uint32_t id);
bool vm_has_vcpu(const struct vm *vm, uint32_t id);

#endif /* PMDAKVM_VM_REGISTER_H */
