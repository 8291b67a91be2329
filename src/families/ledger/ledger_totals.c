// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "families/ledger/ledger_totals.h"

#include <errno.h>
#include <stdlib.h>

#include "base/sorted_array.h"

void ledger_totals_free(struct ledger_totals *totals)
{
	for (size_t i = 0; i < totals->kept.n; i++)
		free(totals->kept.list[i].halts);
	free(totals->vcpus.list);
	free(totals->kept.list);
	*totals = (struct ledger_totals){ .records = NULL };
}

/* --- lists --- */

static int total_order(const void *left, const void *right)
{
	const struct ledger_total *a = left, *b = right;
	int order = sorted_numbers(a->vm, b->vm);

	return order ? order : sorted_numbers(a->vcpu, b->vcpu);
}

static int list_add(struct ledger_list *list, const struct ledger_total *total)
{
	size_t room = list->room ? list->room * 2 : 16;
	struct ledger_total *grown;

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

/* Add one thread's to another's of the same vCPU. */
static void total_add(struct ledger_total *to, const struct ledger_total *from)
{
	ledger_times_add(&to->times, &from->times);
	if (from->halts) {
		ledger_halts_add(to->halts, from->halts);
		free(from->halts);
	}
	if (!from->is_open || (to->is_open && to->since >= from->since))
		return;
	to->is_open = true;
	to->state = from->state;
	to->since = from->since;
}

/* Sort a list, and add up what has one VM and vCPU. */
static void list_merge(struct ledger_list *list)
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

/* Forget what is kept of VMs that are gone; what is kept of a vCPU that is gone is its VM's. */
static void kept_update(struct ledger_list *kept, const struct vms *vms)
{
	const struct vm *vm = NULL;
	size_t n = 0;

	for (size_t i = 0; i < kept->n; i++) {
		struct ledger_total total = kept->list[i];

		if (!vm || vm->id != total.vm)
			vm = vms_find_id(vms, total.vm);
		if (!vm) {
			free(total.halts);
			continue;
		}
		if (!vm_has_vcpu(vm, total.vcpu))
			total.vcpu = 0;
		kept->list[n++] = total;
	}
	kept->n = n;
	list_merge(kept);
}

/* --- reading --- */

static struct ledger_total total_of(const struct ledger_totals *totals, uint32_t number,
				    const struct ledger_reading *reading)
{
	const struct vm_counters *records = totals->records;
	struct ledger_total total = { .times = reading->times,
				      .is_open = reading->is_open,
				      .state = reading->state,
				      .since = reading->since };

	if (number < records->nuses) {
		total.vm = records->uses[number].vm;
		total.vcpu = records->uses[number].vcpu;
	}
	return total;
}

static int records_read(struct ledger_totals *totals, uint32_t flag)
{
	const struct vcpu_counters *counters = totals->records->counters;
	int err = 0;

	for (uint32_t i = 1; !err && i < pool_end(&counters->records); i++) {
		const void *record = vcpu_counters_record(counters, i);
		struct ledger_reading reading;
		struct ledger_total total;

		if (!record)
			continue;
		ledger_record_read(record, flag, &reading);
		ledger_times_add(&totals->host, &reading.times);
		total = total_of(totals, i, &reading);
		if (total.vm)
			err = list_add(&totals->vcpus, &total);
	}
	return err;
}

int ledger_totals_read(struct ledger_totals *totals, const struct vms *vms, uint32_t flag,
		       uint64_t now)
{
	int err;

	kept_update(&totals->kept, vms);
	totals->now = now;
	totals->vcpus.n = 0;
	for (unsigned i = 0; i < LEDGER_STATES; i++)
		totals->host.time[i] = totals->ended->time[i];
	err = records_read(totals, flag);
	for (size_t i = 0; !err && i < totals->kept.n; i++) {
		struct ledger_total kept = totals->kept.list[i];

		kept.halts = NULL;
		err = list_add(&totals->vcpus, &kept);
	}
	list_merge(&totals->vcpus);
	return err;
}

int ledger_totals_retire(struct ledger_totals *totals, uint32_t number)
{
	const struct pool *records = &totals->records->counters->records;
	const struct ledger_record *record = pool_at(records, number);
	struct ledger_reading reading;
	struct ledger_total total;
	int err = 0;

	ledger_record_read(record, 0, &reading);
	total = total_of(totals, number, &reading);
	if (total.vm) {
		total.halts = malloc(sizeof(*total.halts));
		err = total.halts ? list_add(&totals->kept, &total) : -ENOMEM;
		if (err)
			free(total.halts);
		else
			*total.halts = record->halts;
	}
	if (!err)
		ledger_record_retire(totals->ended, records, number);
	return err;
}

/* The totals of a VM or vCPU in a list. */
static const struct ledger_total *list_find(const struct ledger_list *list, uint32_t vm,
					    uint32_t vcpu, size_t *ret_n)
{
	const struct ledger_total from = { .vm = vm, .vcpu = vcpu };
	const struct ledger_total to = { .vm = vcpu ? vm : vm + 1, .vcpu = vcpu ? vcpu + 1 : 0 };
	size_t first = sorted_bound(list->list, list->n, sizeof(from), &from, total_order);
	size_t end = sorted_bound(list->list, list->n, sizeof(to), &to, total_order);

	*ret_n = end - first;
	return *ret_n ? &list->list[first] : NULL;
}

const struct ledger_total *ledger_totals_of(const struct ledger_totals *totals, uint32_t vm,
					    uint32_t vcpu, size_t *ret_n)
{
	return list_find(&totals->vcpus, vm, vcpu, ret_n);
}

const struct ledger_total *ledger_totals_kept(const struct ledger_totals *totals, uint32_t vm,
					      uint32_t vcpu, size_t *ret_n)
{
	return list_find(&totals->kept, vm, vcpu, ret_n);
}
