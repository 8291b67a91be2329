/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Reads a VM's identity (name, UUID, cgroup, machine, pod) from its VMM's process in /proc. */
#ifndef PMDAKVM_VM_IDENTITY_H
#define PMDAKVM_VM_IDENTITY_H

#include <stddef.h>
#include <sys/types.h>

#include "metrics/labels.h"
#include "vms/vm_cgroup.h"

/* All strings are valid UTF-8; U+FFFD replaces invalid bytes. */
struct vm_identity {
	char *name; /* exact; never NULL or "" */
	char *uuid; /* as given to the VMM; NULL if it was not given */
	struct vm_cgroup cgroup;
};

/*
 * Read PROC/PID/cmdline and PROC/PID/cgroup. The name is QEMU's -name, Firecracker's --id, crosvm's
 * --name; if there is none, if it is empty, or if the file cannot be read, it is comm, the kernel's
 * command name, or "vm" if comm is "". Returns 0 or -ENOMEM; ret_identity is untouched on failure.
 */
int vm_identity_read(const char *proc, pid_t pid, const char *comm,
		     struct vm_identity *ret_identity);

void vm_identity_free(struct vm_identity *identity);

/* Maximum length of NAME in NAME-PID, in bytes. */
#define VM_NAME_MAX 64

/*
 * The instance name of a VM, without "-PID": "_" replaces each white space or control character,
 * each character that only sets the direction of text, "/", U+FFFD, each "::" and invalid UTF-8; at
 * most VM_NAME_MAX bytes, cut between characters. Never empty.
 */
void vm_identity_instance(const char *name, char ret_name[VM_NAME_MAX + 1]);

/*
 * The labels of a VM, or of one of its vCPUs (vcpu >= 0): vm, pid, uuid, cgroup, machine, pod,
 * vcpu. Unknown ones are omitted, and text is cut to 1024 bytes. Returns NULL if there is no
 * memory.
 */
struct labels *vm_identity_labels(const struct vm_identity *identity, pid_t pid, long vcpu);

#endif /* PMDAKVM_VM_IDENTITY_H */
