// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "vms/vm_register.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sorted_array.h"
#include "vms/vm_names.h"

/* The last instance number; PCP's are positive ints. */
#define ID_LAST 0x7fffffff

uint32_t vms_next_number(uint32_t *last)
{
	*last = *last == ID_LAST ? 1 : *last + 1;
	return *last;
}

/* Allocate n zeroed numbers, at least one, so that NULL always means no memory. */
static void *numbers_alloc(size_t n, size_t size)
{
	return calloc(n + 1, size);
}

int vms_new(const char *proc, struct vms **ret_vms)
{
	struct vms *vms = calloc(1, sizeof(*vms));

	if (!vms)
		return -ENOMEM;
	vms->proc = proc;
	vms->names = vm_names_new();
	if (!vms->names) {
		free(vms);
		return -ENOMEM;
	}
	*ret_vms = vms;
	return 0;
}

static void vcpu_free(struct vcpu *vcpu)
{
	free(vcpu->name);
	snapshot_labels_unref(vcpu->labels);
	free(vcpu->values);
	free(vcpu->buckets);
}

static void vm_free(struct vm *vm)
{
	if (!vm)
		return;
	for (size_t i = 0; i < vm->nvcpus; i++)
		vcpu_free(&vm->vcpus[i]);
	free(vm->vcpus);
	free(vm->name);
	vm_identity_free(&vm->identity);
	snapshot_labels_unref(vm->labels);
	free(vm->values);
	free(vm->gone);
	free(vm->sum);
	free(vm->buckets);
	free(vm);
}

/* Release the VM's name; the next VM to use it gets another suffix. */
static void vm_give_name(struct vms *vms, const struct vm *vm)
{
	char name[VM_NAME_MAX + 1];

	vm_identity_instance(vm->identity.name, name);
	vm_names_give(vms->names, name, vm->pid);
}

static void forget_all(struct vms *vms)
{
	for (size_t i = 0; i < vms->n; i++) {
		vm_give_name(vms, vms->list[i]);
		vm_free(vms->list[i]);
	}
	vms->n = 0;
	vms->changes++;
}

void vms_free(struct vms *vms)
{
	if (!vms)
		return;
	forget_all(vms);
	free(vms->list);
	free(vms->scratch);
	vm_names_free(vms->names);
	free(vms);
}

int vms_set_layout(struct vms *vms, const struct stat_layout *layout, size_t nbuckets)
{
	uint64_t *scratch = numbers_alloc(layout->vm.nvalues + layout->vcpu.nvalues,
					  sizeof(*scratch));

	if (!scratch)
		return -ENOMEM;
	forget_all(vms);
	free(vms->scratch);
	vms->scratch = scratch;
	vms->layout = layout;
	vms->nbuckets = nbuckets;
	return 0;
}

static int compare_address(const void *element, const void *key)
{
	return sorted_numbers((*(struct vm *const *)element)->key.kvm, *(const uint64_t *)key);
}

/* The index of the first VM whose address is not below kvm. */
static size_t vm_bound(const struct vms *vms, uint64_t kvm)
{
	return sorted_bound(vms->list, vms->n, sizeof(struct vm *), &kvm, compare_address);
}

static int vm_allocate(const struct vms *vms, struct vm *vm)
{
	vm->values = numbers_alloc(vms->layout->vm.nvalues, sizeof(*vm->values));
	vm->gone = numbers_alloc(vms->layout->vcpu.nvalues, sizeof(*vm->gone));
	vm->sum = numbers_alloc(vms->layout->vcpu.nvalues, sizeof(*vm->sum));
	vm->buckets = numbers_alloc(vms->nbuckets, sizeof(*vm->buckets));
	return vm->values && vm->gone && vm->sum && vm->buckets ? 0 : -ENOMEM;
}

static int make_labels(const struct vm_identity *identity, pid_t pid, long vcpu,
		       struct snapshot_labels **ret_labels)
{
	char *json = vm_identity_labels(identity, pid, vcpu);

	*ret_labels = json ? snapshot_labels_new(json) : NULL;
	free(json);
	return *ret_labels ? 0 : -ENOMEM;
}

