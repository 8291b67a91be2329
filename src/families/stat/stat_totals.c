// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "families/stat/stat_totals.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fnv1a.h"
#include "kernel/map_dump.h"

/* Words before the values in the maps: the schema. */
#define KEPT_HEAD 1

static uint32_t values_of(const struct stat_layout *layout)
{
	return layout->vm.nvalues + layout->vcpu.nvalues;
}

uint32_t stat_totals_bytes(const struct stat_layout *layout)
{
	return (KEPT_HEAD + values_of(layout)) * (uint32_t)sizeof(uint64_t);
}

/* A hash of the statistics' names and bucket counts, in order. */
static uint64_t schema_of(const struct stat_layout *layout)
{
	const struct stat_list *lists[] = { &layout->vm, &layout->vcpu };
	uint64_t hash = HASH_START;

	for (size_t i = 0; i < 2; i++) {
		for (size_t j = 0; j < lists[i]->n; j++) {
			const struct statistic *stat = &lists[i]->list[j];

			hash = hash_step(hash_text(hash, stat->name), stat->buckets);
		}
	}
	return hash;
}

int stat_totals_init(const struct stat_layout *layout, struct stat_totals *ret_totals)
{
	struct stat_totals totals = { .layout = layout, .ended_fd = -1, .vms_fd = -1 };
	size_t n = KEPT_HEAD + values_of(layout);

	totals.ended = calloc(n, sizeof(uint64_t));
	totals.now = calloc(n, sizeof(uint64_t));
	totals.kept = calloc(n, sizeof(uint64_t));
	totals.away = calloc(n, sizeof(uint64_t));
	if (!totals.ended || !totals.now || !totals.kept || !totals.away) {
		stat_totals_free(&totals);
		return -ENOMEM;
	}
	totals.schema = schema_of(layout);
	*ret_totals = totals;
	return 0;
}

void stat_totals_free(struct stat_totals *totals)
{
	free(totals->ended);
	free(totals->now);
	free(totals->kept);
	free(totals->away);
	*totals = (struct stat_totals){ .ended_fd = -1, .vms_fd = -1 };
}

/*
 * The older totals' counts of destroyed VMs for a statistic like this one, in one of the lists;
 * NULL if there are none.
 */
static const uint64_t *ended_find(const struct stat_totals *totals, bool of_vcpu,
				  const struct statistic *like)
{
	const struct stat_layout *layout = totals->layout;
	const struct statistic *stat = stat_list_find(of_vcpu ? &layout->vcpu : &layout->vm,
						      like->name);

	if (!stat || stat->buckets != like->buckets)
		return NULL;
	return totals->ended + (of_vcpu ? layout->vm.nvalues : 0) + stat->first;
}

/*
 * Inherit one list. debugfs has vCPU statistics in the VM list, so a name that is in only one list
 * now is looked up in the other one, too.
 */
static void list_inherit(struct stat_totals *totals, bool of_vcpu, const struct stat_totals *older)
{
	const struct stat_layout *layout = totals->layout;
	const struct stat_list *list = of_vcpu ? &layout->vcpu : &layout->vm;
	const struct stat_list *other = of_vcpu ? &layout->vm : &layout->vcpu;
	uint64_t *values = totals->ended + (of_vcpu ? layout->vm.nvalues : 0);

	for (size_t i = 0; i < list->n; i++) {
		const struct statistic *stat = &list->list[i];
		const uint64_t *from = ended_find(older, of_vcpu, stat);

		if (!from && !stat_list_find(other, stat->name))
			from = ended_find(older, !of_vcpu, stat);
		for (uint32_t n = 0; from && stat_is_cumulative(stat) && n < stat->buckets; n++)
			values[stat->first + n] += from[n];
	}
}

void stat_totals_inherit(struct stat_totals *totals, const struct stat_totals *older)
{
	list_inherit(totals, false, older);
	list_inherit(totals, true, older);
	totals->dropped += older->dropped;
}

/* For the next agent those that are away have ended. */
static void keep_ended(struct stat_totals *totals)
{
	uint32_t key = 0;

	if (totals->ended_fd < 0)
		return;
	totals->kept[0] = totals->schema;
	for (uint32_t i = 0; i < values_of(totals->layout); i++)
		totals->kept[KEPT_HEAD + i] = totals->ended[i] + totals->away[i];
	bpf_map_update_elem(totals->ended_fd, &key, totals->kept, BPF_ANY);
}

/* Add a VM's cumulative values to those of destroyed VMs. */
static void ended_add(struct stat_totals *totals, const uint64_t *vm, const uint64_t *vcpus)
{
	const struct stat_layout *layout = totals->layout;

	stat_add(&layout->vm, vm, true, totals->ended);
	stat_add(&layout->vcpu, vcpus, true, totals->ended + layout->vm.nvalues);
}

