/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
#ifndef PMDAKVM_VCPU_THREAD_H
#define PMDAKVM_VCPU_THREAD_H

#include "vms/vm.h"

/*
 * Update the vCPU's thread and its run delay. A delay of another thread from before it took over
 * the vCPU is not the vCPU's.
 */
void vcpu_thread_take(struct vcpu *vcpu, const struct vm_record *record);

#endif /* PMDAKVM_VCPU_THREAD_H */
