/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* The stat family: layouts that the BPF side and the user side share. */
#ifndef PMDAKVM_BPF_STAT_H
#define PMDAKVM_BPF_STAT_H

#include "pin.h"

/*
 * The layout version of this family's pinned maps. Raise it when the meaning of what they
 * hold changes and its size does not: maps of another version are replaced, counters begin at 0.
 */
#define STAT_LAYOUT 1

/* Where the stat family's iterator finds things in struct kvm and struct kvm_vcpu. */
struct stat_offsets {
	__u32 vm_stat, vm_stat_bytes, vm_creator, vm_debugfs_dentry;
	__u32 vcpu_stat, vcpu_stat_bytes, vcpu_kvm, vcpu_id, vcpu_pid;
};

/* An offset of what this kernel does not have. */
#define STAT_NOT_THERE 0xffffffff

/*
 * The stat family's iterator writes one of these for each file of a VM or vCPU that a
 * process has open, followed by the stat member of struct kvm or struct kvm_vcpu, of
 * the size that the user side has said.
 */
struct stat_record {
	__u64 kvm;     /* its address: which VM it is, while it lives */
	__u64 vcpu;    /* its address; 0: this is the VM itself */
	__u64 birth;   /* the inode of its folder in debugfs, a new one for each VM; 0: unknown */
	__u32 pid;     /* of the process, as the reader's PID namespace has it; 0: not in it */
	__u32 tgid;    /* of the process, as the first namespace has it */
	__u32 creator; /* the thread that made the VM, as the first namespace has it */
	__u32 vcpu_id;
	__u32 thread;	 /* that ran the vCPU last, as the reader's namespace has it; 0: none yet */
	__u32 bytes;	 /* that follow */
	char comm[16];	 /* the process's command */
	__u64 start;	 /* of that thread: ns since boot; 0: it has ended, or none has run it */
	__u64 run_delay; /* ns that it waited for a CPU; STAT_NO_DELAY: the kernel does not say */
	__u32 tid;	 /* that thread, as the first namespace has it */
	__u32 pad;
};

#define STAT_NO_DELAY (~0ULL)

/* Most bytes of a stat member; the largest known, s390's, has a third of that. */
#define STAT_BYTES_MAX 4096

/* What is kept of a VM while it lives, for an agent that comes after this one. */
struct stat_vm_key {
	__u64 kvm, birth;
	__u64 creator;
};

#endif /* PMDAKVM_BPF_STAT_H */
