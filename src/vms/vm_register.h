/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * The register of VMs and vCPUs, which passes over the kernel's open files keep up to date. A pass
 * delivers one record per open file of a VM or vCPU; a VM or vCPU absent from two passes
 * in a row is considered destroyed. Several files can belong to one VM or vCPU.
 */
#ifndef PMDAKVM_VM_REGISTER_H
#define PMDAKVM_VM_REGISTER_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/stat.h"
#include "metrics/snapshot.h"
#include "kvm/stat_schema.h"
#include "vms/vm_identity.h"

/* Instance numbers (id) are positive; a number is reused only after 2^31 others. */
struct vcpu {
	uint64_t address;      /* of struct kvm_vcpu: identifies the vCPU while its VM lives */
	uint32_t id;	       /* instance number */
	uint32_t vcpu_id;      /* KVM's vcpu_id */
	uint32_t thread;       /* TID of the thread that ran it last; 0: none yet */
	uint32_t tid;	       /* the same TID in the initial PID namespace */
	uint64_t start;	       /* start of that thread, ns since boot; 0: unknown */
	uint64_t thread_delay; /* ns the thread had waited for a CPU when it was last seen */
	uint64_t run_delay;    /* ns that threads waited for a CPU while they ran this vCPU */
	bool has_run_delay;
	char *name; /* VM::vcpuN */
	struct snapshot_labels *labels;
	uint64_t pass;	   /* the pass that saw it last */
	uint64_t *values;  /* [layout->vcpu.nvalues] */
	uint32_t *buckets; /* [vms->nbuckets] instance numbers; 0: bucket is empty so far */
};

struct vm {
	struct stat_vm_key key; /* identifies the VM while it lives */
	uint32_t id;		/* instance number */
	uint32_t pid;		/* PID of its VMM */
	char *name;		/* NAME-PID, NAME-PID.2 ... */
	struct vm_identity identity;
	struct snapshot_labels *labels;
	uint64_t since;	  /* the pass that saw it first */
	uint64_t pass;	  /* the pass that saw it last */
	bool is_creators; /* pid is the process that made the VM */
	bool changed; /* values changed since the totals were last written; the writer clears it */
	bool kept, dropped; /* set by the writer: stored in the map; had no room in it */
	struct vcpu *vcpus;
	size_t nvcpus;
	uint64_t *values;  /* [layout->vm.nvalues] */
	uint64_t *gone;	   /* [layout->vcpu.nvalues], of vCPUs closed before the VM */
	uint64_t *sum;	   /* [layout->vcpu.nvalues], over all vCPUs, closed ones included */
	uint32_t *buckets; /* as in struct vcpu */
};

struct vms {
	const char *proc;
	const struct stat_layout *layout; /* NULL: statistics are not read */
	size_t nbuckets;
	uint64_t *scratch; /* buffer for the values of a record */
	struct vm **list;  /* sorted by address; includes VMs absent from the last pass */
	size_t n;
	uint64_t pass;
	uint64_t changes; /* how often VMs or vCPUs appeared or disappeared */
	uint32_t last_id, last_vcpu_id, last_bucket_id;
	/* Makes a pass, if possible; set by the reader of statistics. */
	void (*make_pass)(void *data);
	bool fresh; /* a pass was made since vms_stale */
	/* Called when a VM was destroyed, with its last known values, before it is freed. */
	void (*ended)(const struct vm *vm, void *data);
	void *data;
	struct vm_names *names;
};

/* Make an empty register; proc must outlive it. Returns 0 or -ENOMEM. */
int vms_new(const char *proc, struct vms **ret_vms);

/* Free the register and all VMs without calling ended; takes NULL. */
void vms_free(struct vms *vms);

/*
 * Set the layout of statistics and the number of buckets for records from now on; the layout must
 * outlive the register or the next call. Known VMs are forgotten without calling ended. Returns 0,
 * or -ENOMEM with the register unchanged.
 */
int vms_set_layout(struct vms *vms, const struct stat_layout *layout, size_t nbuckets);

/*
 * Call vms_refresh before reading the list of VMs: it makes one pass for all reads that follow one
 * vms_stale.
 */
void vms_stale(struct vms *vms);
void vms_refresh(struct vms *vms);

/* Begin a pass. */
void vms_begin(struct vms *vms);

/*
 * Take a record of a pass; member is the stat member behind it, record->bytes long. Falling values
 * show another VM at the address of a destroyed one. Returns 0, -EINVAL for an inconsistent record,
 * or -ENOMEM with the VM or vCPU unchanged.
 */
int vms_see(struct vms *vms, const struct stat_record *record, const void *member);

/*
 * End a pass: compute sums. A VM or vCPU absent from one pass is hidden (vm_is_there), because a
 * pass can miss a file that moves meanwhile; absent from two in a row, it is considered destroyed.
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

static inline bool vcpu_is_there(const struct vms *vms, const struct vcpu *vcpu)
{
	return vcpu->pass == vms->pass;
}

/* The VM with this key, or NULL. */
struct vm *vms_find(const struct vms *vms, const struct stat_vm_key *key);

/* Recompute a VM's sum from its vCPUs, closed ones included. */
void vms_sum(const struct vms *vms, struct vm *vm);

/* The instance number after *last: positive, as PCP's are; wraps to 1. */
uint32_t vms_next_number(uint32_t *last);

/* A new instance number for a bucket of a VM or vCPU. */
uint32_t vms_bucket_number(struct vms *vms);

#endif /* PMDAKVM_VM_REGISTER_H */
