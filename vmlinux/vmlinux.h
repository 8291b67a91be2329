/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Hand-written subset of the kernel's types and constants that the BPF programs use, so that the
 * build does not depend on the running kernel. Structs have preserve_access_index and only the
 * fields that are read.
 */
#ifndef PMDAKVM_VMLINUX_H
#define PMDAKVM_VMLINUX_H

typedef unsigned char __u8;
typedef signed char __s8;
typedef unsigned short __u16;
typedef signed short __s16;
typedef unsigned int __u32;
typedef signed int __s32;
typedef unsigned long long __u64;
typedef signed long long __s64;

typedef _Bool bool;
enum { false, true };

/* Types used in libbpf's helper prototypes. */
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct super_block {
	unsigned long s_magic;
};

struct inode {
	struct super_block *i_sb;
	unsigned long i_ino;
};

struct qstr {
	const unsigned char *name;
};

struct dentry {
	struct qstr d_name;
	struct inode *d_inode;
};

struct path {
	struct dentry *dentry;
};

struct file {
	struct path f_path;
	struct inode *f_inode;
	void *private_data;
};

struct upid {
	int nr; /* the pid's number in namespace ns */
	void *ns;
};

struct timespec64 {
	__s64 tv_sec;
};

struct hlist_node {
	struct hlist_node *next;
};

struct hlist_head {
	struct hlist_node *first;
};

struct pid {
	unsigned int level;	    /* depth of the innermost namespace; 0: the initial one */
	struct hlist_head tasks[1]; /* by enum pid_type; [0] is PIDTYPE_PID: the thread */
	struct upid numbers[1];
};

struct sched_info {
	unsigned long long run_delay;
};

struct task_struct {
	int pid;
	int tgid;
	__u64 start_boottime;
	char comm[16];
	struct task_struct *group_leader;
	struct pid *thread_pid;
	struct hlist_node pid_links[1];
	struct sched_info sched_info;
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 session_id;
	__u64 seq_num;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

#pragma clang attribute pop

/* Known to the verifier by its name. */
struct bpf_spin_lock {
	__u32 val;
};

/* Map types, update flags and map flags, from the kernel's UAPI (linux/bpf.h). */
enum {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_HASH = 5,
	BPF_MAP_TYPE_ARRAY_OF_MAPS = 12,
	BPF_MAP_TYPE_QUEUE = 22,
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
	BPF_F_NO_PREALLOC = 1 << 0,
	BPF_F_MMAPABLE = 1 << 10,
};

#endif /* PMDAKVM_VMLINUX_H */
