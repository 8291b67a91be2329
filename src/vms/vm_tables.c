// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "vms/vm_tables.h"

#include "vms/vm_passes.h"

/* vCPUs that the last pass saw. */
static uint64_t count_vcpus(const struct vms *vms, const struct vm *vm)
{
	uint64_t n = 0;

	for (size_t i = 0; i < vm->nvcpus; i++)
		n += vcpu_is_there(vms, &vm->vcpus[i]);
	return n;
}

enum { VMS_VMS, VMS_VCPUS };

/* Without passes nobody knows, and 0 would be wrong. */
static bool vms_known(void *state)
{
	const char *error;

	return vms_attached(state, &error) == 0;
}

static int vms_fill(void *state, const struct table_row *row)
{
	const struct vms *vms = state;
	uint64_t n = 0, nvcpus = 0;

	for (size_t i = 0; i < vms->n; i++) {
		if (!vm_is_there(vms, vms->list[i]))
			continue;
		n++;
		nvcpus += count_vcpus(vms, vms->list[i]);
	}
	snapshot_cell_set(&row->cells[VMS_VMS], n);
	snapshot_cell_set(&row->cells[VMS_VCPUS], nvcpus);
	return 0;
}

enum { VM_VCPUS, VM_PID, VM_NAME };

static int vm_fill(void *state, const struct table_row *row)
{
	const struct vm *vm = row->owner->vm;

	snapshot_cell_set(&row->cells[VM_VCPUS], count_vcpus(state, vm));
	snapshot_cell_set(&row->cells[VM_PID], vm->pid);
	return snapshot_cell_set_text(&row->cells[VM_NAME], vm->identity.name);
}

enum { VCPU_RUN_DELAY, VCPU_TID };

static int vcpu_fill(void *state, const struct table_row *row)
{
	const struct vcpu *vcpu = row->owner->vcpu;

	(void)state;
	if (vcpu->has_run_delay)
		snapshot_cell_set(&row->cells[VCPU_RUN_DELAY], vcpu->run_delay);
	if (vcpu->thread || vcpu->tid)
		snapshot_cell_set(&row->cells[VCPU_TID], vcpu->thread ? vcpu->thread : vcpu->tid);
	return 0;
}

static const char *const vms_columns[] = { [VMS_VMS] = "vms", [VMS_VCPUS] = "vcpus", NULL };
static const char *const vcpu_columns[] = {
	[VCPU_RUN_DELAY] = "run_delay",
	[VCPU_TID] = "tid",
	NULL,
};
static const char *const vm_columns[] = {
	[VM_VCPUS] = "vcpus",
	[VM_PID] = "pid",
	[VM_NAME] = "name",
	NULL,
};

const struct table vm_tables[] = {
	{ .name = "vms", .columns = vms_columns, .begin = vms_known, .fill = vms_fill },
	{ .name = "vm", .owner = OWNER_VM, .columns = vm_columns, .fill = vm_fill },
	{ .name = "vcpu_thread", .owner = OWNER_VCPU, .columns = vcpu_columns, .fill = vcpu_fill },
};

const size_t vm_tables_count = sizeof(vm_tables) / sizeof(vm_tables[0]);
