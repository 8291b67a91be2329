/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Tables about the agent itself: its version, its families, its BPF maps, its controls. */
#ifndef PMDAKVM_AGENT_H
#define PMDAKVM_AGENT_H

#include "vms/tables.h"

/* The state of these tables is the array struct collector_family[families_count]. */
extern const struct table agent_tables[];
extern const size_t agent_tables_count;

#endif /* PMDAKVM_AGENT_H */
