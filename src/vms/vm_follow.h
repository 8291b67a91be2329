/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Labels follow a VM: to the cgroup that its VMM is moved to, and to the process that has it open
 * once its VMM has not. Its name stays.
 */
#ifndef PMDAKVM_VM_FOLLOW_H
#define PMDAKVM_VM_FOLLOW_H

#include "base/report.h"
#include "vms/vm_register.h"

/* Within so many calls each VM is looked at. */
#define VMS_FOLLOW_CALLS 5

/*
 * Call it once a second: it reads the files of a part of the VMs in /proc. That those of a process
 * cannot be read is a line of the report, once; then its VMs have no name but the command's.
 */
void vms_follow(struct vms *vms, struct report *report);

#endif /* PMDAKVM_VM_FOLLOW_H */
