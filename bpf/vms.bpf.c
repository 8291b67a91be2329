// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * The register of VMs: every VM and vCPU, with the statistics that KVM keeps of it, read by an
 * iterator over all open files. It runs only on read and adds no cost to guests.
 *
 * A VM or vCPU file is identified by its name and by its file system, anon_inodefs: any file can
 * have the name alone. KVM's types can be in a module's BTF, and CO-RE relocation against that
 * needs CAP_SYS_ADMIN, so the user side (src/kvm/stat_schema.c) reads the offsets and sets them in
 * rodata.
 *
 * A VM's file can be closed while its vCPUs' files are open, so a vCPU also writes its VM's record,
 * unless the preceding record belongs to that VM.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include "vms.h"

#define ANON_INODE_FS_MAGIC 0x09041934

const volatile struct vms_offsets offsets;

/* The record under construction; too large for the stack. Only one pass runs at a time. */
static struct {
	struct vm_record head;
	char member[VMS_MEMBER_MAX];
} out;

/* The VM last written in this pass, and its process. */
static __u64 last_kvm;
static __u32 last_tgid;

/* Return a pid's number in the reader's PID namespace; 0: not visible there. */
static __u32 pid_in_reader_ns(const struct pid *pid)
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

/* Read a 4-byte number at an offset in a struct. */
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

static __u64 debugfs_inode_of(const void *kvm)
{
	const struct dentry *dentry;

	if (offsets.vm_debugfs_dentry == VMS_NOT_THERE)
		return 0;
	dentry = pointer_at(kvm, offsets.vm_debugfs_dentry);
	return BPF_CORE_READ(dentry, d_inode, i_ino);
}

/* Write the record and a stat member. Not 0: the buffer is full, and the kernel retries the file.
 */
static int write_record(struct seq_file *seq, const char *member, __u32 bytes)
{
	if (bytes > VMS_MEMBER_MAX)
		return 0;
	out.head.bytes = bytes;
	if (bpf_probe_read_kernel(out.member, bytes, member))
		return 0;
	return bpf_seq_write(seq, &out, sizeof(out.head) + bytes);
}

/* Set the record's thread fields: the last thread to run a vCPU, and its run delay. */
static void set_thread(const struct pid *pid)
{
	const struct hlist_node *link = pid ? BPF_CORE_READ(pid, tasks[0].first) : NULL;
	const struct task_struct *task;

	out.head.thread = pid_in_reader_ns(pid);
	out.head.tid = pid ? (__u32)BPF_CORE_READ(pid, numbers[0].nr) : 0;
	out.head.start = 0;
	out.head.run_delay = VMS_NO_DELAY;
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
	out.head.birth = debugfs_inode_of(kvm);
	out.head.creator = offsets.vm_creator == VMS_NOT_THERE ? 0 :
								 number_at(kvm, offsets.vm_creator);
	out.head.vcpu_id = 0;
	set_thread(NULL);
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
	set_thread(offsets.vcpu_pid == VMS_NOT_THERE ? NULL : pointer_at(vcpu, offsets.vcpu_pid));
	/* if this does not fit, the kernel drops the VM's record too */
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

int vms_files(struct bpf_iter__task_file *ctx);

SEC("iter/task_file")
int vms_files(struct bpf_iter__task_file *ctx)
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
	out.head.pid = pid_in_reader_ns(task->group_leader->thread_pid);
	bpf_probe_read_kernel_str(out.head.comm, sizeof(out.head.comm), task->group_leader->comm);
	if (is_vm)
		write_vm(ctx->meta->seq, file->private_data);
	else
		write_vcpu(ctx->meta->seq, file->private_data);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
