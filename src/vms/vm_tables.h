/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* The tables of the register: which VMs and vCPUs there are. */
#ifndef PMDAKVM_VM_TABLES_H
#define PMDAKVM_VM_TABLES_H

#include "vms/tables.h"

/* Their state is the struct vms. */
extern const struct table vm_tables[];
extern const size_t vm_tables_count;

#endif /* PMDAKVM_VM_TABLES_H */
