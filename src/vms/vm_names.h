/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * No two VMs are called the same: the second NAME-PID, be it another VM of one process
 * or a process's number met again, is NAME-PID.2. Names of VMs that have ended are
 * remembered for a while, so many of them.
 */
#ifndef PMDAKVM_VM_NAMES_H
#define PMDAKVM_VM_NAMES_H

#include <stddef.h>
#include <stdint.h>

#define VM_NAMES_REMEMBERED 512

struct vm_names;

/* NULL: no memory. */
struct vm_names *vm_names_new(void);
void vm_names_free(struct vm_names *names);

/* A name for a VM of that process, to be freed; NULL: no memory. */
char *vm_names_take(struct vm_names *names, const char *name, uint32_t pid);

/* A VM of that name and process has ended. */
void vm_names_give(struct vm_names *names, const char *name, uint32_t pid);

#endif /* PMDAKVM_VM_NAMES_H */
