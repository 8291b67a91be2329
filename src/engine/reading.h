/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Reads the counters of an agent that runs, from its pinned maps: nothing is loaded, attached or
 * written. What ended threads of a running VM have counted is known to the agent alone.
 */
#ifndef PMDAKVM_READING_H
#define PMDAKVM_READING_H

#include "engine/vcpu_counters.h"

/*
 * Before a walk: follow the agent's pools, and have the object's own memory of what was taken
 * change when records or blocks were taken or given back. Returns 0 or -ENOMEM.
 */
int reading_follow(struct vcpu_counters *counters);

/*
 * Call read() until the agent has moved no counts from a record to the host's sums meanwhile; it
 * moves few, so this is soon. counters need not be read from an agent's maps.
 */
void reading_steady(struct vcpu_counters *counters, void (*read)(struct vcpu_counters *counters));

#endif /* PMDAKVM_READING_H */
