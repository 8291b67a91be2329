/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Which vendor's KVM is here: the one whose module fires kvm_exit. */
#ifndef PMDAKVM_VENDOR_H
#define PMDAKVM_VENDOR_H

#include "kvm/exit_reasons.h"

/* sysfs shows each module here, also one that is built in, if it has parameters: both have. */
#define KVM_MODULES_DIR "/sys/module"

/*
 * REASONS_SVM if kvm_amd is in the folder dir, REASONS_VMX if kvm_intel is. Both are only where
 * they are built in; then the CPU tells which one works. Returns 0, or -ENOENT if neither is.
 */
int kvm_vendor(const char *dir, enum reasons_isa *ret_isa);

#endif /* PMDAKVM_VENDOR_H */
