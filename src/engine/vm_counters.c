// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "engine/vm_counters.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/sorted_array.h"

/* --- order --- */

int cell_key_compare(const void *left, const void *right)
{
	const struct cell_key *a = left, *b = right;
	int order = sorted_numbers(a->start, b->start);

	if (!order)
		order = sorted_numbers(a->tid, b->tid);
	if (!order)
		order = sorted_numbers(a->tgid, b->tgid);
	return order ? order : sorted_numbers(a->vcpu, b->vcpu);
}

static int compare_taken(const void *left, const void *right)
{
	return cell_key_compare(&((const struct cells_taken *)left)->key, right);
}

static int compare_vm(const void *left, const void *right)
{
	return sorted_numbers((*(struct cells_vm *const *)left)->id, *(const uint32_t *)right);
}

static int compare_vcpu(const void *left, const void *right)
{
	return sorted_numbers(((const struct cells_vcpu *)left)->id, *(const uint32_t *)right);
}

static int compare_place(const void *left, const void *right)
{
	return sorted_numbers(((const struct cells_place *)left)->by, *(const uint64_t *)right);
}

/* --- which there are --- */

static struct cells_vm *find_vm(const struct cells_vms *all, uint32_t id, size_t *ret_at)
{
	size_t at = sorted_bound(all->vms, all->nvms, sizeof(*all->vms), &id, compare_vm);

	*ret_at = at;
	return at < all->nvms && all->vms[at]->id == id ? all->vms[at] : NULL;
}

static struct cells_vcpu *find_vcpu(const struct cells_vms *all, uint32_t id, size_t *ret_at)
{
	size_t at = sorted_bound(all->vcpus, all->nvcpus, sizeof(*all->vcpus), &id, compare_vcpu);

	*ret_at = at;
	return at < all->nvcpus && all->vcpus[at].id == id ? &all->vcpus[at] : NULL;
}

const struct cells_vm *cells_vms_find(const struct cells_vms *all, const struct vm *vm)
{
	size_t at;

	return find_vm(all, vm->id, &at);
}

const struct cells_vcpu *cells_vms_find_vcpu(const struct cells_vms *all, const struct vcpu *vcpu)
{
	size_t at;

	return find_vcpu(all, vcpu->id, &at);
}

struct cells_vm *cells_vms_have(struct cells_vms *all, const struct vm *vm)
{
	struct cells_vm *found, **grown;
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
	found->there = true;
	return found;
}

static struct cells_vcpu *have_vcpu(struct cells_vms *all, const struct vcpu *vcpu)
{
	struct cells_vcpu *found, *grown;
	size_t at;

	found = find_vcpu(all, vcpu->id, &at);
	if (found)
		return found;
	grown = sorted_insert(all->vcpus, all->nvcpus, sizeof(*grown), at);
	if (!grown)
		return NULL;
	all->vcpus = grown;
	all->nvcpus++;
	grown[at] = (struct cells_vcpu){ .id = vcpu->id, .there = true };
	return &grown[at];
}

/* What was taken of a cell, made if it is new; NULL: no memory. */
static struct cells_taken *have_taken(struct cells_vms *all, const struct cell_key *key)
{
	size_t at = sorted_bound(all->taken, all->ntaken, sizeof(*all->taken), key, compare_taken);
	struct cells_taken *grown;
	struct cell *cell;

	if (at < all->ntaken && cell_key_compare(&all->taken[at].key, key) == 0)
		return &all->taken[at];
	cell = calloc(1, sizeof(*cell) + all->nslots * sizeof(struct cell_reason));
	grown = cell ? sorted_insert(all->taken, all->ntaken, sizeof(*grown), at) : NULL;
	if (!grown) {
		free(cell);
		return NULL;
	}
	all->taken = grown;
	all->ntaken++;
	grown[at] = (struct cells_taken){ .key = *key, .there = true, .cell = cell };
	return &grown[at];
}

void cells_vms_init(struct cells_vms *all, unsigned nslots)
{
	*all = (struct cells_vms){ .nslots = nslots };
}

static void vm_free(const struct cells_vms *all, struct cells_vm *vm)
{
	for (unsigned slot = 0; slot < all->nslots; slot++)
		free(vm->reason[slot].histogram);
	free(vm);
}

void cells_vms_free(struct cells_vms *all)
{
	for (size_t i = 0; i < all->nvms; i++)
		vm_free(all, all->vms[i]);
	free(all->histograms);
	for (size_t i = 0; i < all->ntaken; i++)
		free(all->taken[i].cell);
	free(all->vms);
	free(all->vcpus);
	free(all->taken);
	free(all->addresses);
	free(all->threads);
	cells_vms_init(all, all->nslots);
}

/* --- a read --- */

static int sort_place(const void *left, const void *right)
{
	return compare_place(left, &((const struct cells_place *)right)->by);
}

