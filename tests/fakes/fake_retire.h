/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Records that are taken back: a register with one VM of one vCPU, the records of a fake engine,
 * and ticks a second apart.
 */
#ifndef PMDAKVM_TESTS_FAKE_RETIRE_H
#define PMDAKVM_TESTS_FAKE_RETIRE_H

#include "engine/retire.h"

#define SLOTS  200
#define SECOND UINT64_C(1000000000)

enum { READ_CR0 = 9 };

struct fake_scene {
	struct vcpu vcpu; /* id 11, at 0x1000 */
	struct vm vm;	  /* id 1 */
	struct vm *list[1];
	struct vms vms;
	struct vcpu_counters counters;
	struct vm_counters of_vms;
	uint64_t now; /* ns */
};

extern struct fake_scene scene;

int scene_setup(void **state);
int scene_teardown(void **state);

/* A tick, after which a second passes; then also that the pools are whole. */
void scene_tick_fast(void);
void scene_tick(void);

/* The host and the VM have counted so many exits of READ_CR0, of 10 ns each. */
void assert_scene(uint64_t host, uint64_t of_vm);

/* Another agent takes the records over. */
void scene_take_over(void);

#endif /* PMDAKVM_TESTS_FAKE_RETIRE_H */
