/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Makes VM instance names unique: the second VM with a NAME-PID, another VM of the process or of a
 * reused PID, is NAME-PID.2. Names of the last VM_NAMES_REMEMBERED destroyed VMs are remembered.
 *
 * Suffixes are kept with the instance numbers until the host boots again: a VM has the same suffix
 * for the next agent, and the next agent gives no suffix that was another VM's.
 */
#ifndef PMDAKVM_VM_NAMES_H
#define PMDAKVM_VM_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/vms.h"
#include "metrics/instance_numbers.h"

#define VM_NAMES_REMEMBERED 512

struct vm_names;

/*
 * boot identifies this boot of the host; numbers must outlive the names. Without numbers (NULL)
 * suffixes are known to this process only. Returns NULL without memory.
 */
struct vm_names *vm_names_new(struct instance_numbers *numbers, const char *boot);
void vm_names_free(struct vm_names *names);

/* A unique name for a VM of this process, which the caller frees; NULL without memory. */
char *vm_names_take(struct vm_names *names, const char *name, uint32_t pid,
		    const struct vm_key *key);

/* Report that a VM with this name and process was destroyed. */
void vm_names_give(struct vm_names *names, const char *name, uint32_t pid,
		   const struct vm_key *key);

/* Undo the last vm_names_take() for this name: its VM was never registered. */
void vm_names_cancel(struct vm_names *names, const char *name, uint32_t pid);

#endif /* PMDAKVM_VM_NAMES_H */