/* Where each vCPU is found. 0 or -ENOMEM. */
static int index_vcpus(struct cells_vms *all, const struct vms *vms)
{
	struct cells_place *addresses, *threads;
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

			addresses[at] = (struct cells_place){ vcpu->address, vm, vcpu };
			threads[at] = (struct cells_place){ vcpu->tid, vm, vcpu };
		}
	}
	qsort(addresses, n, sizeof(*addresses), sort_place);
	qsort(threads, n, sizeof(*threads), sort_place);
	all->nplaces = n;
	return 0;
}

int cells_vms_begin(struct cells_vms *all, const struct vms *vms)
{
	for (size_t i = 0; i < all->nvms; i++)
		all->vms[i]->there = false;
	for (size_t i = 0; i < all->nvcpus; i++)
		all->vcpus[i].there = false;
	for (size_t i = 0; i < all->ntaken; i++)
		all->taken[i].there = false;
	for (size_t i = 0; i < vms->n; i++) {
		const struct vm *vm = vms->list[i];
		struct cells_vm *found;
		size_t at;

		found = find_vm(all, vm->id, &at);
		if (found)
			found->there = true;
		for (size_t j = 0; j < vm->nvcpus; j++) {
			struct cells_vcpu *vcpu = find_vcpu(all, vm->vcpus[j].id, &at);

			if (vcpu)
				vcpu->there = true;
		}
	}
	return index_vcpus(all, vms);
}

static const struct cells_place *place_by(const struct cells_vms *all,
					  const struct cells_place *places, uint64_t by)
{
	size_t at = sorted_bound(places, all->nplaces, sizeof(*places), &by, compare_place);

	return at < all->nplaces && places[at].by == by ? &places[at] : NULL;
}

const struct cells_place *cells_vms_place(const struct cells_vms *all, uint64_t address)
{
	return place_by(all, all->addresses, address);
}

static const struct cells_place *find_place(const struct cells_vms *all, const struct cell_key *key,
					    const struct cell *cell)
{
	const struct cells_place *place;

	if (cell->vcpu)
		return cells_vms_place(all, cell->vcpu);
	place = place_by(all, all->threads, key->tid);
	/* the number may be one that another thread has had */
	if (place && place->vcpu->start && place->vcpu->start != key->start)
		return NULL;
	return place;
}

static void take_reasons(struct cells_vms *all, const struct cell *cell, const struct cell *before,
			 struct cells_vm *vm, struct cells_vcpu *vcpu)
{
	const struct cell_reason *now = cell_reasons(cell), *old = cell_reasons(before);

	for (unsigned slot = 0; slot < all->nslots; slot++) {
		uint64_t count = now[slot].count - old[slot].count;
		uint64_t time = now[slot].time - old[slot].time;
		struct cells_vm_reason *reason = &vm->reason[slot];

		if (!count && !time)
			continue;
		if (!reason->id) {
			reason->id = vms_next_number(&all->last_id);
			all->grown = true;
		}
		reason->count += count;
		reason->time += time;
		vcpu->exits += count;
		vcpu->exit_time += time;
		if (all->sleeps[slot])
			vcpu->halt_time += time;
	}
	vcpu->guest_time += cell->guest_time - before->guest_time;
}

int cells_vms_take(struct cells_vms *all, const struct cell_key *key, const struct cell *cell)
{
	const struct cells_place *place = find_place(all, key, cell);
	struct cells_taken *taken;
	struct cells_vcpu *vcpu;
	struct cells_vm *vm;

	taken = have_taken(all, key);
	if (!taken)
		return -ENOMEM;
	taken->there = true;
	if (!place)
		return taken->waits++ < CELLS_WAITS ? -EAGAIN : 0;
	vm = cells_vms_have(all, place->vm);
	vcpu = have_vcpu(all, place->vcpu);
	if (!vm || !vcpu)
		return -ENOMEM;
	take_reasons(all, cell, taken->cell, vm, vcpu);
	memcpy(taken->cell, cell, sizeof(*cell) + all->nslots * sizeof(struct cell_reason));
	return 0;
}

void cells_vms_end(struct cells_vms *all)
{
	size_t n = 0;

	for (size_t i = 0; i < all->nvms; i++) {
		if (all->vms[i]->there)
			all->vms[n++] = all->vms[i];
		else
			vm_free(all, all->vms[i]);
	}
	all->nvms = n;
	n = 0;
	for (size_t i = 0; i < all->nvcpus; i++) {
		if (all->vcpus[i].there)
			all->vcpus[n++] = all->vcpus[i];
	}
	all->nvcpus = n;
	n = 0;
	for (size_t i = 0; i < all->ntaken; i++) {
		if (all->taken[i].there)
			all->taken[n++] = all->taken[i];
		else
			free(all->taken[i].cell);
	}
	all->ntaken = n;
}
