/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Which VMs and vCPUs there are: a register that passes over the kernel's open files
 * keep up to date. Each pass shows it a record for every file of a VM or vCPU; who is
 * shown no more has ended. Several files may be of one VM or vCPU.
 */
#ifndef PMDAKVM_VM_H
#define PMDAKVM_VM_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/stat.h"
#include "metrics/snapshot.h"
#include "kvm/stat_schema.h"
#include "vms/vm_identity.h"

/*
 * A name as an instance. Internal numbers are above 0, and are not used again before
 * 2^31 others were.
 */
struct vcpu {
	uint64_t address;      /* of struct kvm_vcpu: which one it is while its VM lives */
	uint32_t id;	       /* as an instance */
	uint32_t vcpu_id;      /* KVM's */
	uint32_t thread;       /* that ran it last; 0: none yet */
	uint32_t tid;	       /* the same, as the first PID namespace has it */
	uint64_t start;	       /* of that thread: ns since boot; 0: not known */
	uint64_t thread_delay; /* ns that it had waited for a CPU when it was seen last */
	uint64_t run_delay;    /* ns that threads waited while they ran this vCPU */
	bool has_run_delay;
	char *name; /* VM::vcpuN */
	struct snapshot_labels *labels;
	uint64_t pass;	   /* that saw it last */
	uint64_t *values;  /* [layout->vcpu.nvalues] */
	uint32_t *buckets; /* [vms->nbuckets], as instances; 0: nothing fell into it yet */
};

struct vm {
	struct stat_vm_key key; /* which one it is while it lives */
	uint32_t id;		/* as an instance */
	uint32_t pid;		/* of its VMM */
	char *name;		/* NAME-PID, NAME-PID.2 ... */
	struct vm_identity identity;
	struct snapshot_labels *labels;
	uint64_t since;	    /* the pass that saw it first */
	uint64_t pass;	    /* that saw it last */
	bool is_creators;   /* pid is the process that made the VM */
	bool changed;	    /* values, since who writes them down has set it to false */
	bool kept, dropped; /* who writes them down has done so, or could not */
	struct vcpu *vcpus;
	size_t nvcpus;
	uint64_t *values;  /* [layout->vm.nvalues] */
	uint64_t *gone;	   /* [layout->vcpu.nvalues], of vCPUs that were closed before it */
	uint64_t *sum;	   /* [layout->vcpu.nvalues], over its vCPUs, gone ones too */
	uint32_t *buckets; /* as a vCPU's */
};

struct vms {
	const char *proc;
	const struct stat_layout *layout; /* NULL: nobody reads statistics */
	size_t nbuckets;
	uint64_t *scratch; /* room for the values of a record */
	struct vm **list;  /* by address; those that the last pass missed are among them */
	size_t n;
	uint64_t pass;
	uint64_t changes; /* how often VMs or vCPUs came or went */
	uint32_t last_id, last_vcpu_id, last_bucket_id;
	/* Make a pass, if one can be made: who reads statistics sets it. */
	void (*make_pass)(void *data);
	bool fresh; /* a pass has been made since vms_stale */
	/* A VM has ended: its values are the last known. Called before it is freed. */
	void (*ended)(const struct vm *vm, void *data);
	void *data;
	struct vm_names *names;
};

/* An empty register; proc must outlive it. 0 or -ENOMEM. */
int vms_new(const char *proc, struct vms **ret_vms);

/* Free it and all VMs, without calling ended; takes NULL. */
void vms_free(struct vms *vms);

/*
 * Statistics are laid out so from now on, with so many buckets; the layout must outlive
 * the register or the next call. VMs that are there are forgotten without a word. 0 or
 * -ENOMEM: then nothing has changed.
 */
int vms_set_layout(struct vms *vms, const struct stat_layout *layout, size_t nbuckets);

/*
 * Whoever needs to know which VMs there are calls vms_refresh before it looks: there is one
 * pass for all that are read together, which vms_stale begins.
 */
void vms_stale(struct vms *vms);
void vms_refresh(struct vms *vms);

/* A pass begins. */
void vms_begin(struct vms *vms);

/*
 * A pass shows a record, and behind it the stat member, record->bytes of it. Values that
 * fall show that it is another VM, at the address of one that has ended. Returns 0, -EINVAL
 * for a record that makes no sense, or -ENOMEM: then the VM or vCPU is as before.
 */
int vms_see(struct vms *vms, const struct stat_record *record, const void *member);

/*
 * A pass is over: sums are made, and what two passes in a row have missed has ended. A
 * pass can miss a file that moves while it goes on, so one is not enough; but who was
 * missed once is not shown either (vm_is_there).
 */
void vms_end(struct vms *vms);

/* A pass was broken off: nobody is gone, for all that is known. */
void vms_cancel(struct vms *vms);

/* All that there are have ended, as far as can be known. */
void vms_end_all(struct vms *vms);

static inline bool vm_is_there(const struct vms *vms, const struct vm *vm)
{
	return vm->pass == vms->pass;
}

static inline bool vcpu_is_there(const struct vms *vms, const struct vcpu *vcpu)
{
	return vcpu->pass == vms->pass;
}

/* The VM with that key, or NULL. */
struct vm *vms_find(const struct vms *vms, const struct stat_vm_key *key);

/* Make a VM's sum anew, of what its vCPUs and those that are gone have. */
void vms_sum(const struct vms *vms, struct vm *vm);

/* The number after the last one that an instance was given: positive, as PCP's are. */
uint32_t vms_next_number(uint32_t *last);

/* A number for a bucket of a VM or vCPU, as an instance. */
uint32_t vms_bucket_number(struct vms *vms);

#endif /* PMDAKVM_VM_H */
