/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* State of the cause family, shared by its files: cause.c loads and reads, cause_tables.c fills. */
#ifndef PMDAKVM_CAUSE_H
#define PMDAKVM_CAUSE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/record_family.h"
#include "families/cause/cause_ids.h"
#include "families/cause/cause_totals.h"
#include "vms/tables.h"

struct cause {
	struct record_family family;
	struct cause_sums sums;
	struct cause_totals totals;
	struct cause_ids ids;
	const struct cause_row *rows; /* mapped, [cpus->n] */
	struct cause_ended *ended;    /* mapped */
	struct cause_sum *list;	      /* mapped, [config->causes + 1]; NULL: none is used yet */
	uint64_t generation;	      /* of VMs' records at the last refresh */
};

#define CAUSE_TABLES 2
extern const struct table cause_tables[CAUSE_TABLES];

#endif /* PMDAKVM_CAUSE_H */
