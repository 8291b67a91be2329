// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "families/slow/slow_totals.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/sorted_array.h"

/* A slow exit is written in some 100 ns, and of a vCPU the next can take no less than 10 us. */
#define TRIES	    64

#define load(value) __atomic_load_n(&(value), __ATOMIC_ACQUIRE)

void slow_totals_free(struct slow_totals *totals)
{
	free(totals->vcpus.list);
	free(totals->kept.list);
	*totals = (struct slow_totals){ .records = NULL };
}

/* --- a record --- */

/* Returns whether there is one, and it was read whole. */
static bool exit_read(const struct slow_exit *slow, struct slow_exit *ret_exit)
{
	for (unsigned i = 0; i < TRIES; i++) {
		uint64_t number = load(slow->number);
		struct slow_exit copy = {
			.number = number,
			.check = load(slow->check),
			.end = load(slow->end),
			.duration = load(slow->duration),
			.cause = load(slow->cause),
			.reason = load(slow->reason),
			.known = load(slow->known),
		};

		for (unsigned j = 0; j < LEDGER_PLACES; j++)
			copy.time[j] = load(slow->time[j]);
		if (!number || copy.check != slow_sum(&copy, number) ||
		    load(slow->number) != number)
			continue; /* none, or the thread writes it */
		*ret_exit = copy;
		return true;
	}
	return false;
}

/* Newest first: by the end, for those of two threads; of one thread by the number, too. */
static int exit_order(const void *left, const void *right)
{
	const struct slow_exit *a = left, *b = right;
	int order = sorted_numbers(b->end, a->end);

	return order ? order : sorted_numbers(b->number, a->number);
}

void slow_record_read(const struct slow_record *record, struct slow_total *ret_total)
{
	struct slow_total total = { .count = load(record->count) };

	for (unsigned i = 0; i < SLOW_EXITS; i++) {
		struct slow_exit *slow = &total.exits[total.n];

		if (!exit_read(&record->exits[i], slow))
			continue;
		total.n++;
		if (slow->number > total.count) /* the count is about to follow */
			total.count = slow->number;
	}
	qsort(total.exits, total.n, sizeof(total.exits[0]), exit_order);
	*ret_total = total;
}

/* --- lists --- */

static int total_order(const void *left, const void *right)
{
	const struct slow_total *a = left, *b = right;
	int order = sorted_numbers(a->vm, b->vm);

	return order ? order : sorted_numbers(a->vcpu, b->vcpu);
}

static int list_add(struct slow_list *list, const struct slow_total *total)
{
	size_t room = list->room ? list->room * 2 : 16;
	struct slow_total *grown;

	if (list->n == list->room) {
		grown = reallocarray(list->list, room, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		list->list = grown;
		list->room = room;
	}
	list->list[list->n++] = *total;
	return 0;
}

/* Add one thread's to another's of the same vCPU; of both the newest stay. */
static void total_add(struct slow_total *to, const struct slow_total *from)
{
	struct slow_exit both[2 * SLOW_EXITS];
	size_t n = 0;

	for (unsigned i = 0; i < to->n; i++)
		both[n++] = to->exits[i];
	for (unsigned i = 0; i < from->n; i++)
		both[n++] = from->exits[i];
	if (n)
		qsort(both, n, sizeof(both[0]), exit_order);
	to->n = n < SLOW_EXITS ? (unsigned)n : SLOW_EXITS;
	for (unsigned i = 0; i < to->n; i++)
		to->exits[i] = both[i];
	to->count += from->count;
}

/* Sort a list, and add up what has one VM and vCPU. */
static void list_merge(struct slow_list *list)
{
	size_t m = 0;

	if (!list->n)
		return;
	qsort(list->list, list->n, sizeof(*list->list), total_order);
	for (size_t i = 0; i < list->n; i++) {
		if (m && total_order(&list->list[m - 1], &list->list[i]) == 0)
			total_add(&list->list[m - 1], &list->list[i]);
		else
			list->list[m++] = list->list[i];
	}
	list->n = m;
}

/* --- what is kept --- */

/* Forget what is kept of VMs that are gone; of a vCPU that is gone its VM keeps the count. */
static void kept_update(struct slow_list *kept, const struct vms *vms)
{
	size_t n = 0;

	for (size_t i = 0; i < kept->n; i++) {
		struct slow_total total = kept->list[i];
		const struct vm *vm = vms_find_id(vms, total.vm);

		if (!vm)
			continue;
		if (!vm_has_vcpu(vm, total.vcpu)) {
			total.vcpu = 0;
			total.n = 0;
		}
		kept->list[n++] = total;
	}
	kept->n = n;
	list_merge(kept);
}

/* --- reading --- */

static struct slow_total total_of(const struct slow_totals *totals, uint32_t number)
{
	const struct vm_counters *records = totals->records;
	struct slow_total total;

	slow_record_read(pool_at(&records->counters->records, number), &total);
	if (number < records->nuses) {
		total.vm = records->uses[number].vm;
		total.vcpu = records->uses[number].vcpu;
	}
	if (!total.vcpu)
		total.n = 0;
	return total;
}

int slow_totals_read(struct slow_totals *totals, const struct vms *vms)
{
	const struct vcpu_counters *counters = totals->records->counters;
	int err = 0;

	kept_update(&totals->kept, vms);
	totals->vcpus.n = 0;
	for (uint32_t i = 1; !err && i < pool_end(&counters->records); i++) {
		struct slow_total total;

		if (!vcpu_counters_record(counters, i))
			continue;
		total = total_of(totals, i);
		if (total.vm)
			err = list_add(&totals->vcpus, &total);
	}
	for (size_t i = 0; !err && i < totals->kept.n; i++)
		err = list_add(&totals->vcpus, &totals->kept.list[i]);
	list_merge(&totals->vcpus);
	return err;
}

int slow_totals_retire(struct slow_totals *totals, uint32_t number)
{
	struct slow_total total = total_of(totals, number);

	return total.vm && total.count ? list_add(&totals->kept, &total) : 0;
}

const struct slow_total *slow_totals_of(const struct slow_totals *totals, uint32_t vm,
					uint32_t vcpu, size_t *ret_n)
{
	const struct slow_list *list = &totals->vcpus;
	const struct slow_total from = { .vm = vm, .vcpu = vcpu };
	const struct slow_total to = { .vm = vcpu ? vm : vm + 1, .vcpu = vcpu ? vcpu + 1 : 0 };
	size_t first = sorted_bound(list->list, list->n, sizeof(from), &from, total_order);
	size_t end = sorted_bound(list->list, list->n, sizeof(to), &to, total_order);

	*ret_n = end - first;
	return *ret_n ? &list->list[first] : NULL;
}
