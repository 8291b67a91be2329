/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Layouts of the stat family, shared by the BPF side and the user side. */
#ifndef PMDAKVM_BPF_STAT_H
#define PMDAKVM_BPF_STAT_H

#include "pin.h"

/*
 * Layout version of this family's pinned maps. Increment it when the meaning of their contents
 * changes but not the size: maps of another version are replaced, counters restart at 0.
 */
#define STAT_LAYOUT 1

/* Member offsets in struct kvm and struct kvm_vcpu, and sizes of the stat members, in bytes. */
struct stat_offsets {
	__u32 vm_stat, vm_stat_bytes, vm_creator, vm_debugfs_dentry;
	__u32 vcpu_stat, vcpu_stat_bytes, vcpu_kvm, vcpu_id, vcpu_pid;
};

/* Offset of a member that this kernel lacks. */
#define STAT_NOT_THERE 0xffffffff

/*
 * The iterator writes one record for each open file of a VM or vCPU, followed by the stat member
 * of struct kvm or struct kvm_vcpu, of the size in stat_offsets.
 */
struct stat_record {
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
	__u64 run_delay; /* that thread's wait for a CPU, ns; STAT_NO_DELAY: unknown */
	__u32 tid;	 /* that thread, in the initial PID namespace */
	__u32 pad;
};

#define STAT_NO_DELAY (~0ULL)

/* Maximum size of a stat member; the largest known one, on s390, is a third of that. */
#define STAT_BYTES_MAX 4096

/* Key of a running VM's last counts, kept for the next agent. */
struct stat_vm_key {
	__u64 kvm, birth;
	__u64 creator;
};

#endif /* PMDAKVM_BPF_STAT_H */
