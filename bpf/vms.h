/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Records of the register of VMs, shared by the BPF side and the user side. */
#ifndef PMDAKVM_BPF_VMS_H
#define PMDAKVM_BPF_VMS_H

#ifdef __bpf__
#include "vmlinux.h"
#else
#include <linux/types.h>
#endif

/* Member offsets in struct kvm and struct kvm_vcpu, and sizes of the stat members, in bytes. */
struct vms_offsets {
	__u32 vm_stat, vm_stat_bytes, vm_creator, vm_debugfs_dentry;
	__u32 vcpu_stat, vcpu_stat_bytes, vcpu_kvm, vcpu_id, vcpu_pid;
};

/* Offset of a member that this kernel lacks. */
#define VMS_NOT_THERE 0xffffffff

/*
 * The iterator writes one record for each open file of a VM or vCPU, followed by the stat member
 * of struct kvm or struct kvm_vcpu, of the size in vms_offsets.
 */
struct vm_record {
	__u64 kvm;     /* address of struct kvm: identifies a VM while it exists */
	__u64 vcpu;    /* address of struct kvm_vcpu; 0: the record of the VM itself */
	__u64 birth;   /* inode of the VM's debugfs directory, never reused; 0: unknown */
	__u32 pid;     /* process, in the reader's PID namespace; 0: not visible there */
	__u32 tgid;    /* process, in the initial PID namespace */
	__u32 creator; /* thread that created the VM, in the initial namespace; 0: unknown */
	__u32 vcpu_id;
	__u32 thread;	 /* last thread to run the vCPU, in the reader's namespace; 0: none yet */
	__u32 bytes;	 /* size of the stat member that follows */
	char comm[16];	 /* the process's command name */
	__u64 start;	 /* that thread's start, ns since boot; 0: it exited, or none yet */
	__u64 run_delay; /* that thread's wait for a CPU, ns; VMS_NO_DELAY: unknown */
	__u32 tid;	 /* that thread, in the initial PID namespace */
	__u32 pad;
};

#define VMS_NO_DELAY (~0ULL)

/*
 * The pin of an agent's iterator: who reads the agent's maps has the names of VMs by it, and loads
 * nothing. The number is that of the record's form: raise it with a change of struct vm_record.
 */
#define VMS_LINK_PIN "vms_files_1"

/* Maximum size of a stat member; the largest known one, on s390, is a third of that. */
#define VMS_MEMBER_MAX 4096

/* Identifies a VM while it exists. */
struct vm_key {
	__u64 kvm, birth; /* as in struct vm_record */
	__u64 creator;
};

#endif /* PMDAKVM_BPF_VMS_H */
