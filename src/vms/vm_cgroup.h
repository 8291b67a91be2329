/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* The cgroup of a VMM's process, and what it tells of the VM. Forms are in vmm.def. */
#ifndef PMDAKVM_VM_CGROUP_H
#define PMDAKVM_VM_CGROUP_H

#include <stdbool.h>
#include <sys/types.h>

struct vm_cgroup {
	int err;       /* a positive errno: why the file could not be read; 0: it could */
	char *path;    /* NULL: unknown, or the root cgroup */
	char *machine; /* name that systemd or libvirt has for it; NULL: not in a machine */
	char *pod;     /* UID of the Kubernetes pod; NULL: not in a pod */
	char *vm;      /* name of the VM that it was made for; NULL: unknown */
};

/*
 * Read PROC/PID/cgroup. Returns 0, with all unknown if it cannot be read, or -ENOMEM; ret_cgroup is
 * untouched on failure.
 */
int vm_cgroup_read(const char *proc, pid_t pid, struct vm_cgroup *ret_cgroup);

/* Are they the same cgroup? */
bool vm_cgroup_equal(const struct vm_cgroup *one, const struct vm_cgroup *other);

void vm_cgroup_free(struct vm_cgroup *cgroup);

#endif /* PMDAKVM_VM_CGROUP_H */
