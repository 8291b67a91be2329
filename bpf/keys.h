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

/*
 * The families exit and userspace_exit, which share a scheme: what a vCPU's thread goes out
 * for is counted in a cell that only this thread writes, so plain adds are exact, and memory
 * grows with vCPUs, not with CPUs.
 */
struct cell_key {
	__u64 start;	 /* of the thread: ns since boot, so that a number used again is another */
	__u64 vcpu;	 /* 0: the first vCPU that it ran; else the address of a further one */
	__u32 tid, tgid; /* as the first PID namespace has them */
};

struct cell_reason {
	__u64 count;
	__u64 time; /* ns, over all pairs that were closed */
	__u64 max;  /* the longest, ns, with the number of its turn above it */
};

/*
 * The longest of a reason counts for one turn; a new turn begins with each reset. So a
 * reset is one write, and no cell has two writers.
 */
#define CELL_MAX_BITS 48

/* What stands in front of a cell's reasons. A pair is an exit and the next entry. */
struct cell {
	__u64 vcpu;	  /* the address of struct kvm_vcpu; 0: not known */
	__u64 opened;	  /* when the exit that has no entry yet was; 0: there is none */
	__u64 entered;	  /* when the guest was entered; 0: it is not known to run */
	__u64 guest_time; /* ns, from entries to exits */
	__u32 slot;	  /* of the exit that has no entry yet */
	__u32 generation; /* of the times above: a pair never spans a detach */
	__u32 isa;	  /* whose the slots are: enum reasons_isa + 1; 0: no exit has said */
	__u32 ended;	  /* the thread is gone: nobody writes here any more */
};

#define EXIT_SLOTS	     256
#define USERSPACE_EXIT_SLOTS 80
#define CELL_UNKNOWN_SLOTS   8 /* slots 1 to 8 are claimed by codes that no range has */

struct exit_cell {
	struct cell cell;
	struct cell_reason reason[EXIT_SLOTS];
};

struct userspace_exit_cell {
	struct cell cell;
	struct cell_reason reason[USERSPACE_EXIT_SLOTS];
};

_Static_assert(sizeof(struct exit_cell) + sizeof(struct cell_key) +
			       sizeof(struct userspace_exit_cell) + sizeof(struct cell_key) <=
		       16384,
	       "a vCPU takes more than the man page says");

/* What cells of ended threads had counted; followed by as many struct cell_reason as a cell has. */
struct cells_ended {
	struct cell_key
		last; /* the cell that was added last: if it is still there, it is in here */
	__u64 isa;    /* that cell's */
};

/* What found no room in a cell: one row for each possible CPU, on cache lines of its own. */
struct cells_row {
	__u64 count[EXIT_SLOTS];
	__u64 buckets;	  /* pairs that found no room in the host's histograms */
	__u64 vm_buckets; /* the same of VMs' */
	__u64 pad[6];
};

_Static_assert(sizeof(struct cells_row) % CACHE_LINE_BYTES == 0, "rows share a cache line");

/* Set by the user side, before it attaches. */
struct cells_control {
	__u32 generation;
	__u32 turn; /* of the longest times; 16 bits */
};

/* Codes first ... first + count - 1 have the slots from slot on. */
struct cells_range {
	__u32 first, count, slot;
};

#define CELLS_RANGES 8

/* Times in ns by powers of two: 0-1, 2-3, 4-7 ... and the last one, which has no end. */
#define EXIT_BUCKETS 32

struct exit_buckets {
	__u64 count[EXIT_BUCKETS];
};

/* A vCPU's histogram of a reason, which only the thread that runs it writes. */
struct exit_vm_key {
	__u64 vcpu; /* its address */
	__u32 slot;
	__u32 pad;
};

/* Reasons that can have a histogram. Each takes EXIT_BUCKETS * 8 bytes on every possible CPU. */
#define EXIT_HISTOGRAMS 64

/* Where the reason of an exit stands, seen from struct kvm_vcpu, and the slots of its codes. */
struct exit_isa {
	__u32 isa;     /* as a cell has it */
	__s32 pointer; /* there is a pointer to what has the code; EXIT_NO_POINTER: the code itself
			*/
	__s32 code;    /* from there */
	__u32 mask;    /* of the code; 0: where it stands is not known */
	struct cells_range ranges[CELLS_RANGES];
};

#define EXIT_NO_POINTER 0x7fffffff

/* Set before loading. */
struct exit_setup {
	struct exit_isa vmx, svm;
	__u32 has_reasons;    /* 0: they are not to be had, and all count as "other" */
	__u32 entry_has_vcpu; /* argument 0 of kvm_entry is the vCPU */
	__u32 vm_histograms;  /* there are histograms of vCPUs */
};

struct userspace_exit_setup {
	__u32 restart, error; /* slots of KVM_RUN's errors */
	struct cells_range ranges[CELLS_RANGES];
};

#endif /* PMDAKVM_KEYS_H */
