// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "engine/known_vcpus.h"

#include <errno.h>
#include <stdlib.h>

#include "base/sorted_array.h"

static int known_compare(const void *left, const void *right)
{
	return sorted_numbers(((const struct known *)left)->key, *(const uint64_t *)right);
}

static int known_order(const void *left, const void *right)
{
	return known_compare(left, &((const struct known *)right)->key);
}

const struct known *known_find(const struct known *list, size_t n, uint64_t key)
{
	size_t at = sorted_bound(list, n, sizeof(*list), &key, known_compare);

	return at < n && list[at].key == key ? &list[at] : NULL;
}

void known_free(struct known_vcpus *known)
{
	free(known->addresses);
	free(known->threads);
	free(known->ids);
	free(known->vms);
}

int known_make(const struct vms *vms, struct known_vcpus *known)
{
	size_t n = 0, at = 0;

	for (size_t i = 0; i < vms->n; i++)
		n += vms->list[i]->nvcpus;
	known->addresses = calloc(n + 1, sizeof(struct known));
	known->threads = calloc(n + 1, sizeof(struct known));
	known->ids = calloc(n + 1, sizeof(struct known));
	known->vms = calloc(vms->n + 1, sizeof(struct known));
	if (!known->addresses || !known->threads || !known->ids || !known->vms)
		return -ENOMEM;
	for (size_t i = 0; i < vms->n; i++) {
		const struct vm *vm = vms->list[i];

		known->vms[i] = (struct known){ vm->id, vm, NULL };
		for (size_t j = 0; j < vm->nvcpus; j++) {
			const struct vcpu *vcpu = &vm->vcpus[j];
			size_t there = known->nthere;

			known->ids[at++] = (struct known){ vcpu->id, vm, vcpu };
			if (!vcpu_is_there(vms, vcpu))
				continue;
			known->addresses[there] = (struct known){ vcpu->address, vm, vcpu };
			known->threads[there] = (struct known){ vcpu->tid, vm, vcpu };
			known->nthere++;
		}
	}
	known->n = n;
	known->nvms = vms->n;
	qsort(known->addresses, known->nthere, sizeof(struct known), known_order);
	qsort(known->threads, known->nthere, sizeof(struct known), known_order);
	qsort(known->ids, n, sizeof(struct known), known_order);
	qsort(known->vms, known->nvms, sizeof(struct known), known_order);
	return 0;
}
