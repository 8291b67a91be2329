// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "engine/vm_counters.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/sorted_array.h"

/* --- order --- */

int thread_key_compare(const void *left, const void *right)
{
	const struct thread_key *a = left, *b = right;
	int order = sorted_numbers(a->start, b->start);

	if (!order)
		order = sorted_numbers(a->tid, b->tid);
	if (!order)
		order = sorted_numbers(a->tgid, b->tgid);
	return order ? order : sorted_numbers(a->vcpu, b->vcpu);
}

static int compare_taken(const void *left, const void *right)
{
	return thread_key_compare(&((const struct taken_counters *)left)->key, right);
}

static int compare_vm(const void *left, const void *right)
{
	return sorted_numbers((*(struct vm_sums *const *)left)->id, *(const uint32_t *)right);
}

static int compare_vcpu(const void *left, const void *right)
{
	return sorted_numbers(((const struct vcpu_sums *)left)->id, *(const uint32_t *)right);
}

static int compare_place(const void *left, const void *right)
{
	return sorted_numbers(((const struct vcpu_place *)left)->key, *(const uint64_t *)right);
}

/* --- lookup --- */

static struct vm_sums *find_vm(const struct vm_counters *all, uint32_t id, size_t *ret_at)
{
	size_t at = sorted_bound(all->vms, all->nvms, sizeof(*all->vms), &id, compare_vm);

	*ret_at = at;
	return at < all->nvms && all->vms[at]->id == id ? all->vms[at] : NULL;
}

static struct vcpu_sums *find_vcpu(const struct vm_counters *all, uint32_t id, size_t *ret_at)
{
	size_t at = sorted_bound(all->vcpus, all->nvcpus, sizeof(*all->vcpus), &id, compare_vcpu);

	*ret_at = at;
	return at < all->nvcpus && all->vcpus[at].id == id ? &all->vcpus[at] : NULL;
}

const struct vm_sums *vm_counters_find(const struct vm_counters *all, const struct vm *vm)
{
	size_t at;

	return find_vm(all, vm->id, &at);
}

const struct vcpu_sums *vm_counters_find_vcpu(const struct vm_counters *all,
					      const struct vcpu *vcpu)
{
	size_t at;

	return find_vcpu(all, vcpu->id, &at);
}

struct vm_sums *vm_counters_get(struct vm_counters *all, const struct vm *vm)
{
	struct vm_sums *found, **grown;
	size_t at;

	found = find_vm(all, vm->id, &at);
	if (found)
		return found;
	found = calloc(1, sizeof(*found) + all->nslots * sizeof(found->reason[0]));
	grown = found ? sorted_insert(all->vms, all->nvms, sizeof(*grown), at) : NULL;
	if (!grown) {
		free(found);
		return NULL;
	}
	all->vms = grown;
	grown[at] = found;
	all->nvms++;
	found->id = vm->id;
	found->present = true;
	return found;
}

static struct vcpu_sums *get_vcpu(struct vm_counters *all, const struct vcpu *vcpu)
{
	struct vcpu_sums *found, *grown;
	size_t at;

	found = find_vcpu(all, vcpu->id, &at);
	if (found)
		return found;
	grown = sorted_insert(all->vcpus, all->nvcpus, sizeof(*grown), at);
	if (!grown)
		return NULL;
	all->vcpus = grown;
	all->nvcpus++;
	grown[at] = (struct vcpu_sums){ .id = vcpu->id, .present = true };
	return &grown[at];
}

/* The taken state of a thread's counters, created if it is new; NULL without memory. */
static struct taken_counters *get_taken(struct vm_counters *all, const struct thread_key *key)
{
	size_t at = sorted_bound(all->taken, all->ntaken, sizeof(*all->taken), key, compare_taken);
	struct taken_counters *grown;
	struct thread_counters *counters;

	if (at < all->ntaken && thread_key_compare(&all->taken[at].key, key) == 0)
		return &all->taken[at];
	counters = calloc(1, sizeof(*counters) + all->nslots * sizeof(struct reason_counters));
	grown = counters ? sorted_insert(all->taken, all->ntaken, sizeof(*grown), at) : NULL;
	if (!grown) {
		free(counters);
		return NULL;
	}
	all->taken = grown;
	all->ntaken++;
	grown[at] = (struct taken_counters){ .key = *key, .present = true, .counters = counters };
	return &grown[at];
}

void vm_counters_init(struct vm_counters *all, unsigned nslots)
{
	*all = (struct vm_counters){ .nslots = nslots };
}

static void vm_free(const struct vm_counters *all, struct vm_sums *vm)
{
	for (unsigned slot = 0; slot < all->nslots; slot++)
		free(vm->reason[slot].histogram);
	free(vm);
}

void vm_counters_free(struct vm_counters *all)
{
	for (size_t i = 0; i < all->nvms; i++)
		vm_free(all, all->vms[i]);
	free(all->histograms);
	for (size_t i = 0; i < all->ntaken; i++)
		free(all->taken[i].counters);
	free(all->vms);
	free(all->vcpus);
	free(all->taken);
	free(all->addresses);
	free(all->threads);
	vm_counters_init(all, all->nslots);
}

/* --- a read --- */

static int sort_place(const void *left, const void *right)
{
	return compare_place(left, &((const struct vcpu_place *)right)->key);
}

