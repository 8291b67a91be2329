/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Passes over the kernel's open files, by the iterator of bpf/vms.bpf.c, that fill the register. */
#ifndef PMDAKVM_VM_PASSES_H
#define PMDAKVM_VM_PASSES_H

#include "kvm/stat_schema.h"
#include "vms/vm_register.h"

/*
 * Have passes made for a register, or remake what they need after KVM came back with other types:
 * then all VMs are considered destroyed. Kinds and units of statistics come from the device
 * /dev/kvm where it can be opened. Returns 0, or an error with a message for people in *ret_error,
 * which the caller frees; -ENOENT means that KVM is not loaded or has no type information.
 */
int vms_attach(struct vms *vms, struct kernel_types *types, const char *lockdown, char **ret_error);

/* The error of the last vms_attach(): 0, or what it returned, with its message or NULL. */
int vms_attached(const struct vms *vms, const char **ret_error);

/* The schema of the statistics that records have; NULL before the first vms_attach() succeeded. */
struct stat_layout *vms_layout(const struct vms *vms);

/* Make a pass, if one can be made. Returns whether it was complete. */
bool vms_pass(struct vms *vms);

/* Names are asked for right after values, one instance domain after another: one pass serves all.
 */
#define VMS_NAMES_NS UINT64_C(100000000)

/*
 * Call vms_refresh() before reading the list of VMs: it makes one pass for all reads that follow
 * one vms_stale(), which does nothing if a pass began less than so many ns ago.
 */
void vms_stale(struct vms *vms, uint64_t ns);
void vms_refresh(struct vms *vms);

/*
 * Once a second: make a pass if the last one was a second ago, so that short-lived VMs are seen,
 * and have labels follow.
 */
void vms_tick(struct vms *vms, struct report *report);

/* Free what vms_attach() has made; before vms_free(). */
void vms_detach(struct vms *vms);

#endif /* PMDAKVM_VM_PASSES_H */
