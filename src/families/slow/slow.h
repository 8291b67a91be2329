/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* State of the slow family: slow.c loads and reads, slow_tables.c fills. */
#ifndef PMDAKVM_SLOW_H
#define PMDAKVM_SLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/record_family.h"
#include "families/slow/slow_totals.h"
#include "vms/tables.h"

struct slow {
	struct record_family family;
	struct slow_totals totals;
	const struct slow_row *rows; /* mapped, [cpus->n] */
	bool exits;		     /* this KVM fires kvm_exit */
	bool has_read;		     /* all records were read */
	uint64_t shown;		     /* a number of what had rows at the last refresh */
	int64_t real;		     /* what makes CLOCK_REALTIME of CLOCK_MONOTONIC, ns */
};

#define SLOW_TABLES 2
extern const struct table slow_tables[SLOW_TABLES];

#endif /* PMDAKVM_SLOW_H */
