/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Stores to kvm.control.*, and who is allowed to make them. Debian's pmcd lets every local user
 * store, so the agent checks the user ID itself. Only clients on a Unix socket have one.
 */
#ifndef PMDAKVM_PMDA_STORE_H
#define PMDAKVM_PMDA_STORE_H

#include <pcp/pmapi.h>
#include <pcp/pmda.h>

int kvm_store(pmResult *result, pmdaExt *pmda);
int kvm_attribute(int context, int attribute, const char *value, int length, pmdaExt *pmda);
void kvm_end_context(int context);

#endif /* PMDAKVM_PMDA_STORE_H */