/* Is the process the VM's creator? If several processes have the VM open, the creator names it. */
static bool record_is_creators(const struct stat_record *record)
{
	return record->creator && record->creator == record->tgid;
}

static int vm_identify(struct vms *vms, struct vm *vm, const struct stat_record *record)
{
	char name[VM_NAME_MAX + 1], comm[sizeof(record->comm) + 1] = "";
	int err;

	memcpy(comm, record->comm, sizeof(record->comm));
	/* a process outside the reader's PID namespace is known by its number in the initial one */
	vm->pid = record->pid ? record->pid : record->tgid;
	vm->is_creators = record_is_creators(record);
	err = vm_identity_read(vms->proc, record->pid ? (pid_t)record->pid : 0, comm,
			       &vm->identity);
	if (err)
		return err;
	err = make_labels(&vm->identity, (pid_t)vm->pid, -1, &vm->labels);
	if (err)
		return err;
	/* last, because nothing can fail after it: a taken name is always used */
	vm_identity_instance(vm->identity.name, name);
	vm->name = vm_names_take(vms->names, name, vm->pid);
	return vm->name ? 0 : -ENOMEM;
}

static int vm_add(struct vms *vms, size_t at, const struct stat_record *record, struct vm **ret_vm)
{
	struct vm **list, *vm;
	int err;

	list = reallocarray(vms->list, vms->n + 1, sizeof(struct vm *));
	if (!list)
		return -ENOMEM;
	vms->list = list;
	vm = calloc(1, sizeof(*vm));
	if (!vm)
		return -ENOMEM;
	vm->key = (struct stat_vm_key){ record->kvm, record->birth, record->creator };
	err = vm_allocate(vms, vm);
	if (!err)
		err = vm_identify(vms, vm, record);
	if (err) {
		vm_free(vm);
		return err;
	}
	vm->id = vms_next_number(&vms->last_id);
	vm->since = vms->pass;
	memmove(list + at + 1, list + at, (vms->n - at) * sizeof(*list));
	list[at] = vm;
	vms->n++;
	vms->changes++;
	*ret_vm = vm;
	return 0;
}

/* The VM was destroyed: report it with what this pass has seen of it so far, and forget it. */
static void vm_end(struct vms *vms, size_t at)
{
	vms_sum(vms, vms->list[at]);
	if (vms->ended)
		vms->ended(vms->list[at], vms->data);
	vm_give_name(vms, vms->list[at]);
	vm_free(vms->list[at]);
	vms->n--;
	memmove(vms->list + at, vms->list + at + 1, (vms->n - at) * sizeof(struct vm *));
	vms->changes++;
}

/* The creator's process has the VM open, too: it is the VMM, whichever process came first. */
static int vm_rename(struct vms *vms, struct vm *vm, const struct stat_record *record)
{
	struct vm fresh = { 0 };
	int err = vm_identify(vms, &fresh, record);

	if (err) {
		vm_identity_free(&fresh.identity);
		snapshot_labels_unref(fresh.labels);
		return err;
	}
	vm_give_name(vms, vm);
	vm_identity_free(&vm->identity);
	free(vm->name);
	snapshot_labels_unref(vm->labels);
	vm->pid = fresh.pid;
	vm->is_creators = fresh.is_creators;
	vm->identity = fresh.identity;
	vm->name = fresh.name;
	vm->labels = fresh.labels;
	return 0;
}

/* Store new values. Returns whether they differ from the previous ones. */
static bool values_take(const struct stat_list *list, const uint64_t *from, uint64_t *to)
{
	size_t bytes = list->nvalues * sizeof(*from);
	bool same = memcmp(from, to, bytes) == 0;

	memcpy(to, from, bytes);
	return !same;
}

