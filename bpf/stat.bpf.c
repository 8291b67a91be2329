// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * The stat family: KVM's own statistics of every VM and vCPU, from an iterator over
 * all open files. Nothing runs while nobody reads, and no guest pays for it.
 *
 * A VM or vCPU is found by the name of its file and by the file system that the file
 * is of, the kernel's own for such things: a name alone anybody can have. The types
 * of KVM may stand in a module's type information, which takes CAP_SYS_ADMIN to
 * relocate by: the user side (src/kvm/stat_schema.c) reads the offsets, and sets them here.
 *
 * The file of a VM can be closed while vCPUs are open, so that a vCPU brings its VM
 * along, if the record before was not of that VM anyway.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include "stat.h"

#define ANON_INODE_FS_MAGIC 0x09041934

const volatile struct stat_offsets offsets;

/* Of ended VMs, the sums of what they counted; how many bytes is set before loading. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u64));
} stat_ended SEC(".maps");

/* Of each living VM, its last known counts. Both are the user side's alone. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(struct stat_vm_key));
	__uint(value_size, sizeof(__u64));
} stat_vms SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pin_meta);
} stat_meta SEC(".maps");

/* The record being made; too large for the stack. One pass at a time runs. */
static struct {
	struct stat_record head;
	char member[STAT_BYTES_MAX];
} out;

/* The VM that this pass has written last, and of which process. */
static __u64 last_kvm;
static __u32 last_tgid;

/* A process's or thread's number in the PID namespace of who reads; 0: it is not in it. */
static __u32 number_of(const struct pid *pid)
{
	struct task_struct *reader = (void *)bpf_get_current_task();
	struct pid *own = BPF_CORE_READ(reader, thread_pid);
	__u32 level = BPF_CORE_READ(own, level);
	__u32 at = bpf_core_field_offset(struct pid, numbers) +
		   level * bpf_core_type_size(struct upid);
	struct upid here = {}, there = {};

	if (!pid || level > BPF_CORE_READ(pid, level))
		return 0;
	bpf_core_read(&here, sizeof(here), (const struct upid *)((const char *)own + at));
	bpf_core_read(&there, sizeof(there), (const struct upid *)((const char *)pid + at));
	return here.ns == there.ns ? there.nr : 0;
}

/* A number of four bytes at an offset in a struct. */
static __u32 number_at(const void *base, __u32 offset)
{
	__u32 number = 0;

	bpf_probe_read_kernel(&number, sizeof(number), (const char *)base + offset);
	return number;
}

static const void *pointer_at(const void *base, __u32 offset)
{
	const void *pointer = NULL;

	bpf_probe_read_kernel(&pointer, sizeof(pointer), (const char *)base + offset);
	return pointer;
}

static __u64 birth_of(const void *kvm)
{
	const struct dentry *dentry;

	if (offsets.vm_debugfs_dentry == STAT_NOT_THERE)
		return 0;
	dentry = pointer_at(kvm, offsets.vm_debugfs_dentry);
	return BPF_CORE_READ(dentry, d_inode, i_ino);
}

/* Write the record with a stat member; 0, or the buffer is full and it comes again. */
static int write_record(struct seq_file *seq, const char *member, __u32 bytes)
{
	if (bytes > STAT_BYTES_MAX)
		return 0;
	out.head.bytes = bytes;
	if (bpf_probe_read_kernel(out.member, bytes, member))
		return 0;
	return bpf_seq_write(seq, &out, sizeof(out.head) + bytes);
}

/* Who ran a vCPU last, and how long it has waited for a CPU. */
static void thread_of(const struct pid *pid)
{
	const struct hlist_node *link = pid ? BPF_CORE_READ(pid, tasks[0].first) : NULL;
	const struct task_struct *task;

	out.head.thread = number_of(pid);
	out.head.tid = pid ? (__u32)BPF_CORE_READ(pid, numbers[0].nr) : 0;
	out.head.start = 0;
	out.head.run_delay = STAT_NO_DELAY;
	if (!link)
		return;
	task = (const void *)((const char *)link -
			      bpf_core_field_offset(struct task_struct, pid_links));
	out.head.start = BPF_CORE_READ(task, start_boottime);
	if (bpf_core_field_exists(struct sched_info, run_delay))
		out.head.run_delay = BPF_CORE_READ(task, sched_info.run_delay);
}

static int write_vm(struct seq_file *seq, const void *kvm)
{
	int err;

	if ((__u64)kvm == last_kvm && out.head.tgid == last_tgid)
		return 0;
	out.head.kvm = (__u64)kvm;
	out.head.vcpu = 0;
	out.head.birth = birth_of(kvm);
	out.head.creator = offsets.vm_creator == STAT_NOT_THERE ?
				   0 :
				   number_at(kvm, offsets.vm_creator);
	out.head.vcpu_id = 0;
	thread_of(NULL);
	err = write_record(seq, (const char *)kvm + offsets.vm_stat, offsets.vm_stat_bytes);
	last_kvm = err ? 0 : (__u64)kvm;
	last_tgid = out.head.tgid;
	return err;
}

static void write_vcpu(struct seq_file *seq, const void *vcpu)
{
	const void *kvm = pointer_at(vcpu, offsets.vcpu_kvm);

	if (!kvm || write_vm(seq, kvm))
		return;
	out.head.kvm = (__u64)kvm;
	out.head.vcpu = (__u64)vcpu;
	out.head.vcpu_id = number_at(vcpu, offsets.vcpu_id);
	thread_of(offsets.vcpu_pid == STAT_NOT_THERE ? NULL : pointer_at(vcpu, offsets.vcpu_pid));
	/* what was written of the VM is dropped too if this does not fit */
	if (write_record(seq, (const char *)vcpu + offsets.vcpu_stat, offsets.vcpu_stat_bytes))
		last_kvm = 0;
}

static __always_inline bool begins_with(const char *name, const char *with, int n)
{
	for (int i = 0; i < n; i++) {
		if (name[i] != with[i])
			return false;
	}
	return true;
}

int stat_files(struct bpf_iter__task_file *ctx);

SEC("iter/task_file")
int stat_files(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	char name[] = "kvm-vcpu:";
	bool is_vm;

	if (ctx->meta->seq_num == 0)
		last_kvm = 0;
	if (!task || !file || file->f_inode->i_sb->s_magic != ANON_INODE_FS_MAGIC)
		return 0;
	bpf_probe_read_kernel_str(name, sizeof(name), file->f_path.dentry->d_name.name);
	is_vm = begins_with(name, "kvm-vm", 7);
	if (!is_vm && !begins_with(name, "kvm-vcpu:", 9))
		return 0;
	out.head.tgid = task->tgid;
	out.head.pid = number_of(task->group_leader->thread_pid);
	bpf_probe_read_kernel_str(out.head.comm, sizeof(out.head.comm), task->group_leader->comm);
	if (is_vm)
		write_vm(ctx->meta->seq, file->private_data);
	else
		write_vcpu(ctx->meta->seq, file->private_data);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