/* Index all vCPUs by address and by thread. Returns 0 or -ENOMEM. */
static int index_vcpus(struct vm_counters *all, const struct vms *vms)
{
	struct vcpu_place *addresses, *threads;
	size_t n = 0, at = 0;

	for (size_t i = 0; i < vms->n; i++)
		n += vms->list[i]->nvcpus;
	all->nplaces = 0;
	addresses = reallocarray(all->addresses, n + 1, sizeof(*addresses));
	if (!addresses)
		return -ENOMEM;
	all->addresses = addresses;
	threads = reallocarray(all->threads, n + 1, sizeof(*threads));
	if (!threads)
		return -ENOMEM;
	all->threads = threads;
	for (size_t i = 0; i < vms->n; i++) {
		const struct vm *vm = vms->list[i];

		for (size_t j = 0; j < vm->nvcpus; j++, at++) {
			const struct vcpu *vcpu = &vm->vcpus[j];

			addresses[at] = (struct vcpu_place){ vcpu->address, vm, vcpu };
			threads[at] = (struct vcpu_place){ vcpu->tid, vm, vcpu };
		}
	}
	qsort(addresses, n, sizeof(*addresses), sort_place);
	qsort(threads, n, sizeof(*threads), sort_place);
	all->nplaces = n;
	return 0;
}

int vm_counters_begin(struct vm_counters *all, const struct vms *vms)
{
	for (size_t i = 0; i < all->nvms; i++)
		all->vms[i]->present = false;
	for (size_t i = 0; i < all->nvcpus; i++)
		all->vcpus[i].present = false;
	for (size_t i = 0; i < all->ntaken; i++)
		all->taken[i].present = false;
	for (size_t i = 0; i < vms->n; i++) {
		const struct vm *vm = vms->list[i];
		struct vm_sums *found;
		size_t at;

		found = find_vm(all, vm->id, &at);
		if (found)
			found->present = true;
		for (size_t j = 0; j < vm->nvcpus; j++) {
			struct vcpu_sums *vcpu = find_vcpu(all, vm->vcpus[j].id, &at);

			if (vcpu)
				vcpu->present = true;
		}
	}
	return index_vcpus(all, vms);
}

static const struct vcpu_place *place_by(const struct vm_counters *all,
					 const struct vcpu_place *places, uint64_t key)
{
	size_t at = sorted_bound(places, all->nplaces, sizeof(*places), &key, compare_place);

	return at < all->nplaces && places[at].key == key ? &places[at] : NULL;
}

const struct vcpu_place *vm_counters_place(const struct vm_counters *all, uint64_t address)
{
	return place_by(all, all->addresses, address);
}

static const struct vcpu_place *find_place(const struct vm_counters *all,
					   const struct thread_key *key,
					   const struct thread_counters *counters)
{
	const struct vcpu_place *place;

	if (counters->vcpu)
		return vm_counters_place(all, counters->vcpu);
	place = place_by(all, all->threads, key->tid);
	/* the TID may be reused by another thread */
	if (place && place->vcpu->start && place->vcpu->start != key->start)
		return NULL;
	return place;
}

static void take_reasons(struct vm_counters *all, const struct thread_counters *counters,
			 const struct thread_counters *before, struct vm_sums *vm,
			 struct vcpu_sums *vcpu)
{
	const struct reason_counters *now = counters_reasons(counters),
				     *old = counters_reasons(before);

	for (unsigned slot = 0; slot < all->nslots; slot++) {
		uint64_t count = now[slot].count - old[slot].count;
		uint64_t time = now[slot].time - old[slot].time;
		struct vm_reason_sums *reason = &vm->reason[slot];

		if (!count && !time)
			continue;
		all->grown |= !reason_is_counted(reason);
		reason->count += count;
		reason->time += time;
		vcpu->exits += count;
		vcpu->exit_time += time;
		if (all->sleeps[slot])
			vcpu->halt_time += time;
	}
	vcpu->guest_time += counters->guest_time - before->guest_time;
}

int vm_counters_take(struct vm_counters *all, const struct thread_key *key,
		     const struct thread_counters *counters)
{
	const struct vcpu_place *place = find_place(all, key, counters);
	struct taken_counters *taken;
	struct vcpu_sums *vcpu;
	struct vm_sums *vm;

	taken = get_taken(all, key);
	if (!taken)
		return -ENOMEM;
	taken->present = true;
	if (!place)
		return taken->waits++ < VCPU_WAITS ? -EAGAIN : 0;
	vm = vm_counters_get(all, place->vm);
	vcpu = get_vcpu(all, place->vcpu);
	if (!vm || !vcpu)
		return -ENOMEM;
	take_reasons(all, counters, taken->counters, vm, vcpu);
	memcpy(taken->counters, counters,
	       sizeof(*counters) + all->nslots * sizeof(struct reason_counters));
	return 0;
}

void vm_counters_end(struct vm_counters *all)
{
	size_t n = 0;

	for (size_t i = 0; i < all->nvms; i++) {
		if (all->vms[i]->present)
			all->vms[n++] = all->vms[i];
		else
			vm_free(all, all->vms[i]);
	}
	all->nvms = n;
	n = 0;
	for (size_t i = 0; i < all->nvcpus; i++) {
		if (all->vcpus[i].present)
			all->vcpus[n++] = all->vcpus[i];
	}
	all->nvcpus = n;
	n = 0;
	for (size_t i = 0; i < all->ntaken; i++) {
		if (all->taken[i].present)
			all->taken[n++] = all->taken[i];
		else
			free(all->taken[i].counters);
	}
	all->ntaken = n;
}
