/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* The environment of a family: what it may use of the agent. */
#ifndef PMDAKVM_FAMILY_ENV_H
#define PMDAKVM_FAMILY_ENV_H

#include <stddef.h>

#include "base/config.h"
#include "base/report.h"
#include "kernel/record_links.h"
#include "kernel/cpus.h"
#include "kernel/event_rows.h"
#include "kernel/kernel_types.h"
#include "kernel/pinned_maps.h"
#include "kvm/classic_events.h"
#include "kvm/tracepoints.h"
#include "metrics/item_numbers.h"
#include "vms/vm_register.h"

/* What a family's status says of maps of an agent that runs. */
#define FAMILY_READS	 "read from the maps of the agent that runs"
#define FAMILY_NOT_THERE "not counted by the agent that runs"

/* Everything in it outlives the family's state. */
struct family_env {
	const struct config *config;
	const struct events *events;
	const struct cpus *cpus;
	struct items *items;
	struct vms *vms;		/* the register of VMs */
	const struct pins *pins;	/* NULL: maps are not pinned; for reading: load nothing */
	struct event_rows *rows;	/* who counts which event */
	struct classic_events *classic; /* attached by perf; NULL: none is */
	struct record_links *causes;	/* who charges causes; NULL: nobody */
	struct record_links *ledger;	/* who writes the ledger; the same */
	struct record_links *slow;	/* who records slow exits; the same */
	struct kernel_types *types;	/* closed after each pass of opening or attaching */
	struct report *report;		/* set only while open or attach runs */
};

#endif /* PMDAKVM_FAMILY_ENV_H */
