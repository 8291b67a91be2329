/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Who a VM is: its name, and where it runs, from its VMM's process (/proc) alone.
 */
#ifndef PMDAKVM_VM_IDENTITY_H
#define PMDAKVM_VM_IDENTITY_H

#include <stddef.h>
#include <sys/types.h>

/* All are valid UTF-8; U+FFFD stands for what is none. */
struct vm_identity {
	char *name;    /* exact; never NULL or "" */
	char *uuid;    /* as it was given to the VMM; NULL: it was not */
	char *cgroup;  /* the process's control group; NULL: unknown, or the root */
	char *machine; /* as this host's systemd-machined calls it; NULL: it is in none */
	char *pod;     /* the UID of a Kubernetes pod; NULL: it is in none */
};

/*
 * Read PROC/PID/cmdline and PROC/PID/cgroup. The name is QEMU's -name, Firecracker's
 * --id, crosvm's --name; else (and where the file cannot be read, or the name is empty)
 * comm, the command's name as the kernel has it, or "vm" where that is "". Returns 0 or
 * -ENOMEM; ret_identity is untouched on failure.
 */
int vm_identity_read(const char *proc, pid_t pid, const char *comm,
		     struct vm_identity *ret_identity);

void vm_identity_free(struct vm_identity *identity);

/* Longest NAME of NAME-PID, in bytes. */
#define VM_NAME_MAX 64

/*
 * The name a VM has as an instance, without "-PID": each character that is white space, a
 * control character, "/" or U+FFFD becomes "_", and so does each "::" and what is no
 * UTF-8; at most VM_NAME_MAX bytes, cut between characters. Never empty.
 */
void vm_identity_instance(const char *name, char ret_name[VM_NAME_MAX + 1]);

/*
 * The labels of a VM, or of one of its vCPUs (vcpu >= 0), as a JSON object of text,
 * one line: {"vm":NAME,"pid":PID,"uuid":...,"cgroup":...,"machine":...,"pod":...,"vcpu":N};
 * what is unknown is left out, and a text cut to 1024 bytes. NULL: no memory. To be freed.
 */
char *vm_identity_labels(const struct vm_identity *identity, pid_t pid, long vcpu);

#endif /* PMDAKVM_VM_IDENTITY_H */