static int see_vm(struct vms *vms, const struct stat_record *record, const void *member,
		  uint64_t *values)
{
	size_t at = vm_bound(vms, record->kvm);
	struct vm *vm = at < vms->n ? vms->list[at] : NULL;
	int err = 0;

	stat_decode(&vms->layout->vm, member, values);
	if (vm && vm->key.kvm == record->kvm &&
	    (vm->key.birth != record->birth || vm->key.creator != record->creator ||
	     stat_fell(&vms->layout->vm, vm->values, values))) {
		vm_end(vms, at);
		vm = at < vms->n ? vms->list[at] : NULL;
	}
	if (!vm || vm->key.kvm != record->kvm)
		err = vm_add(vms, at, record, &vm);
	else if (vm->pass + 1 < vms->pass)
		vms->changes++; /* it was absent from the last pass and is back */
	if (err)
		return err;
	/* only while the name is unpublished and no vCPU name contains it */
	if (!vm->is_creators && vm->since == vms->pass && !vm->nvcpus && record_is_creators(record))
		err = vm_rename(vms, vm, record);
	vm->changed |= values_take(&vms->layout->vm, values, vm->values);
	vm->pass = vms->pass;
	return err;
}

/* A vCPU was closed before its VM: its cumulative values stay in the VM's sums. */
static void vcpu_end(struct vms *vms, struct vm *vm, size_t at)
{
	struct vcpu *vcpu = &vm->vcpus[at];

	stat_add(&vms->layout->vcpu, vcpu->values, true, vm->gone);
	vcpu_free(vcpu);
	vm->nvcpus--;
	memmove(vcpu, vcpu + 1, (vm->nvcpus - at) * sizeof(*vcpu));
	vms->changes++;
}

static int vcpu_add(struct vms *vms, struct vm *vm, const struct stat_record *record)
{
	struct vcpu *vcpus, *vcpu;
	int err;

	vcpus = reallocarray(vm->vcpus, vm->nvcpus + 1, sizeof(*vcpus));
	if (!vcpus)
		return -ENOMEM;
	vm->vcpus = vcpus;
	vcpu = &vcpus[vm->nvcpus];
	*vcpu = (struct vcpu){ .address = record->vcpu, .vcpu_id = record->vcpu_id };
	vcpu->values = numbers_alloc(vms->layout->vcpu.nvalues, sizeof(*vcpu->values));
	vcpu->buckets = numbers_alloc(vms->nbuckets, sizeof(*vcpu->buckets));
	err = vcpu->values && vcpu->buckets ? 0 : -ENOMEM;
	if (!err && asprintf(&vcpu->name, "%s::vcpu%u", vm->name, vcpu->vcpu_id) < 0) {
		vcpu->name = NULL;
		err = -ENOMEM;
	}
	if (!err)
		err = make_labels(&vm->identity, (pid_t)vm->pid, vcpu->vcpu_id, &vcpu->labels);
	if (err) {
		vcpu_free(vcpu);
		return err;
	}
	vcpu->id = vms_next_number(&vms->last_vcpu_id);
	vm->nvcpus++;
	vms->changes++;
	return 0;
}

static size_t vcpu_find(const struct vm *vm, uint64_t address)
{
	size_t at = 0;

	while (at < vm->nvcpus && vm->vcpus[at].address != address)
		at++;
	return at;
}

/*
 * Update the vCPU's thread and its run delay. A delay of another thread from before it took over
 * the vCPU is not the vCPU's.
 */
static void thread_take(struct vcpu *vcpu, const struct stat_record *record)
{
	bool same = vcpu->tid == record->tid && vcpu->start == record->start;

	if (record->thread)
		vcpu->thread = record->thread;
	if (!record->start && vcpu->tid != record->tid)
		vcpu->start = 0;
	vcpu->tid = record->tid;
	if (!record->start) /* the thread has ended, or there was none */
		return;
	if (record->run_delay != STAT_NO_DELAY) {
		if ((same || !vcpu->has_run_delay) && record->run_delay > vcpu->thread_delay)
			vcpu->run_delay += record->run_delay - vcpu->thread_delay;
		vcpu->thread_delay = record->run_delay;
		vcpu->has_run_delay = true;
	}
	vcpu->start = record->start;
}

