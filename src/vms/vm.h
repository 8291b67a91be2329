/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* A VM and its vCPUs, as the register has them. */
#ifndef PMDAKVM_VM_H
#define PMDAKVM_VM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bpf/vms.h"
#include "metrics/labels.h"
#include "vms/vm_identity.h"

struct vcpu {
	uint64_t address;      /* of struct kvm_vcpu: identifies the vCPU while its VM lives */
	uint32_t id;	       /* of this vCPU alone, but for 2^31 others */
	uint32_t vcpu_id;      /* KVM's vcpu_id */
	uint32_t thread;       /* TID of the thread that ran it last; 0: none yet */
	uint32_t tid;	       /* the same TID in the initial PID namespace */
	uint64_t start;	       /* start of that thread, ns since boot; 0: unknown */
	bool has_thread;       /* that thread had not ended when the vCPU was last seen */
	uint64_t thread_delay; /* ns the thread had waited for a CPU when it was last seen */
	uint64_t run_delay;    /* ns that threads waited for a CPU while they ran this vCPU */
	bool has_run_delay;
	char *name; /* VM::vcpuN */
	struct labels *labels;
	uint64_t pass; /* the pass that saw it last */
	void *hung;    /* the listener's */
};

struct vm {
	struct vm_key key; /* identifies the VM while it lives */
	uint32_t id;	   /* as a vCPU's */
	uint32_t pid;	   /* PID of its VMM */
	pid_t process;	   /* the same, if /proc can show it; else 0 */
	pid_t holder;	   /* a process that had it open in the pass that saw it last; 0: none that
			      /proc can show */
	uint64_t held;	   /* the pass in which its VMM's process had it open last */
	uint64_t unread; /* the pass after which that process's files could not be read; 0: none */
	char *name;	 /* NAME-PID, NAME-PID.2 ... */
	struct vm_identity identity;
	struct labels *labels;
	uint64_t since;	  /* the pass that saw it first */
	uint64_t pass;	  /* the pass that saw it last */
	uint64_t seen;	  /* when that was, ns */
	bool hides;	  /* the last pass that saw it did not see all of its vCPUs */
	bool is_creators; /* pid is the process that made the VM */
	struct vcpu *vcpus;
	size_t nvcpus;
	void *hung; /* the listener's */
};

/*
 * Is the VM surely the one of its key? Inodes of debugfs are never reused; an address is. Then its
 * vCPUs are certain, too: KVM frees no vCPU before its VM.
 */
static inline bool vm_is_certain(const struct vm *vm)
{
	return vm->key.birth != 0;
}

#endif /* PMDAKVM_VM_H */
