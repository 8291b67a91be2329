// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "families/cause/cause_totals.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/sorted_array.h"

/* How often to sum up while the agent moves counts. */
#define SHOW_TRIES 64

/* How long what was read is fresh, ns. */
#define FRESH_NS UINT64_C(100000000)

void cause_totals_free(struct cause_totals *totals)
{
	free(totals->vms.list);
	free(totals->host.list);
	free(totals->kept.list);
	free(totals->fresh.list);
	*totals = (struct cause_totals){ 0 };
}

/* --- lists --- */

static int total_order(const void *left, const void *right)
{
	const struct cause_total *a = left, *b = right;
	int order = sorted_numbers(a->vm, b->vm);

	return order ? order : sorted_numbers(a->key, b->key);
}

static int list_room(struct cause_list *list, size_t more)
{
	size_t room = list->room ? list->room : 64;
	struct cause_total *grown;

	while (room < list->n + more)
		room *= 2;
	if (room == list->room)
		return 0;
	grown = reallocarray(list->list, room, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	list->list = grown;
	list->room = room;
	return 0;
}

/* Values on their way to a list. */
struct adding {
	struct cause_list *list;
	uint32_t vm;
	int err;
};

static void add(void *data, uint64_t key, const struct cause_counts *counts)
{
	struct adding *adding = data;
	struct cause_list *list = adding->list;

	if (!adding->err)
		adding->err = list_room(list, 1);
	if (!adding->err)
		list->list[list->n++] = (struct cause_total){ adding->vm, key, *counts, true };
}

/* Sort a list, and add up what has one VM and key. */
static void list_merge(struct cause_list *list)
{
	size_t m = 0;

	if (!list->n)
		return;
	qsort(list->list, list->n, sizeof(*list->list), total_order);
	for (size_t i = 0; i < list->n; i++) {
		if (m && total_order(&list->list[m - 1], &list->list[i]) == 0)
			cause_counts_add(&list->list[m - 1].counts, &list->list[i].counts);
		else
			list->list[m++] = list->list[i];
	}
	list->n = m;
}

/* The totals of a VM in a list: the first one's index, and their number. */
static size_t list_of(const struct cause_list *list, uint32_t vm, size_t *ret_n)
{
	const struct cause_total from = { .vm = vm }, to = { .vm = vm, .key = UINT64_MAX };
	size_t first = sorted_bound(list->list, list->n, sizeof(from), &from, total_order);
	size_t end = sorted_bound(list->list, list->n, sizeof(to), &to, total_order);

	if (end < list->n && total_order(&list->list[end], &to) == 0)
		end++;
	*ret_n = end - first;
	return first;
}

/* Sum up anew: the keys stay, so that those that are there again are found, and not sorted. */
static void list_begin(struct cause_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		list->list[i].counts = (struct cause_counts){ 0 };
		list->list[i].seen = false;
	}
	list->sorted = list->n;
}

/* Drop what was not there any more, and sort what is new. Returns whether there was either. */
static bool list_end(struct cause_list *list)
{
	bool grown = list->n > list->sorted;
	size_t m = 0;

	for (size_t i = 0; i < list->n; i++) {
		if (list->list[i].seen)
			list->list[m++] = list->list[i];
	}
	grown |= m < list->n;
	list->n = m;
	if (grown)
		list_merge(list);
	return grown;
}

static const struct cause_total *list_find(const struct cause_list *list, uint32_t vm, uint64_t key)
{
	const struct cause_total wanted = { .vm = vm, .key = key };
	size_t at = sorted_bound(list->list, list->n, sizeof(wanted), &wanted, total_order);

	return at < list->n && total_order(&list->list[at], &wanted) == 0 ? &list->list[at] : NULL;
}

/* --- reading --- */

static uint32_t vm_of(const struct cause_totals *totals, uint32_t number)
{
	return number < totals->records->nuses ? totals->records->uses[number].vm : 0;
}