static int see_vcpu(struct vms *vms, const struct stat_record *record, const void *member,
		    uint64_t *values)
{
	size_t at = vm_bound(vms, record->kvm), which;
	struct vm *vm = at < vms->n ? vms->list[at] : NULL;
	struct vcpu *vcpu;
	int err;

	/* the iterator writes a VM's record before its vCPUs' */
	if (!vm || vm->key.kvm != record->kvm || vm->pass != vms->pass)
		return -EINVAL;
	stat_decode(&vms->layout->vcpu, member, values);
	which = vcpu_find(vm, record->vcpu);
	if (which < vm->nvcpus && (vm->vcpus[which].vcpu_id != record->vcpu_id ||
				   stat_fell(&vms->layout->vcpu, vm->vcpus[which].values, values)))
		vcpu_end(vms, vm, which);
	which = vcpu_find(vm, record->vcpu);
	err = which < vm->nvcpus ? 0 : vcpu_add(vms, vm, record);
	if (err)
		return err;
	vcpu = &vm->vcpus[which];
	if (vcpu->pass && vcpu->pass + 1 < vms->pass)
		vms->changes++;
	vm->changed |= values_take(&vms->layout->vcpu, values, vcpu->values);
	thread_take(vcpu, record);
	vcpu->pass = vms->pass;
	return 0;
}

int vms_see(struct vms *vms, const struct stat_record *record, const void *member)
{
	const struct stat_list *list = record->vcpu ? &vms->layout->vcpu : &vms->layout->vm;

	if (record->bytes != list->bytes)
		return -EINVAL;
	return record->vcpu ? see_vcpu(vms, record, member, vms->scratch) :
			      see_vm(vms, record, member, vms->scratch);
}

void vms_sum(const struct vms *vms, struct vm *vm)
{
	const struct stat_list *list = &vms->layout->vcpu;

	memcpy(vm->sum, vm->gone, list->nvalues * sizeof(*vm->sum));
	for (size_t i = 0; i < vm->nvcpus; i++)
		stat_add(list, vm->vcpus[i].values, !vcpu_is_there(vms, &vm->vcpus[i]), vm->sum);
}

void vms_stale(struct vms *vms)
{
	vms->fresh = false;
}

void vms_refresh(struct vms *vms)
{
	if (vms->fresh || !vms->make_pass)
		return;
	vms->fresh = true;
	vms->make_pass(vms->data);
}

void vms_begin(struct vms *vms)
{
	vms->pass++;
}

void vms_end(struct vms *vms)
{
	for (size_t at = vms->n; at-- > 0;) {
		struct vm *vm = vms->list[at];

		if (vm->pass + 1 < vms->pass) {
			vm_end(vms, at);
			continue;
		}
		if (!vm_is_there(vms, vm)) {
			vms->changes++;
			continue;
		}
		for (size_t i = vm->nvcpus; i-- > 0;) {
			if (vm->vcpus[i].pass + 1 < vms->pass)
				vcpu_end(vms, vm, i);
			else if (!vcpu_is_there(vms, &vm->vcpus[i]))
				vms->changes++;
		}
		vms_sum(vms, vm);
	}
}

void vms_cancel(struct vms *vms)
{
	for (size_t i = 0; i < vms->n; i++) {
		struct vm *vm = vms->list[i];

		if (vm->pass + 1 == vms->pass)
			vm->pass = vms->pass;
		for (size_t j = 0; j < vm->nvcpus; j++) {
			if (vm->vcpus[j].pass + 1 == vms->pass)
				vm->vcpus[j].pass = vms->pass;
		}
		vms_sum(vms, vm);
	}
}

void vms_end_all(struct vms *vms)
{
	while (vms->n)
		vm_end(vms, vms->n - 1);
}

struct vm *vms_find(const struct vms *vms, const struct stat_vm_key *key)
{
	size_t at = vm_bound(vms, key->kvm);

	if (at == vms->n || memcmp(&vms->list[at]->key, key, sizeof(*key)) != 0)
		return NULL;
	return vms->list[at];
}

uint32_t vms_bucket_number(struct vms *vms)
{
	return vms_next_number(&vms->last_bucket_id);
}
