/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Tables about the agent itself: its version, its families, its BPF maps, its controls. */
#ifndef PMDAKVM_SELF_TABLES_H
#define PMDAKVM_SELF_TABLES_H

#include "collector/collector_family.h"
#include "vms/tables.h"

/* The state of these tables. */
struct self {
	const struct collector_family *families; /* [families_count] */
	const struct instance_numbers *numbers;	 /* NULL: instances are not numbered */
};

extern const struct table agent_tables[];
extern const size_t agent_tables_count;

#endif /* PMDAKVM_SELF_TABLES_H */