/* A record's keys wait to be admitted. */
struct admission {
	struct cause_totals *totals;
	uint32_t vm, number;
};

/* Has the VM room for one more key of its own? */
static bool vm_admits(struct cause_totals *totals, uint32_t vm, uint64_t key)
{
	struct adding adding = { .list = &totals->fresh, .vm = vm };
	static const struct cause_counts nothing;
	size_t n;

	if (list_find(&totals->vms, vm, key))
		return true;
	list_of(&totals->vms, vm, &n);
	n -= n ? 2 : 0; /* none and other come with the first record */
	for (size_t i = 0; i < totals->fresh.n; i++) {
		if (totals->fresh.list[i].vm != vm)
			continue;
		if (totals->fresh.list[i].key == key)
			return true;
		n++;
	}
	if (n >= totals->vm_keys)
		return false;
	add(&adding, key, &nothing);
	return !adding.err;
}

static bool admits(void *data, uint64_t key)
{
	const struct admission *admission = data;
	struct cause_totals *totals = admission->totals;

	if (!admission->vm)
		return cause_sums_of(totals->sums, admission->number) < totals->vm_keys;
	return vm_admits(totals, admission->vm, key);
}

static bool vm_runs(const struct vms *vms, uint32_t vm)
{
	for (size_t i = 0; i < vms->n; i++) {
		if (vms->list[i]->id == vm)
			return true;
	}
	return false;
}

/* Forget what is kept of VMs that are gone. */
static void kept_update(struct cause_list *kept, const struct vms *vms)
{
	uint32_t vm = 0;
	bool runs = false;
	size_t n = 0;

	for (size_t i = 0; i < kept->n; i++) {
		if (kept->list[i].vm != vm) {
			vm = kept->list[i].vm;
			runs = vm_runs(vms, vm);
		}
		if (runs)
			kept->list[n++] = kept->list[i];
	}
	kept->n = n;
}

static int records_read(struct cause_totals *totals)
{
	const struct vcpu_counters *counters = totals->records->counters;
	int err = 0;

	totals->fresh.n = 0;
	for (uint32_t i = 1; !err && i < pool_end(&counters->records); i++) {
		struct admission admission = { totals, vm_of(totals, i), i };

		if (vcpu_counters_record(counters, i))
			err = cause_sums_read(totals->sums, i, admits, &admission);
	}
	return err;
}

/* A record's values on their way to its VM's totals and the host's. */
struct summing {
	struct adding vm, host;
	size_t first, n; /* what the list of VMs has of this one */
};

/* Add to one of the n totals from first on, or to the end of the list. */
static void put(struct adding *adding, size_t first, size_t n, uint64_t key,
		const struct cause_counts *counts)
{
	const struct cause_total wanted = { .vm = adding->vm, .key = key };
	struct cause_total *from = adding->list->list + first;
	size_t at = n ? sorted_bound(from, n, sizeof(wanted), &wanted, total_order) : 0;

	if (at == n || from[at].key != key) {
		add(adding, key, counts);
		return;
	}
	from[at].seen = true;
	cause_counts_add(&from[at].counts, counts);
}

static void host_put(void *data, uint64_t key, const struct cause_counts *counts)
{
	struct summing *summing = data;

	put(&summing->host, 0, summing->host.list->sorted, key, counts);
}

static void both_put(void *data, uint64_t key, const struct cause_counts *counts)
{
	struct summing *summing = data;

	put(&summing->vm, summing->first, summing->n, key, counts);
	host_put(data, key, counts);
}

/* What is added next is this VM's. */
static void summing_vm(struct summing *summing, uint32_t vm)
{
	struct cause_list sorted = *summing->vm.list;

	summing->vm.vm = vm;
	sorted.n = sorted.sorted;
	summing->first = list_of(&sorted, vm, &summing->n);
}

