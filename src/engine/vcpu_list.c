// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "engine/vcpu_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/sorted_array.h"

static void *at(const struct vcpu_list *list, const struct vcpu_list_kind *kind, size_t i)
{
	return (char *)list->list + i * kind->size;
}

void vcpu_list_free(struct vcpu_list *list, const struct vcpu_list_kind *kind)
{
	for (size_t i = 0; kind->drop && i < list->n; i++)
		kind->drop(at(list, kind, i));
	free(list->list);
	*list = (struct vcpu_list){ .n = 0 };
}

int vcpu_list_add(struct vcpu_list *list, const struct vcpu_list_kind *kind, const void *element)
{
	size_t room = list->room ? list->room * 2 : 16;
	void *grown;

	if (list->n == list->room) {
		grown = reallocarray(list->list, room, kind->size);
		if (!grown)
			return -ENOMEM;
		list->list = grown;
		list->room = room;
	}
	memcpy(at(list, kind, list->n++), element, kind->size);
	return 0;
}

static int order(const void *left, const void *right)
{
	const struct vcpu_ids *a = left, *b = right;
	int by_vm = sorted_numbers(a->vm, b->vm);

	return by_vm ? by_vm : sorted_numbers(a->vcpu, b->vcpu);
}

void vcpu_list_merge(struct vcpu_list *list, const struct vcpu_list_kind *kind)
{
	size_t m = 0;

	if (!list->n)
		return;
	qsort(list->list, list->n, kind->size, order);
	for (size_t i = 1; i < list->n; i++) {
		if (order(at(list, kind, m), at(list, kind, i)) == 0)
			kind->add(at(list, kind, m), at(list, kind, i));
		else if (++m != i)
			memcpy(at(list, kind, m), at(list, kind, i), kind->size);
	}
	list->n = m + 1;
}

void vcpu_list_update(struct vcpu_list *list, const struct vcpu_list_kind *kind,
		      const struct vms *vms)
{
	const struct vm *vm = NULL;
	size_t n = 0;

	for (size_t i = 0; i < list->n; i++) {
		struct vcpu_ids *ids = at(list, kind, i);

		if (!vm || vm->id != ids->vm)
			vm = vms_find_id(vms, ids->vm);
		if (!vm) {
			if (kind->drop)
				kind->drop(ids);
			continue;
		}
		if (!vm_has_vcpu(vm, ids->vcpu)) {
			ids->vcpu = 0;
			if (kind->unseat)
				kind->unseat(ids);
		}
		if (n != i)
			memcpy(at(list, kind, n), ids, kind->size);
		n++;
	}
	list->n = n;
	vcpu_list_merge(list, kind);
}

const void *vcpu_list_find(const struct vcpu_list *list, const struct vcpu_list_kind *kind,
			   struct vcpu_ids ids, size_t *ret_n)
{
	const struct vcpu_ids end = { ids.vcpu ? ids.vm : ids.vm + 1, ids.vcpu ? ids.vcpu + 1 : 0 };
	size_t first = sorted_bound(list->list, list->n, kind->size, &ids, order);

	*ret_n = sorted_bound(list->list, list->n, kind->size, &end, order) - first;
	return *ret_n ? at(list, kind, first) : NULL;
}

struct vcpu_ids vcpu_ids_of(const struct vm_counters *records, uint32_t number)
{
	const struct record_use *use = number < records->nuses ? &records->uses[number] : NULL;

	return use ? (struct vcpu_ids){ use->vm, use->vcpu } : (struct vcpu_ids){ 0, 0 };
}

int vcpu_records_walk(const struct vm_counters *records,
		      int (*read)(void *data, uint32_t number, const void *record), void *data)
{
	const struct vcpu_counters *counters = records->counters;
	int err = 0;

	for (uint32_t i = 1; !err && i < pool_end(&counters->records); i++) {
		const void *record = vcpu_counters_record(counters, i);

		if (record)
			err = read(data, i, record);
	}
	return err;
}