/* Take a VM out of the counts of those that are away. */
static void away_remove(struct stat_totals *totals, const struct stat_vm *stat)
{
	const struct stat_layout *layout = totals->layout;
	uint64_t *values = totals->kept;

	memset(values, 0, values_of(layout) * sizeof(*values));
	stat_add(&layout->vm, stat->values, true, values);
	stat_add(&layout->vcpu, stat->gone, true, values + layout->vm.nvalues);
	for (uint32_t i = 0; i < values_of(layout); i++)
		totals->away[i] -= values[i];
}

/*
 * Store the sums before deleting the VM's entry: an agent that dies in between counts the VM twice,
 * but never loses it.
 */
void stat_totals_ended(struct stat_totals *totals, const struct vm *vm)
{
	const struct stat_vm *stat = stat_vm_of(vm);

	ended_add(totals, stat->values, stat->gone);
	if (stat->away)
		away_remove(totals, stat);
	if (totals->vms_fd < 0)
		return;
	keep_ended(totals);
	/* nkept does not include an earlier agent's entry that is not taken over yet */
	if (bpf_map_delete_elem(totals->vms_fd, &vm->key) == 0)
		totals->nkept -= stat->kept;
}

bool stat_totals_keep(struct stat_totals *totals, int ended_fd, int vms_fd, bool take_over)
{
	uint32_t key = 0;
	bool other;

	totals->ended_fd = ended_fd;
	totals->vms_fd = vms_fd;
	totals->taken_over = !take_over;
	if (!take_over || bpf_map_lookup_elem(ended_fd, &key, totals->kept)) {
		keep_ended(totals);
		return false;
	}
	other = totals->kept[0] && totals->kept[0] != totals->schema;
	if (totals->kept[0] && !other) {
		for (uint32_t i = 0; i < values_of(totals->layout); i++)
			totals->ended[i] += totals->kept[KEPT_HEAD + i];
	}
	keep_ended(totals);
	return other;
}

/*
 * Is the VM the one that had these values? Fallen ones of a VM that is certain were reset; without
 * memory what they lost counts as an ended VM's.
 */
static bool is_same(struct stat_totals *totals, struct vm *vm, const uint64_t *before)
{
	const struct stat_list *list = &totals->layout->vm;
	const struct stat_vm *stat = stat_vm_of(vm);

	if (!vm_is_certain(vm))
		return !stat_fell(list, before, stat->values);
	if (stat_vms_raise(totals->layout, before, vm)) {
		stat_add_missing(list, before, stat->values, totals->ended);
		keep_ended(totals);
	}
	return true;
}

/*
 * Take over an earlier agent's last known values of a VM. If the VM still exists, some of its vCPUs
 * may have been closed meanwhile; if not, it was destroyed meanwhile.
 */
static void take_over_one(struct stat_totals *totals, const struct vms *vms,
			  const struct vm_key *key, const uint64_t *value)
{
	const struct stat_layout *layout = totals->layout;
	const uint64_t *vm_values = value + KEPT_HEAD;
	const uint64_t *vcpu_values = vm_values + layout->vm.nvalues;
	struct vm *vm = vms_find(vms, key);
	struct stat_vm *stat = vm ? stat_vm_of(vm) : NULL;

	totals->nkept += !stat || !stat->kept;
	if (stat)
		stat->kept = true;
	if (value[0] == totals->schema) {
		if (stat && is_same(totals, vm, vm_values)) {
			stat_add_missing(&layout->vcpu, vcpu_values, stat->sum, stat->gone);
			stat_vms_sum(layout, vms, vm);
			return;
		}
		ended_add(totals, vm_values, vcpu_values);
		keep_ended(totals);
	}
	if (stat)
		stat->changed = true; /* store it again */
	else if (bpf_map_delete_elem(totals->vms_fd, key) == 0)
		totals->nkept--;
}

struct taking_over {
	struct stat_totals *totals;
	const struct vms *vms;
};

static void entry_take_over(void *data, const void *key, void *value)
{
	const struct taking_over *taking = data;

	take_over_one(taking->totals, taking->vms, key, value);
}

/* If not all entries can be read, the next pass tries the rest again. */
static void take_over_all(struct stat_totals *totals, const struct vms *vms)
{
	struct taking_over taking = { totals, vms };
	struct map_dump dump = { 0 };

	totals->taken_over = map_dump_read(&dump, totals->vms_fd, sizeof(struct vm_key),
					   stat_totals_bytes(totals->layout), entry_take_over,
					   &taking) == 0;
	map_dump_free(&dump);
}

static void keep_vm(struct stat_totals *totals, const struct vm *vm)
{
	const struct stat_layout *layout = totals->layout;
	struct stat_vm *stat = stat_vm_of(vm);

	totals->kept[0] = totals->schema;
	memcpy(totals->kept + KEPT_HEAD, stat->values, layout->vm.nvalues * sizeof(uint64_t));
	memcpy(totals->kept + KEPT_HEAD + layout->vm.nvalues, stat->sum,
	       layout->vcpu.nvalues * sizeof(uint64_t));
	if (bpf_map_update_elem(totals->vms_fd, &vm->key, totals->kept, BPF_ANY)) {
		totals->dropped += !stat->dropped;
		stat->dropped = true; /* the next pass tries again */
		return;
	}
	totals->nkept += !stat->kept;
	stat->kept = true;
	stat->changed = false;
}

