/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * What the BPF side and the user side share: limits and layouts. The includer
 * brings __u32 and __u64 (vmlinux.h or linux/types.h).
 */
#ifndef PMDAKVM_KEYS_H
#define PMDAKVM_KEYS_H

/*
 * Raise it when what stands in a map changes its meaning but not its size: maps
 * pinned under another number are not taken up.
 */
#define KEYS_LAYOUT 1

/* The one value of a family's map NAME_meta. */
struct pin_meta {
	__u64 layout;	  /* what the user side makes of KEYS_LAYOUT and the maps' sizes */
	__u64 generation; /* how often the family was attached since the maps were made */
};

/* A row that one CPU writes starts on a cache line of its own. */
#define CACHE_LINE_BYTES 64

/* The trace family: an event's slot is its item number, which has 10 bits. */
#define TRACE_SLOTS 1024

/* One for each possible CPU. */
struct trace_row {
	__u64 count[TRACE_SLOTS];
};

_Static_assert(sizeof(struct trace_row) % CACHE_LINE_BYTES == 0, "rows share a cache line");

/*
 * What the template program of bpf/trace.bpf.c says instead of a slot number:
 * the loader looks for a move of this value and puts the slot in its place.
 */
#define TRACE_SLOT_MARK 0x7ace51

_Static_assert(TRACE_SLOT_MARK >= TRACE_SLOTS,
	       "the unpatched template must fall out of its bounds check");

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
	__u32 thread;  /* that ran the vCPU last, as the reader's namespace has it; 0: none yet */
	__u32 bytes;   /* that follow */
	char comm[16]; /* the process's command */
};

/* Most bytes of a stat member; the largest known, s390's, has a third of that. */
#define STAT_BYTES_MAX 4096

/* What is kept of a VM while it lives, for an agent that comes after this one. */
struct stat_vm_key {
	__u64 kvm, birth;
	__u64 creator;
};

#endif /* PMDAKVM_KEYS_H */
