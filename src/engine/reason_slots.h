/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Which reason a slot of the counters stands for, and its name.
 *
 * Two slots can stand for one reason. A code outside all ranges claims a slot; a later version of
 * the agent has a range for it, takes over the pinned maps, and from then on counts in another
 * slot. Two CPUs can claim two slots for one code. And slots whose code nobody knows, such as
 * those of a later version's ranges, are all "other". Each reason has one home slot, to which the
 * reader adds the counts of the others, so that no two rows have one name.
 */
#ifndef PMDAKVM_REASON_SLOTS_H
#define PMDAKVM_REASON_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/engine.h"
#include "kvm/exit_reasons.h"

struct reason_slots {
	enum reasons_isa isa;
	unsigned n;   /* slots of reasons; those from there on stand for none */
	int codes_fd; /* map from claimed slot to code; -1: none is loaded */
	uint16_t homes[COUNTER_SLOTS_MAX];
	char names[COUNTER_SLOTS_MAX][REASONS_NAME_SIZE]; /* of codes without a name */
};

void reason_slots_init(struct reason_slots *slots, enum reasons_isa isa, unsigned n);

/* Slots are those of another instruction set from now on. */
void reason_slots_set_isa(struct reason_slots *slots, enum reasons_isa isa);

/*
 * The home of a slot that has counts. It never changes as long as the instruction set does not, so
 * that what has been added to a home stays there.
 */
unsigned reason_slots_home(struct reason_slots *slots, unsigned slot);

/* The name of a slot's reason; valid as long as slots is. */
const char *reason_slots_name(struct reason_slots *slots, unsigned slot);

#endif /* PMDAKVM_REASON_SLOTS_H */