void stat_totals_sum_vms(const struct stat_totals *totals, const struct vms *vms)
{
	for (size_t i = 0; i < vms->n; i++)
		stat_vms_sum(totals->layout, vms, vms->list[i]);
}

/* Sum up those that are away. Returns whether any has gone or come back since the last sum. */
static bool away_sum(struct stat_totals *totals, const struct vms *vms)
{
	const struct stat_layout *layout = totals->layout;
	bool changed = false;

	memset(totals->away, 0, values_of(layout) * sizeof(*totals->away));
	for (size_t i = 0; i < vms->n; i++) {
		const struct stat_vm *stat = stat_vm_of(vms->list[i]);
		bool away = vm_is_away(vms, vms->list[i]);

		if (!stat)
			continue;
		changed |= stat->away != away;
		if (!away)
			continue;
		stat_add(&layout->vm, stat->values, true, totals->away);
		stat_add(&layout->vcpu, stat->sum, true, totals->away + layout->vm.nvalues);
	}
	return changed;
}

/*
 * Store changed VMs. One that is away gives up its place in the map, for others; the order of
 * writes is as in stat_totals_ended(), and the other way round for one that is back.
 */
static void keep_vms(struct stat_totals *totals, const struct vms *vms)
{
	bool changed = away_sum(totals, vms);

	for (size_t i = 0; i < vms->n; i++) {
		const struct stat_vm *stat = stat_vm_of(vms->list[i]);

		if (stat && stat->changed && !vm_is_away(vms, vms->list[i]))
			keep_vm(totals, vms->list[i]);
	}
	if (!changed)
		return;
	keep_ended(totals);
	for (size_t i = 0; i < vms->n; i++) {
		struct vm *vm = vms->list[i];
		struct stat_vm *stat = stat_vm_of(vm);
		bool away = vm_is_away(vms, vm);

		if (!stat || stat->away == away)
			continue;
		stat->away = away;
		if (away && bpf_map_delete_elem(totals->vms_fd, &vm->key) == 0)
			totals->nkept -= stat->kept;
		if (away)
			stat->kept = false;
		stat->changed |= away; /* it is stored again once it is back */
	}
}

void stat_totals_watch(struct stat_totals *totals, int ended_fd)
{
	totals->watched_fd = ended_fd;
}

/* Take the agent's counts of VMs that are gone or away; what totals were is kept in away. */
static void watch_ended(struct stat_totals *totals)
{
	size_t bytes = values_of(totals->layout) * sizeof(uint64_t);
	uint32_t key = 0;

	memcpy(totals->away, totals->now, bytes);
	if (bpf_map_lookup_elem(totals->watched_fd, &key, totals->kept) == 0 &&
	    totals->kept[0] == totals->schema)
		memcpy(totals->ended, totals->kept + KEPT_HEAD, bytes);
}

static void list_raise(const struct stat_list *list, const uint64_t *least, uint64_t *values)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct statistic *stat = &list->list[i];

		if (!stat_is_cumulative(stat))
			continue;
		for (uint32_t n = stat->first; n < stat->first + stat->buckets; n++)
			values[n] = values[n] < least[n] ? least[n] : values[n];
	}
}

/* The agent learns up to a second later than we do that a VM is gone: until then none falls. */
static void watch_raise(struct stat_totals *totals)
{
	const struct stat_layout *layout = totals->layout;

	list_raise(&layout->vm, totals->away, totals->now);
	list_raise(&layout->vcpu, totals->away + layout->vm.nvalues,
		   totals->now + layout->vm.nvalues);
}

void stat_totals_sum(struct stat_totals *totals, const struct vms *vms)
{
	const struct stat_layout *layout = totals->layout;
	bool watches = totals->watched_fd > 0;

	stat_totals_sum_vms(totals, vms);
	if (watches)
		watch_ended(totals);
	if (totals->vms_fd >= 0 && !totals->taken_over)
		take_over_all(totals, vms);
	memcpy(totals->now, totals->ended, values_of(layout) * sizeof(uint64_t));
	totals->counted = true;
	for (size_t i = 0; i < vms->n; i++) {
		const struct vm *vm = vms->list[i];
		const struct stat_vm *stat = stat_vm_of(vm);
		bool there = vm_is_there(vms, vm);

		if (!stat || (watches && !there))
			continue;
		stat_add(&layout->vm, stat->values, !there, totals->now);
		stat_add(&layout->vcpu, stat->sum, !there, totals->now + layout->vm.nvalues);
	}
	if (watches)
		watch_raise(totals);
	/* what is not taken over yet must not be written over */
	if (totals->vms_fd >= 0 && totals->taken_over)
		keep_vms(totals, vms);
}
