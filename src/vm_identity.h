/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Who a VM is: its name, and where it runs, from its VMM's process (/proc) alone.
 */
#ifndef PMDAKVM_VM_IDENTITY_H
#define PMDAKVM_VM_IDENTITY_H

#include <stddef.h>
#include <sys/types.h>

struct vm_identity {
	char *name;    /* exact, as valid UTF-8 (U+FFFD for what is none); never NULL or "" */
	char *uuid;    /* NULL: unknown */
	char *cgroup;  /* the process's control group; NULL: unknown, or the root */
	char *machine; /* as systemd-machined calls it; NULL: it is in none */
	char *pod;     /* the UID of a Kubernetes pod; NULL: it is in none */
};

/*
 * Read PROC/PID/cmdline and PROC/PID/cgroup. The name is QEMU's -name, Firecracker's
 * --id, crosvm's --name; else (and where the file cannot be read, or the name is empty)
 * comm, the command's name as the kernel has it. Returns 0 or -ENOMEM; ret_identity is
 * untouched on failure.
 */
int vm_identity_read(const char *proc, pid_t pid, const char *comm,
		     struct vm_identity *ret_identity);

void vm_identity_free(struct vm_identity *identity);

/* Longest NAME of NAME-PID, in bytes. */
#define VM_NAME_MAX 64

/*
 * The name a VM has as an instance, without "-PID": white space, control characters, "/"
 * and "::" become "_", what is no UTF-8 too; at most VM_NAME_MAX bytes, cut between
 * characters. Never empty.
 */
void vm_identity_instance(const char *name, char ret_name[VM_NAME_MAX + 1]);

/*
 * The labels of a VM, or of one of its vCPUs (vcpu >= 0), as a JSON object of text,
 * one line: {"vm":NAME,"pid":PID,"uuid":...,"cgroup":...,"machine":...,"pod":...,"vcpu":N};
 * what is unknown is left out. NULL: no memory. To be freed.
 */
char *vm_identity_labels(const struct vm_identity *identity, pid_t pid, long vcpu);

#endif /* PMDAKVM_VM_IDENTITY_H */
