// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "families/stat/stat_vms.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct stat_vm *vm_new(const struct stat_layout *layout)
{
	struct stat_vm *fresh = calloc(1, sizeof(*fresh));

	if (!fresh)
		return NULL;
	/* one array, which is never empty */
	fresh->values = calloc(layout->vm.nvalues + 2 * (size_t)layout->vcpu.nvalues + 1,
			       sizeof(*fresh->values));
	if (!fresh->values) {
		free(fresh);
		return NULL;
	}
	fresh->gone = fresh->values + layout->vm.nvalues;
	fresh->sum = fresh->gone + layout->vcpu.nvalues;
	return fresh;
}

/* Add to the base what the cumulative ones of the fresh values lack. Returns 0 or -ENOMEM. */
static int base_raise(const struct stat_list *list, const uint64_t *before, uint64_t *fresh,
		      uint64_t **base)
{
	if (!*base)
		*base = calloc(list->nvalues, sizeof(**base));
	if (!*base)
		return -ENOMEM;
	stat_add_missing(list, before, fresh, *base);
	stat_take_larger(list, before, fresh);
	return 0;
}

/* What one VM or vCPU has. */
struct taken {
	uint64_t **base, *values;
	bool known;   /* values were taken before */
	bool certain; /* it is the same one, whatever its values */
};

/*
 * Make new values the last known ones. Returns 0; 1 if cumulative ones fell and it may be another
 * one; or -ENOMEM.
 */
static int values_take(const struct stat_list *list, const void *member, uint64_t *fresh,
		       const struct taken *to, bool *changed)
{
	size_t bytes = list->nvalues * sizeof(*fresh);

	stat_decode(list, member, fresh);
	if (*to->base)
		stat_add(list, *to->base, true, fresh);
	if (to->known && stat_fell(list, to->values, fresh)) {
		if (!to->certain)
			return 1;
		if (base_raise(list, to->values, fresh, to->base))
			return -ENOMEM;
	}
	if (memcmp(to->values, fresh, bytes) != 0) {
		memcpy(to->values, fresh, bytes);
		*changed = true;
	}
	return 0;
}

static int vm_seen(const struct stat_layout *layout, uint64_t *scratch, struct vm *vm,
		   const void *member)
{
	struct stat_vm *stat = stat_vm_of(vm), *fresh = NULL;

	if (!stat) {
		stat = fresh = vm_new(layout);
		if (!fresh)
			return -ENOMEM;
		vm->hung = fresh;
	}
	return values_take(&layout->vm, member, scratch,
			   &(struct taken){ &stat->base, stat->values, !fresh, vm_is_certain(vm) },
			   &stat->changed);
}

static int vcpu_seen(const struct stat_layout *layout, uint64_t *scratch, struct vm *vm,
		     struct vcpu *vcpu, const void *member)
{
	struct stat_vm *stat = stat_vm_of(vm);
	struct stat_vcpu *own = stat_vcpu_of(vcpu);
	bool known = own;

	if (!stat) /* the VM was seen before statistics were wanted: the next pass has both */
		return 0;
	if (!known) {
		own = calloc(1, sizeof(*own) + layout->vcpu.nvalues * sizeof(own->values[0]));
		if (!own)
			return -ENOMEM;
		own->n = layout->vcpu.nvalues;
		vcpu->hung = own;
	}
	return values_take(&layout->vcpu, member, scratch,
			   &(struct taken){ &own->base, own->values, known, vm_is_certain(vm) },
			   &stat->changed);
}

int stat_vms_seen(const struct stat_layout *layout, uint64_t *scratch, struct vm *vm,
		  struct vcpu *vcpu, const void *member)
{
	return vcpu ? vcpu_seen(layout, scratch, vm, vcpu, member) :
		      vm_seen(layout, scratch, vm, member);
}

void stat_vms_vcpu_ended(const struct stat_layout *layout, struct vm *vm, struct vcpu *vcpu)
{
	if (vm->hung && vcpu->hung)
		stat_add(&layout->vcpu, stat_vcpu_of(vcpu)->values, true, stat_vm_of(vm)->gone);
	stat_vms_vcpu_free(vcpu);
}

int stat_vms_raise(const struct stat_layout *layout, const uint64_t *before, struct vm *vm)
{
	struct stat_vm *stat = stat_vm_of(vm);

	if (!stat_fell(&layout->vm, before, stat->values))
		return 0;
	stat->changed = true;
	return base_raise(&layout->vm, before, stat->values, &stat->base);
}

void stat_vms_vcpu_free(struct vcpu *vcpu)
{
	if (vcpu->hung)
		free(stat_vcpu_of(vcpu)->base);
	free(vcpu->hung);
	vcpu->hung = NULL;
}

void stat_vms_free(struct vm *vm)
{
	if (vm->hung) {
		free(stat_vm_of(vm)->values);
		free(stat_vm_of(vm)->base);
	}
	free(vm->hung);
	vm->hung = NULL;
}

void stat_vms_sum(const struct stat_layout *layout, const struct vms *vms, struct vm *vm)
{
	const struct stat_list *list = &layout->vcpu;
	struct stat_vm *stat = stat_vm_of(vm);

	if (!stat)
		return;
	memcpy(stat->sum, stat->gone, list->nvalues * sizeof(*stat->sum));
	for (size_t i = 0; i < vm->nvcpus; i++) {
		const struct vcpu *vcpu = &vm->vcpus[i];

		if (vcpu->hung)
			stat_add(list, stat_vcpu_of(vcpu)->values, !vcpu_is_there(vms, vcpu),
				 stat->sum);
	}
}
