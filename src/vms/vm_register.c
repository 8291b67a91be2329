// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "vms/vm_register.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/sorted_array.h"
#include "vms/boot_id.h"
#include "vms/vcpu_thread.h"
#include "vms/vm_names.h"

/* Ids are positive and are used again only after 2^31 others. */
static uint32_t next_id(uint32_t *last)
{
	*last = *last == INT32_MAX ? 1 : *last + 1;
	return *last;
}

int vms_new(const char *proc, struct instance_numbers *numbers, struct vms **ret_vms)
{
	char boot[BOOT_ID_MAX] = "";
	struct vms *vms;
	int err = numbers ? boot_id_read(proc, boot) : 0;

	if (err)
		return err;
	vms = calloc(1, sizeof(*vms));
	if (!vms)
		return -ENOMEM;
	vms->proc = proc;
	vms->away_ns = VMS_AWAY_NS;
	vms->names = vm_names_new(*boot ? numbers : NULL, boot);
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
	labels_unref(vcpu->labels);
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
	labels_unref(vm->labels);
	free(vm);
}

/* Release the VM's name; the next VM to use it gets another suffix. */
static void vm_give_name(struct vms *vms, const struct vm *vm)
{
	char name[VM_NAME_MAX + 1];

	if (!vms->names) /* the register ends, not the VM */
		return;
	vm_identity_instance(vm->identity.name, name);
	vm_names_give(vms->names, name, vm->pid, &vm->key);
}

