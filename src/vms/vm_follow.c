// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "vms/vm_follow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/proc_hiding.h"

/* Labels of the VM and of its vCPUs, one after the other; NULL without memory. */
static struct labels **labels_make(const struct vm *vm, const struct vm_identity *identity,
				   pid_t pid)
{
	struct labels **made = calloc(1 + vm->nvcpus, sizeof(*made));
	bool failed = false;

	if (!made)
		return NULL;
	for (size_t i = 0; i <= vm->nvcpus; i++) {
		made[i] = vm_identity_labels(identity, pid,
					     i ? (long)vm->vcpus[i - 1].vcpu_id : -1);
		failed |= !made[i];
	}
	if (!failed)
		return made;
	for (size_t i = 0; i <= vm->nvcpus; i++)
		labels_unref(made[i]);
	free(made);
	return NULL;
}

/* Give the VM another cgroup, which is then its own, and process. Returns whether it has it. */
static bool vm_relabel(struct vms *vms, struct vm *vm, struct vm_cgroup *cgroup, pid_t process)
{
	struct vm_identity identity = vm->identity;
	struct labels **made;

	identity.cgroup = *cgroup;
	made = labels_make(vm, &identity, process);
	if (!made)
		return false; /* the next look tries again */
	vm_cgroup_free(&vm->identity.cgroup);
	vm->identity.cgroup = *cgroup;
	vm->process = process;
	vm->pid = (uint32_t)process;
	labels_unref(vm->labels);
	vm->labels = made[0];
	for (size_t i = 0; i < vm->nvcpus; i++) {
		labels_unref(vm->vcpus[i].labels);
		vm->vcpus[i].labels = made[1 + i];
	}
	free(made);
	vms->changes++;
	vms->relabelled++;
	return true;
}

/* The process to look at; 0: none. A VM that /proc never showed keeps what the kernel said. */
static pid_t vm_process(const struct vms *vms, const struct vm *vm)
{
	if (!vm->process || !vm_is_there(vms, vm))
		return 0;
	return vm->held == vm->pass ? vm->process : vm->holder;
}

/* Why, and what to do. */
static void unreadable_tell(pid_t process, int err, struct report *report)
{
	struct proc_hiding hiding;
	char advice[160] = "check the security module's policy";

	proc_hiding_read(PROC_MOUNTS, &hiding);
	if (hiding.from_all)
		snprintf(advice, sizeof(advice),
			 "mount it with hidepid=invisible and gid=GROUP instead of hidepid=%s",
			 hiding.hidepid);
	else if (hiding.hides && hiding.group)
		snprintf(
			advice, sizeof(advice),
			"it hides them (hidepid=%s) but from group %lu: start as root or in that group",
			hiding.hidepid, (unsigned long)hiding.group);
	else if (hiding.hides)
		snprintf(advice, sizeof(advice),
			 "it hides them (hidepid=%s): mount it with gid=GROUP, too, and restart",
			 hiding.hidepid);
	report_add(
		report, REPORT_WARNING,
		"VMs have their VMM's command for a name, and no labels uuid, cgroup, machine, pod: "
		"/proc/%ld cannot be read (%s); %s",
		(long)process, strerror(err), advice);
}

/*
 * The files of a process that was there could not be read. It may have ended since; if a later pass
 * sees it, it has not.
 */
static void unreadable(struct vms *vms, struct vm *vm, pid_t process, int err,
		       struct report *report)
{
	if (vms->told || process != vm->process)
		return;
	if (vm->unread && vm->held > vm->unread) {
		unreadable_tell(process, err, report);
		vms->told = true;
	}
	vm->unread = vm->held;
}

static void vm_follow(struct vms *vms, struct vm *vm, struct report *report)
{
	pid_t process = vm_process(vms, vm);
	struct vm_cgroup cgroup;
	bool same;

	if (!process || vm_cgroup_read(vms->proc, process, &cgroup))
		return;
	if (cgroup.err)
		unreadable(vms, vm, process, cgroup.err, report);
	/* what cannot be read is not known to have changed */
	same = cgroup.err ||
	       (process == vm->process && vm_cgroup_equal(&cgroup, &vm->identity.cgroup));
	if (same || !vm_relabel(vms, vm, &cgroup, process))
		vm_cgroup_free(&cgroup);
}

void vms_follow(struct vms *vms, struct report *report)
{
	size_t n = (vms->n + VMS_FOLLOW_CALLS - 1) / VMS_FOLLOW_CALLS;

	while (n-- && !vms->labels_stay) {
		if (vms->followed >= vms->n)
			vms->followed = 0;
		vm_follow(vms, vms->list[vms->followed++], report);
	}
}
