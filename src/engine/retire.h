/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Takes back records that nobody writes any more: of threads that have ended, and of vCPUs that are
 * gone. Their counts move to the host's sums, block by block, each under a journal in pinned
 * memory: at whatever point the agent is killed, they count exactly once.
 */
#ifndef PMDAKVM_RETIRE_H
#define PMDAKVM_RETIRE_H

#include "engine/vm_counters.h"

/*
 * After loading, before attaching: finish what an earlier agent had begun, and fill the pools with
 * what is free. Without memory for it all counts go to the overflow rows.
 */
void retire_recover(struct vcpu_counters *counters);

/*
 * Once sched_process_exit is attached: mark records of threads that ended while nothing was
 * attached, if /proc shows all threads.
 */
void retire_reap(struct vcpu_counters *counters);

/* How many records a tick takes back: of a program's own loop; of a fetch, which people wait for.
 */
#define RETIRE_TICK  4096
#define RETIRE_FETCH 256

/*
 * Once a second: take back what is over, so many records at most, each in some 20 us. Records that
 * are pinned, of ended threads whose vCPU is there, stay while half of the room is free. vms: the
 * register, to which records were assigned just now. now is in ns.
 */
void retire_tick(struct vm_counters *all, const struct vms *vms, uint64_t now, unsigned most);

#endif /* PMDAKVM_RETIRE_H */
