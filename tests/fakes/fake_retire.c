// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/fake_retire.h"

#include "fakes/fake_engine.h"
#include "fakes/support.h"

struct fake_scene scene;

int scene_setup(void **state)
{
	scene = (struct fake_scene){ .vcpu = { .id = 11, .address = 0x1000 }, .now = 100 * SECOND };
	scene.vm = (struct vm){ .id = 1, .vcpus = &scene.vcpu, .nvcpus = 1 };
	scene.list[0] = &scene.vm;
	scene.vms = (struct vms){ .list = scene.list, .n = 1, .passes = (void *)&scene.vms };
	vcpu_counters_init(&scene.counters, "exit", 1, SLOTS, REASONS_SVM, &fake_engine_cpus,
			   "proc");
	vm_counters_init(&scene.of_vms, &scene.counters);
	fake_engine_load(&scene.counters);
	return work_setup(state);
}

int scene_teardown(void **state)
{
	vm_counters_free(&scene.of_vms);
	fake_engine_unload(&scene.counters);
	fake_engine_free();
	return work_teardown(state);
}

void scene_tick_fast(void)
{
	vcpu_counters_walk(&scene.counters);
	assert_int_equal(vm_counters_update(&scene.of_vms, &scene.vms), 0);
	retire_tick(&scene.of_vms, &scene.vms, scene.now, RETIRE_TICK);
	assert_int_equal(vm_counters_update(&scene.of_vms, &scene.vms), 0);
	scene.now += SECOND;
}

void scene_tick(void)
{
	scene_tick_fast();
	assert_pools(&scene.counters);
}

void assert_scene(uint64_t host, uint64_t of_vm)
{
	struct slot_sums sums;

	vcpu_counters_read(&scene.counters);
	assert_int_equal(scene.counters.total[READ_CR0].count, host);
	assert_int_equal(scene.counters.total[READ_CR0].time, host * 10);
	vm_counters_sum(&scene.of_vms, 1, 0, READ_CR0, &sums);
	assert_int_equal(sums.count, of_vm);
}

void scene_take_over(void)
{
	vm_counters_free(&scene.of_vms);
	fake_engine_unload(&scene.counters);
	vcpu_counters_init(&scene.counters, "exit", 1, SLOTS, REASONS_SVM, &fake_engine_cpus,
			   "proc");
	fake_engine_take_over(&scene.counters);
	assert_pools(&scene.counters);
}