static void records_sum(const struct cause_totals *totals, struct summing *summing)
{
	const struct vcpu_counters *counters = totals->records->counters;

	for (uint32_t i = 1; i < pool_end(&counters->records); i++) {
		uint32_t vm = vm_of(totals, i);

		if (!vcpu_counters_record(counters, i))
			continue;
		if (vm)
			summing_vm(summing, vm);
		cause_sums_visit(totals->sums, i, vm ? both_put : host_put, summing);
	}
}

static void rest_sum(const struct cause_totals *totals, struct summing *summing)
{
	for (size_t i = 0; i < totals->kept.n; i++) {
		const struct cause_total *kept = &totals->kept.list[i];

		summing_vm(summing, kept->vm);
		put(&summing->vm, summing->first, summing->n, kept->key, &kept->counts);
	}
	cause_sums_visit_ended(totals->sums, host_put, summing);
	for (size_t i = 0; i < totals->nrows; i++) {
		const struct cause_counts counts = totals->rows[i].counts;

		host_put(summing, CAUSE_OTHER, &counts);
	}
}

static int sum_all(struct cause_totals *totals)
{
	struct summing summing = { .vm.list = &totals->vms, .host.list = &totals->host };
	int err;

	list_begin(&totals->vms);
	list_begin(&totals->host);
	records_sum(totals, &summing);
	rest_sum(totals, &summing);
	totals->grown |= list_end(&totals->vms);
	totals->grown |= list_end(&totals->host);
	err = summing.vm.err ? summing.vm.err : summing.host.err;
	for (size_t i = 0; i < totals->host.n; i++) {
		totals->exits |= totals->host.list[i].counts.count > 0;
		totals->trips |= totals->host.list[i].counts.trips > 0;
	}
	return err;
}

int cause_totals_read(struct cause_totals *totals, const struct vms *vms)
{
	int err;

	list_merge(&totals->kept);
	kept_update(&totals->kept, vms);
	err = records_read(totals);
	if (!err)
		err = sum_all(totals);
	totals->grown |= totals->fresh.n > 0;
	return err;
}

void cause_totals_fetched(struct cause_totals *totals)
{
	totals->fetched = clock_ns();
}

bool cause_totals_fresh(struct cause_totals *totals)
{
	bool fresh = totals->fetched && clock_ns() - totals->fetched < FRESH_NS;

	totals->fetched = 0;
	return fresh;
}

int cause_totals_show(struct cause_totals *totals)
{
	struct cause_journal before, after;
	int err = 0;

	for (unsigned i = 0; !err && i < SHOW_TRIES; i++) {
		before = totals->sums->ended->journal;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		err = cause_sums_follow(totals->sums);
		if (!err)
			err = sum_all(totals);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		after = totals->sums->ended->journal;
		/* each move has other numbers in the journal, or moves nothing */
		if (!after.moves && memcmp(&before, &after, sizeof(after)) == 0)
			break;
	}
	return err;
}

int cause_totals_retire(struct cause_totals *totals, uint32_t number)
{
	struct adding adding = { .list = &totals->kept, .vm = vm_of(totals, number) };
	size_t before = totals->kept.n;
	int err = cause_sums_finish(totals->sums, number);

	if (err)
		return err;
	if (adding.vm)
		cause_sums_visit(totals->sums, number, add, &adding);
	if (adding.err) {
		totals->kept.n = before;
		return adding.err;
	}
	cause_sums_retire(totals->sums, number);
	return 0;
}

const struct cause_total *cause_totals_of(const struct cause_totals *totals, uint32_t vm,
					  size_t *ret_n)
{
	const struct cause_list *list = vm ? &totals->vms : &totals->host;
	size_t first = list_of(list, vm, ret_n);

	return *ret_n ? &list->list[first] : NULL;
}

const struct cause_total *cause_totals_find(const struct cause_totals *totals, uint32_t vm,
					    uint64_t key)
{
	return list_find(vm ? &totals->vms : &totals->host, vm, key);
}
