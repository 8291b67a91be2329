// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "families/slow/slow_totals.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/sorted_array.h"

/* A slow exit is written in some 100 ns, and of a vCPU the next can take no less than 10 us. */
#define TRIES	    64

#define load(value) __atomic_load_n(&(value), __ATOMIC_ACQUIRE)

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

/* --- totals --- */

/* Add one thread's to another's of the same vCPU; of both the newest stay. */
static void total_add(void *to_total, const void *from_total)
{
	const struct slow_total *from = from_total;
	struct slow_total *to = to_total;
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

/* Of a vCPU that is gone its VM keeps the count. */
static void total_unseat(void *total)
{
	((struct slow_total *)total)->n = 0;
}

static const struct vcpu_list_kind kind = {
	.size = sizeof(struct slow_total),
	.add = total_add,
	.unseat = total_unseat,
};

void slow_totals_free(struct slow_totals *totals)
{
	vcpu_list_free(&totals->vcpus, &kind);
	vcpu_list_free(&totals->kept, &kind);
	*totals = (struct slow_totals){ .records = NULL };
}

/* --- reading --- */

static struct slow_total total_of(const struct slow_totals *totals, uint32_t number,
				  const struct slow_record *record)
{
	struct slow_total total;

	slow_record_read(record, &total);
	total.of = vcpu_ids_of(totals->records, number);
	if (!total.of.vcpu)
		total.n = 0;
	return total;
}

static int record_read(void *data, uint32_t number, const void *record)
{
	struct slow_totals *totals = data;
	struct slow_total total = total_of(totals, number, record);

	return total.of.vm ? vcpu_list_add(&totals->vcpus, &kind, &total) : 0;
}

int slow_totals_read(struct slow_totals *totals, const struct vms *vms)
{
	const struct slow_total *kept;
	int err;

	vcpu_list_update(&totals->kept, &kind, vms);
	totals->vcpus.n = 0;
	err = vcpu_records_walk(totals->records, record_read, totals);
	kept = totals->kept.list;
	for (size_t i = 0; !err && i < totals->kept.n; i++)
		err = vcpu_list_add(&totals->vcpus, &kind, &kept[i]);
	vcpu_list_merge(&totals->vcpus, &kind);
	return err;
}

int slow_totals_retire(struct slow_totals *totals, uint32_t number)
{
	struct slow_total total = total_of(totals, number,
					   pool_at(&totals->records->counters->records, number));

	return total.of.vm && total.count ? vcpu_list_add(&totals->kept, &kind, &total) : 0;
}

const struct slow_total *slow_totals_of(const struct slow_totals *totals, uint32_t vm,
					uint32_t vcpu, size_t *ret_n)
{
	return vcpu_list_find(&totals->vcpus, &kind, (struct vcpu_ids){ vm, vcpu }, ret_n);
}
