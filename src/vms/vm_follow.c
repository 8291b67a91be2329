// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "vms/vm_follow.h"

#include <stdlib.h>

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

static void vm_follow(struct vms *vms, struct vm *vm)
{
	pid_t process = vm_process(vms, vm);
	struct vm_cgroup cgroup;
	bool same;

	if (!process || vm_cgroup_read(vms->proc, process, &cgroup))
		return;
	/* what cannot be read is not known to have changed */
	same = !cgroup.known ||
	       (process == vm->process && vm_cgroup_equal(&cgroup, &vm->identity.cgroup));
	if (same || !vm_relabel(vms, vm, &cgroup, process))
		vm_cgroup_free(&cgroup);
}

void vms_follow(struct vms *vms)
{
	size_t n = (vms->n + VMS_FOLLOW_CALLS - 1) / VMS_FOLLOW_CALLS;

	while (n--) {
		if (vms->followed >= vms->n)
			vms->followed = 0;
		vm_follow(vms, vms->list[vms->followed++]);
	}
}