void vms_free(struct vms *vms)
{
	if (!vms)
		return;
	vm_names_free(vms->names);
	vms->names = NULL;
	vms_end_all(vms);
	free(vms->list);
	free(vms);
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

/* Is the process the VM's creator? If several processes have the VM open, the creator names it. */
static bool record_is_creators(const struct vm_record *record)
{
	return record->creator && record->creator == record->tgid;
}

static int vm_identify(struct vms *vms, struct vm *vm, const struct vm_record *record)
{
	char name[VM_NAME_MAX + 1], comm[sizeof(record->comm) + 1] = "";
	int err;

	memcpy(comm, record->comm, sizeof(record->comm));
	/* a process outside the reader's PID namespace is known by its number in the initial one */
	vm->pid = record->pid ? record->pid : record->tgid;
	vm->process = (pid_t)record->pid;
	vm->is_creators = record_is_creators(record);
	err = vm_identity_read(vms->proc, vm->process, comm, &vm->identity);
	if (err)
		return err;
	vm->labels = vm_identity_labels(&vm->identity, (pid_t)vm->pid, -1);
	if (!vm->labels)
		return -ENOMEM;
	/* last, because nothing can fail after it: a taken name is always used */
	vm_identity_instance(vm->identity.name, name);
	vm->name = vm_names_take(vms->names, name, vm->pid, &vm->key);
	return vm->name ? 0 : -ENOMEM;
}

/* Returns 0, 1 if the member shows that it is another VM or vCPU, or -ENOMEM. */
static int tell_seen(struct vms *vms, struct vm *vm, struct vcpu *vcpu, const void *member)
{
	return vms->listener ? vms->listener->seen(vms->listener->data, vm, vcpu, member) : 0;
}

static int vm_add(struct vms *vms, size_t at, const struct vm_record *record, const void *member,
		  struct vm **ret_vm)
{
	char name[VM_NAME_MAX + 1];
	struct vm **list, *vm;
	int err;

	list = reallocarray(vms->list, vms->n + 1, sizeof(struct vm *));
	if (!list)
		return -ENOMEM;
	vms->list = list;
	vm = calloc(1, sizeof(*vm));
	if (!vm)
		return -ENOMEM;
	vm->key = (struct vm_key){ record->kvm, record->birth, record->creator };
	err = vm_identify(vms, vm, record);
	if (!err) {
		err = tell_seen(vms, vm, NULL, member);
		vm_identity_instance(vm->identity.name, name);
		if (err)
			vm_names_cancel(vms->names, name, vm->pid);
	}
	if (err) {
		vm_free(vm);
		return err;
	}
	vm->id = next_id(&vms->last_id);
	vm->since = vms->pass;
	memmove(list + at + 1, list + at, (vms->n - at) * sizeof(*list));
	list[at] = vm;
	vms->n++;
	vms->changes++;
	*ret_vm = vm;
	return 0;
}

static void tell_end(struct vms *vms, struct vm *vm, struct vcpu *vcpu)
{
	if (vms->listener && (vcpu ? vcpu->hung : vm->hung))
		vms->listener->ended(vms->listener->data, vm, vcpu);
}

/* Another vCPU is in its place. */
static void vcpu_end(struct vms *vms, struct vm *vm, size_t at)
{
	struct vcpu *vcpu = &vm->vcpus[at];

	tell_end(vms, vm, vcpu);
	vcpu_free(vcpu);
	vm->nvcpus--;
	memmove(vcpu, vcpu + 1, (vm->nvcpus - at) * sizeof(*vcpu));
	vms->changes++;
}

/* A VM was destroyed: forget it, its vCPUs first. */
static void vm_end(struct vms *vms, size_t at)
{
	struct vm *vm = vms->list[at];

	for (size_t i = vm->nvcpus; i-- > 0;)
		tell_end(vms, vm, &vm->vcpus[i]);
	tell_end(vms, vm, NULL);
	vm_give_name(vms, vm);
	vm_free(vm);
	vms->n--;
	memmove(vms->list + at, vms->list + at + 1, (vms->n - at) * sizeof(struct vm *));
	vms->changes++;
}

/* The creator's process has the VM open, too: it is the VMM, whichever process came first. */
static int vm_rename(struct vms *vms, struct vm *vm, const struct vm_record *record)
{
	struct vm fresh = { .key = vm->key };
	int err = vm_identify(vms, &fresh, record);

	if (err) {
		vm_identity_free(&fresh.identity);
		labels_unref(fresh.labels);
		return err;
	}
	vm_give_name(vms, vm);
	vm_identity_free(&vm->identity);
	free(vm->name);
	labels_unref(vm->labels);
	vm->pid = fresh.pid;
	vm->process = fresh.process;
	vm->is_creators = fresh.is_creators;
	vm->identity = fresh.identity;
	vm->name = fresh.name;
	vm->labels = fresh.labels;
	return 0;
}

/* Is the VM in the list at this index, and the same one as in the record? */
static struct vm *vm_known(const struct vms *vms, size_t at, const struct vm_record *record)
{
	struct vm *vm = at < vms->n ? vms->list[at] : NULL;

	return vm && vm->key.kvm == record->kvm ? vm : NULL;
}

static int see_vm(struct vms *vms, const struct vm_record *record, const void *member)
{
	size_t at = vm_bound(vms, record->kvm);
	struct vm *vm = vm_known(vms, at, record);
	int ret = 0;

	if (vm && (vm->key.birth != record->birth || vm->key.creator != record->creator)) {
		vm_end(vms, at);
		vm = NULL;
	}
	if (vm) {
		ret = tell_seen(vms, vm, NULL, member);
		if (ret < 0)
			return ret;
	}
	if (ret > 0) {
		vm_end(vms, at);
		vm = NULL;
	}
	if (!vm) {
		ret = vm_add(vms, at, record, member, &vm);
	} else if (vm_is_away(vms, vm)) {
		vms->changes++; /* it was absent from the last pass and is back */
	}
	if (ret)
		return ret;
	/* only while the name is unpublished and no vCPU name contains it */
	if (!vm->is_creators && vm->since == vms->pass && !vm->nvcpus && record_is_creators(record))
		ret = vm_rename(vms, vm, record);
	vm->pass = vms->pass;
	vm->seen = vms->now;
	vm->holder = (pid_t)record->pid;
	if (vm->holder == vm->process)
		vm->held = vms->pass;
	return ret;
}

static int vcpu_add(struct vms *vms, struct vm *vm, const struct vm_record *record,
		    const void *member)
{
	struct vcpu *vcpus, *vcpu;
	int err;

	vcpus = reallocarray(vm->vcpus, vm->nvcpus + 1, sizeof(*vcpus));
	if (!vcpus)
		return -ENOMEM;
	vm->vcpus = vcpus;
	vms->changes++; /* even if the rest fails: vCPUs have moved */
	vcpu = &vcpus[vm->nvcpus];
	*vcpu = (struct vcpu){ .address = record->vcpu, .vcpu_id = record->vcpu_id };
	err = asprintf(&vcpu->name, "%s::vcpu%u", vm->name, vcpu->vcpu_id) < 0 ? -ENOMEM : 0;
	if (err) {
		vcpu->name = NULL;
	} else {
		vcpu->labels = vm_identity_labels(&vm->identity, (pid_t)vm->pid, vcpu->vcpu_id);
		err = vcpu->labels ? tell_seen(vms, vm, vcpu, member) : -ENOMEM;
	}
	if (err) {
		vcpu_free(vcpu);
		return err;
	}
	vcpu->id = next_id(&vms->last_vcpu_id);
	vm->nvcpus++;
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
 * A thread runs this vCPU for the first time. Ids of what is gone are used again: a hidden VM whose
 * vCPU had this address is gone, and a hidden vCPU that had this TID has lost its thread.
 */
static void ids_taken(struct vms *vms, const struct vm_record *record)
{
	for (size_t at = vms->n; at-- > 0;) {
		struct vm *vm = vms->list[at];
		bool away = vm_is_away(vms, vm);

		if (away && vcpu_find(vm, record->vcpu) < vm->nvcpus) {
			vm_end(vms, at);
			continue;
		}
		for (size_t i = 0; (away || vm->hides) && i < vm->nvcpus; i++) {
			struct vcpu *vcpu = &vm->vcpus[i];

			if (vcpu->pass + 1 < vms->pass && vcpu->tid == record->tid &&
			    vcpu->start != record->start)
				vcpu->tid = 0;
		}
	}
}

static int see_vcpu(struct vms *vms, const struct vm_record *record, const void *member)
{
	struct vm *vm = vm_known(vms, vm_bound(vms, record->kvm), record);
	struct vcpu *vcpu;
	size_t at;
	int ret = 0;

	/* the iterator writes a VM's record before its vCPUs' */
	if (!vm || vm->pass != vms->pass)
		return -EINVAL;
	at = vcpu_find(vm, record->vcpu);
	if (at < vm->nvcpus && vm->vcpus[at].vcpu_id == record->vcpu_id) {
		ret = tell_seen(vms, vm, &vm->vcpus[at], member);
		if (ret < 0)
			return ret;
	} else if (at < vm->nvcpus) {
		ret = 1;
	}
	if (ret > 0)
		vcpu_end(vms, vm, at);
	if (ret > 0 || at == vm->nvcpus) {
		ret = vcpu_add(vms, vm, record, member);
		if (ret)
			return ret;
		at = vm->nvcpus - 1;
	}
	vcpu = &vm->vcpus[at];
	if (vcpu->pass && vcpu->pass + 1 < vms->pass)
		vms->changes++;
	if (vms->hides && (!vcpu->pass || vcpu->tid != record->tid))
		ids_taken(vms, record);
	vcpu_thread_take(vcpu, record);
	vcpu->pass = vms->pass;
	return 0;
}

int vms_see(struct vms *vms, const struct vm_record *record, const void *member)
{
	if (record->bytes != (record->vcpu ? vms->vcpu_bytes : vms->vm_bytes))
		return -EINVAL;
	return record->vcpu ? see_vcpu(vms, record, member) : see_vm(vms, record, member);
}

void vms_begin(struct vms *vms)
{
	vms->pass++;
	vms->now = clock_ns();
}

/*
 * Is the absent VM gone? Its files may be on their way to another process. Without a birth it could
 * not be told from another one when it is back.
 */
static bool vm_is_gone(const struct vms *vms, const struct vm *vm)
{
	return vm_is_away(vms, vm) && (!vm_is_certain(vm) || vms->now - vm->seen >= vms->away_ns);
}

/* Consider those gone that have been away the longest, until those that are left are few enough. */
static void away_limit(struct vms *vms)
{
	for (;;) {
		size_t n = 0, nvcpus = 0;
		uint64_t oldest = vms->pass;

		for (size_t i = 0; i < vms->n; i++) {
			const struct vm *vm = vms->list[i];

			if (!vm_is_away(vms, vm))
				continue;
			n++;
			nvcpus += vm->nvcpus;
			if (vm->pass < oldest)
				oldest = vm->pass;
		}
		if (n <= VMS_AWAY_MAX && nvcpus <= VMS_AWAY_VCPUS_MAX)
			return;
		for (size_t at = vms->n; at-- > 0;) {
			if (vms->list[at]->pass == oldest)
				vm_end(vms, at);
		}
	}
}

/* Note which vCPUs are hidden; those that were seen by the pass before are so now. */
static void vcpus_hide(struct vms *vms, struct vm *vm)
{
	vm->hides = false;
	for (size_t i = 0; i < vm->nvcpus; i++) {
		const struct vcpu *vcpu = &vm->vcpus[i];

		vm->hides |= !vcpu_is_there(vms, vcpu);
		vms->changes += vcpu->pass + 1 == vms->pass;
	}
}

void vms_end(struct vms *vms)
{
	vms->hides = false;
	for (size_t at = vms->n; at-- > 0;) {
		struct vm *vm = vms->list[at];

		if (vm_is_gone(vms, vm)) {
			vm_end(vms, at);
			continue;
		}
		if (vm_is_there(vms, vm))
			vcpus_hide(vms, vm);
		else if (vm->pass + 1 == vms->pass)
			vms->changes++;
		vms->hides |= vm->hides || !vm_is_there(vms, vm);
	}
	away_limit(vms);
	if (vms->listener)
		vms->listener->passed(vms->listener->data, true);
}

void vms_cancel(struct vms *vms)
{
	for (size_t i = 0; i < vms->n; i++) {
		struct vm *vm = vms->list[i];

		if (vm->pass + 1 == vms->pass) {
			vm->pass = vms->pass;
			vm->seen = vms->now;
		}
		for (size_t j = 0; j < vm->nvcpus; j++) {
			if (vm->vcpus[j].pass + 1 == vms->pass)
				vm->vcpus[j].pass = vms->pass;
		}
	}
	if (vms->listener)
		vms->listener->passed(vms->listener->data, false);
}

void vms_end_all(struct vms *vms)
{
	while (vms->n)
		vm_end(vms, vms->n - 1);
}

struct vm *vms_find(const struct vms *vms, const struct vm_key *key)
{
	size_t at = vm_bound(vms, key->kvm);

	if (at == vms->n || memcmp(&vms->list[at]->key, key, sizeof(*key)) != 0)
		return NULL;
	return vms->list[at];
}

const struct vm *vms_find_id(const struct vms *vms, uint32_t id)
{
	for (size_t i = 0; i < vms->n; i++) {
		if (vms->list[i]->id == id)
			return vms->list[i];
	}
	return NULL;
}

bool vm_has_vcpu(const struct vm *vm, uint32_t id)
{
	for (size_t i = 0; i < vm->nvcpus; i++) {
		if (vm->vcpus[i].id == id)
			return true;
	}
	return false;
}
