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
#include "kernel_words.bpf.h"
#include "vms.h"

#define ANON_INODE_FS_MAGIC 0x09041934

const volatile struct vms_offsets offsets;

/*
 * Whose turn it is: passes of an agent and of who reads its maps can be made at a time, on several
 * CPUs or by threads that preempt each other. One of them fills in a record, others try again.
 */
struct turn {
	struct bpf_spin_lock lock;
	__u32 taken;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct turn);
} vms_turn SEC(".maps");

/* The record under construction; too large for the stack. Whose turn it is writes it. */
static struct {
	struct vm_record head;
	char member[VMS_MEMBER_MAX];
} out;

/* The VM last written, its process, and in which pass. */
static __u64 last_kvm, last_session;
static __u32 last_tgid;

static __always_inline struct turn *turn_take(void)
{
	struct turn *turn = bpf_map_lookup_elem(&vms_turn, &(__u32){ 0 });
	__u32 taken;

	if (!turn)
		return NULL;
	bpf_spin_lock(&turn->lock);
	taken = turn->taken;
	turn->taken = 1;
	bpf_spin_unlock(&turn->lock);
	return taken ? NULL : turn;
}

static __always_inline void turn_give(struct turn *turn)
{
	bpf_spin_lock(&turn->lock);
	turn->taken = 0;
	bpf_spin_unlock(&turn->lock);
}

/* A member of a struct that is no typed pointer, by its offset in the running kernel. */
#define WORD(base, type, member)      word_at(base, bpf_core_field_offset(type, member))
#define HALF_WORD(base, type, member) half_word_at(base, bpf_core_field_offset(type, member))

/* Return a pid's number in the reader's PID namespace; 0: not visible there. */
static __u32 pid_in_reader_ns(const struct pid *pid)
{
	const void *reader = (const void *)bpf_get_current_task();
	const void *own = (const void *)WORD(reader, struct task_struct, thread_pid);
	__u32 level = HALF_WORD(own, struct pid, level);
	__u32 at = bpf_core_field_offset(struct pid, numbers) +
		   level * bpf_core_type_size(struct upid);
	__u32 ns = at + bpf_core_field_offset(struct upid, ns);

	if (!pid || level > HALF_WORD(pid, struct pid, level))
		return 0;
	if (word_at(own, ns) != word_at(pid, ns))
		return 0;
	return half_word_at(pid, at + bpf_core_field_offset(struct upid, nr));
}

static __u64 debugfs_inode_of(const void *kvm)
{
	const void *dentry, *inode;

	if (offsets.vm_debugfs_dentry == VMS_NOT_THERE)
		return 0;
	dentry = pointer_at(kvm, offsets.vm_debugfs_dentry);
	inode = (const void *)WORD(dentry, struct dentry, d_inode);
	return WORD(inode, struct inode, i_ino);
}

/* Copy a stat member into the record. */
static __noinline int copy_member(const char *member, __u32 bytes)
{
	return (int)words_copy(out.member, VMS_MEMBER_MAX, member, bytes);
}

/* Write the record and a stat member. Not 0: the buffer is full, and the kernel retries the file.
 */
static int write_record(struct seq_file *seq, const char *member, __u32 bytes)
{
	if (bytes > VMS_MEMBER_MAX)
		return 0;
	out.head.bytes = bytes;
	if (copy_member(member, bytes))
		return 0;
	return bpf_seq_write(seq, &out, sizeof(out.head) + bytes);
}

/* Set the record's thread fields: the last thread to run a vCPU, and its run delay. */
static void set_thread(const struct pid *pid)
{
	const char *link = pid ? (const char *)WORD(pid, struct pid, tasks[0].first) : NULL;
	const char *task;

	out.head.thread = pid_in_reader_ns(pid);
	out.head.tid = pid ? HALF_WORD(pid, struct pid, numbers[0].nr) : 0;
	out.head.start = 0;
	out.head.run_delay = VMS_NO_DELAY;
	if (!link)
		return;
	task = link - bpf_core_field_offset(struct task_struct, pid_links);
	out.head.start = WORD(task, struct task_struct, start_boottime);
	if (bpf_core_field_exists(struct sched_info, run_delay))
		out.head.run_delay = WORD(task, struct task_struct, sched_info.run_delay);
}

static int write_vm(struct seq_file *seq, const void *kvm)
{
	int err;

	if ((__u64)kvm == last_kvm && out.head.tgid == last_tgid)
		return 0;
	out.head.kvm = (__u64)kvm;
	out.head.vcpu = 0;
	out.head.birth = debugfs_inode_of(kvm);
	out.head.creator = offsets.vm_creator == VMS_NOT_THERE ?
				   0 :
				   half_word_at(kvm, offsets.vm_creator);
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
	out.head.vcpu_id = half_word_at(vcpu, offsets.vcpu_id);
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
	const void *leader, *text;
	struct turn *turn;
	__u64 name[2];

	if (!task || !file || file->f_inode->i_sb->s_magic != ANON_INODE_FS_MAGIC)
		return 0;
	text = file->f_path.dentry->d_name.name;
	name[0] = word_at(text, 0);
	name[1] = word_at(text, sizeof(__u64));
	if (!begins_with((const char *)name, "kvm-vm", 7) &&
	    !begins_with((const char *)name, "kvm-vcpu:", 9))
		return 0;
	turn = turn_take();
	if (!turn)
		return 1; /* the kernel calls again for this file */
	if (last_session != ctx->meta->session_id)
		last_kvm = 0;
	last_session = ctx->meta->session_id;
	leader = task->group_leader;
	out.head.tgid = task->tgid;
	out.head.pid = pid_in_reader_ns(task->group_leader->thread_pid);
	for (__u32 i = 0; i < sizeof(out.head.comm); i += sizeof(__u64))
		*(__u64 *)(out.head.comm + i) =
			word_at(leader, (__s64)bpf_core_field_offset(struct task_struct, comm) + i);
	/*
	 * From the name anew: of a result that is kept until here, Linux 6.1's verifier believes
	 * that it is always true, and takes the other branch out.
	 */
	if (((const char *)name)[sizeof("kvm-v") - 1] == 'm')
		write_vm(ctx->meta->seq, file->private_data);
	else
		write_vcpu(ctx->meta->seq, file->private_data);
	turn_give(turn);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
