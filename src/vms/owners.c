// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "vms/owners.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int owner_add(struct owner_list *to, const struct owner *owner)
{
	if (to->n == to->room) {
		size_t room = to->room ? to->room * 2 : 16;
		struct owner *list = reallocarray(to->list, room, sizeof(*list));

		if (!list)
			return -ENOMEM;
		to->list = list;
		to->room = room;
	}
	to->list[to->n++] = *owner;
	return 0;
}

/* Names of CPUs stay where they are, since CPUs are not added after the first call. */
static int cpu_names_make(struct owners *owners, const struct cpus *cpus)
{
	if (owners->cpu_names)
		return 0;
	owners->cpu_names = calloc(cpus->n + 1, sizeof(*owners->cpu_names));
	if (!owners->cpu_names)
		return -ENOMEM;
	owners->ncpu_names = cpus->n;
	for (size_t i = 0; i < cpus->n; i++)
		snprintf(owners->cpu_names[i], sizeof(owners->cpu_names[i]), "cpu%u", (unsigned)i);
	return 0;
}

static int cpus_update_list(struct owners *owners, const struct cpus *cpus)
{
	struct owner_list *list = &owners->kinds[OWNER_CPU];
	int err = cpu_names_make(owners, cpus);
	size_t before = list->n;

	list->n = 0;
	for (size_t i = 0; !err && i < owners->ncpu_names; i++) {
		struct owner owner = { .id = (uint32_t)i, .name = owners->cpu_names[i] };

		if (cpus->present[i])
			err = owner_add(list, &owner);
	}
	owners->changes += list->n != before;
	return err;
}

static int vm_compare(const void *left, const void *right)
{
	const struct owner *a = left, *b = right;

	return strverscmp(a->name, b->name);
}

static int vcpu_compare(const void *left, const void *right)
{
	const struct owner *a = left, *b = right;

	return (a->vcpu->vcpu_id > b->vcpu->vcpu_id) - (a->vcpu->vcpu_id < b->vcpu->vcpu_id);
}

static int vcpus_add(struct owners *owners, const struct vms *vms, const struct vm *vm)
{
	struct owner_list *list = &owners->kinds[OWNER_VCPU];
	size_t first = list->n;
	int err = 0;

	for (size_t i = 0; !err && i < vm->nvcpus; i++) {
		const struct vcpu *vcpu = &vm->vcpus[i];

		if (vcpu_is_there(vms, vcpu))
			err = owner_add(list, &(struct owner){ vcpu->id, vcpu->name, vcpu->labels,
							       vm, vcpu });
	}
	if (list->n > first)
		qsort(list->list + first, list->n - first, sizeof(*list->list), vcpu_compare);
	return err;
}

static int vms_update_lists(struct owners *owners, const struct vms *vms)
{
	struct owner_list *list = &owners->kinds[OWNER_VM];
	int err = 0;

	list->n = owners->kinds[OWNER_VCPU].n = 0;
	for (size_t i = 0; !err && i < vms->n; i++) {
		const struct vm *vm = vms->list[i];

		if (vm_is_there(vms, vm))
			err = owner_add(list,
					&(struct owner){ vm->id, vm->name, vm->labels, vm, NULL });
	}
	if (list->n)
		qsort(list->list, list->n, sizeof(*list->list), vm_compare);
	for (size_t i = 0; !err && i < list->n; i++)
		err = vcpus_add(owners, vms, list->list[i].vm);
	return err;
}

int owners_update(struct owners *owners, const struct vms *vms, const struct cpus *cpus)
{
	int err = cpus_update_list(owners, cpus), vms_err;

	if (!err && !owners->kinds[OWNER_HOST].n)
		err = owner_add(&owners->kinds[OWNER_HOST], &(struct owner){ 0 });
	if (owners->vms_changes == vms->changes + 1)
		return err;
	/* even after an error: the lists can point to VMs that are gone */
	vms_err = vms_update_lists(owners, vms);
	owners->changes++;
	/* after a failure the next call makes the lists anew */
	owners->vms_changes = vms_err ? 0 : vms->changes + 1;
	return err ? err : vms_err;
}

void owners_free(struct owners *owners)
{
	for (int i = 0; i < OWNER_KINDS; i++)
		free(owners->kinds[i].list);
	free(owners->cpu_names);
	*owners = (struct owners){ 0 };
}
