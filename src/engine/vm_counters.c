// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "engine/vm_counters.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/sorted_array.h"
#include "engine/known_vcpus.h"

void vm_counters_init(struct vm_counters *all, struct vcpu_counters *counters)
{
	*all = (struct vm_counters){ .counters = counters };
}

void vm_counters_free(struct vm_counters *all)
{
	free(all->uses);
	free(all->places);
	free(all->kept);
	vm_counters_init(all, all->counters);
}

/* --- places of records --- */

static const struct known *owner_find(const struct known_vcpus *known, const struct record *record)
{
	const struct known *found;

	if (record->vcpu) {
		found = known_find(known->addresses, known->nthere, record->vcpu);
		/* the address may be another vCPU's since: only the VMM's threads run a VM */
		return found && record->ended && found->vm->is_creators &&
				       found->vm->pid != record->tgid ?
			       NULL :
			       found;
	}
	found = known_find(known->threads, known->nthere, record->tid);
	/* the TID may be reused by another thread */
	if (found && found->vcpu->start && found->vcpu->start != record->start)
		return NULL;
	return found;
}

static int place_order(const void *left, const void *right)
{
	const struct record_place *a = left, *b = right;
	int order = sorted_numbers(a->vm, b->vm);

	if (!order)
		order = sorted_numbers(a->vcpu, b->vcpu);
	return order ? order : sorted_numbers(a->record, b->record);
}

/* Assign a record that is in use, or find out that its vCPU is gone. */
static void use_update(const struct known_vcpus *known, const struct record *record,
		       struct record_use *use)
{
	const struct known *found;

	if (!use->vm) {
		found = use->gone || record->start == RECORD_GONE ? NULL :
								    owner_find(known, record);
		use->vm = found ? found->vm->id : 0;
		use->vcpu = found ? found->vcpu->id : 0;
		use->there = found;
		use->owner = found ? found->vcpu : NULL;
		return;
	}
	/* it is closed, or its address is another's already */
	found = record->vcpu ? owner_find(known, record) : NULL;
	use->there = found && found->vcpu->id == use->vcpu;
	use->owner = use->there ? found->vcpu : NULL;
	if ((found && found->vcpu->id != use->vcpu) ||
	    (use->vcpu && !known_find(known->ids, known->n, use->vcpu)))
		use->vcpu = 0;
	if (!known_find(known->vms, known->nvms, use->vm))
		use->vm = use->vcpu = 0;
}

static int rooms_make(struct vm_counters *all)
{
	struct vcpu_counters *counters = all->counters;
	size_t n = pool_end(&counters->records);
	struct record_place *places;
	struct record_use *uses;

	if (n > all->nuses) {
		uses = reallocarray(all->uses, n, sizeof(*uses));
		if (!uses)
			return -ENOMEM;
		memset(uses + all->nuses, 0, (n - all->nuses) * sizeof(*uses));
		all->uses = uses;
		all->nuses = n;
	}
	if (n > all->places_room) {
		places = reallocarray(all->places, n, sizeof(*places));
		if (!places)
			return -ENOMEM;
		all->places = places;
		all->places_room = n;
	}
	return 0;
}

static void places_make(struct vm_counters *all, const struct known_vcpus *known)
{
	struct vcpu_counters *counters = all->counters;

	all->nplaces = all->unknown = 0;
	for (uint32_t i = 1; i < pool_end(&counters->records); i++) {
		const struct record *record = vcpu_counters_record(counters, i);
		struct record_use *use = &all->uses[i];
		bool was_known = use->vm;

		if (!record)
			continue;
		use_update(known, record, use);
		/* its vCPU or VM was known and is gone: retire.c takes it back */
		if (was_known && !use->vcpu && !use->gone)
			use->gone = RECORD_GONE;
		if (use->vm)
			all->places[all->nplaces++] = (struct record_place){ use->vm, use->vcpu,
									     i };
		else
			all->unknown += !use->gone;
	}
	if (all->nplaces)
		qsort(all->places, all->nplaces, sizeof(*all->places), place_order);
}

static int kept_order(const void *left, const void *right)
{
	const struct kept_counts *a = left, *b = right;
	int order = sorted_numbers(a->vm, b->vm);

	if (!order)
		order = sorted_numbers(a->vcpu, b->vcpu);
	return order ? order : sorted_numbers(a->slot, b->slot);
}

/* Forget what is kept of VMs that are gone; what is kept of a vCPU that is gone is its VM's. */
static void kept_update(struct vm_counters *all, const struct known_vcpus *known, uint32_t epoch)
{
	size_t n = 0, m = 0;

	for (size_t i = 0; i < all->nkept; i++) {
		struct kept_counts *kept = &all->kept[i];

		if (!known_find(known->vms, known->nvms, kept->vm))
			continue;
		if (kept->vcpu && !known_find(known->ids, known->n, kept->vcpu))
			kept->vcpu = 0;
		all->kept[n++] = *kept;
	}
	if (n)
		qsort(all->kept, n, sizeof(*all->kept), kept_order);
	for (size_t i = 0; i < n; i++) {
		if (m && kept_order(&all->kept[m - 1], &all->kept[i]) == 0)
			block_add(&all->kept[m - 1].sum, &all->kept[i].sum, epoch);
		else
			all->kept[m++] = all->kept[i];
	}
	all->nkept = m;
}

int vm_counters_update(struct vm_counters *all, const struct vms *vms)
{
	struct vcpu_counters *counters = all->counters;
	struct known_vcpus known = { 0 };
	uint32_t taken;
	int err;

	if (!counters->object.family)
		return 0;
	taken = __atomic_load_n(&counters->object.control->records_taken, __ATOMIC_RELAXED);
	err = vcpu_counters_wake(counters);
	if (err)
		return err;
	if (!all->outdated && !all->unknown && all->changes == vms->changes + 1 &&
	    all->taken == taken)
		return 0;
	err = rooms_make(all);
	if (!err)
		err = known_make(vms, &known);
	if (!err) {
		places_make(all, &known);
		kept_update(all, &known, counters->state->epoch);
		all->outdated = false;
		all->changes = vms->changes + 1;
		all->taken = taken;
		all->generation++;
	}
	known_free(&known);
	return err;
}

bool vm_counters_thread_seen(const struct vm_counters *all, const struct vms *vms, uint32_t number)
{
	const struct record *record = vcpu_counters_record(all->counters, number);
	const struct vcpu *vcpu = NULL;

	if (number < all->nuses && all->changes == vms->changes + 1)
		vcpu = all->uses[number].owner;
	return record && vcpu && vcpu_is_there(vms, vcpu) && vcpu->has_thread &&
	       vcpu->tid == record->tid && vcpu->start == record->start;
}

/* --- what is kept --- */

/* Make room for a slot. Returns it, or NULL without memory. */
static struct kept_counts *kept_get(struct vm_counters *all, uint32_t vm, uint32_t vcpu,
				    uint32_t slot)
{
	struct kept_counts wanted = { .vm = vm, .vcpu = vcpu, .slot = slot }, *grown;
	size_t at = sorted_bound(all->kept, all->nkept, sizeof(wanted), &wanted, kept_order);

	if (at < all->nkept && kept_order(&all->kept[at], &wanted) == 0)
		return &all->kept[at];
	grown = sorted_insert(all->kept, all->nkept, sizeof(wanted), at);
	if (!grown)
		return NULL;
	all->kept = grown;
	all->nkept++;
	grown[at] = wanted;
	return &grown[at];
}

int vm_counters_grow(struct vm_counters *all, const struct vms *vms, uint64_t until)
{
	struct pool *records = &all->counters->records;
	uint64_t known = 0, used = pool_used(records), wanted = RECORDS_CHUNK / 2;

	for (size_t i = 0; i < vms->n; i++)
		known += vms->list[i]->nvcpus;
	wanted += known > used ? known - used : 0;
	return pool_grow(records, wanted < records->limit ? (uint32_t)wanted : records->limit,
			 until);
}

int vm_counters_keep(struct vm_counters *all, uint32_t number)
{
	struct vcpu_counters *counters = all->counters;
	struct record *record = vcpu_counters_record(counters, number);
	const struct record_use *use = number < all->nuses ? &all->uses[number] : NULL;
	struct kept_counts *kept;

	if (!record || !use || !use->vm)
		return 0;
	/* first the room, so that nothing is kept in part */
	for (unsigned pass = 0; pass < 2; pass++) {
		for (unsigned slot = 0; slot < counters->nslots; slot++) {
			const struct block *block = vcpu_counters_block(counters, record, slot);

			if (!block)
				continue;
			kept = kept_get(all, use->vm, use->vcpu,
					reason_slots_home(&counters->slots, slot));
			if (!kept)
				return -ENOMEM;
			if (pass)
				block_add(&kept->sum, block, counters->state->epoch);
		}
		kept = kept_get(all, use->vm, use->vcpu, KEPT_GUEST_TIME);
		if (!kept)
			return -ENOMEM;
		kept->sum.time += pass ? record->guest_time : 0;
	}
	return 0;
}

/* --- sums --- */

/* The places of a VM or vCPU: first and number. */
static size_t places_of(const struct vm_counters *all, uint32_t vm, uint32_t vcpu, size_t *ret_n)
{
	struct record_place from = { .vm = vm, .vcpu = vcpu };
	struct record_place to = { .vm = vm,
				   .vcpu = vcpu ? vcpu : UINT32_MAX,
				   .record = UINT32_MAX };
	size_t first = sorted_bound(all->places, all->nplaces, sizeof(from), &from, place_order);
	size_t end = sorted_bound(all->places, all->nplaces, sizeof(to), &to, place_order);

	*ret_n = end - first;
	return first;
}

const struct record_place *vm_counters_places(const struct vm_counters *all, uint32_t vm,
					      uint32_t vcpu, size_t *ret_n)
{
	size_t first = places_of(all, vm, vcpu, ret_n);

	return *ret_n ? &all->places[first] : NULL;
}

/* What is kept of it, likewise. */
static size_t kept_of(const struct vm_counters *all, uint32_t vm, uint32_t vcpu, size_t *ret_n)
{
	struct kept_counts from = { .vm = vm, .vcpu = vcpu };
	struct kept_counts to = { .vm = vm, .vcpu = vcpu ? vcpu : UINT32_MAX, .slot = UINT32_MAX };
	size_t first = sorted_bound(all->kept, all->nkept, sizeof(from), &from, kept_order);
	size_t end = sorted_bound(all->kept, all->nkept, sizeof(to), &to, kept_order);

	*ret_n = end - first;
	return first;
}

/* Calls take() for each block of a VM or vCPU whose home is this slot; kept ones included. */
static void blocks_of(const struct vm_counters *all, uint32_t vm, uint32_t vcpu, unsigned home,
		      void (*take)(void *data, const struct block *block), void *data)
{
	const struct vcpu_counters *counters = all->counters;
	size_t n, at = places_of(all, vm, vcpu, &n);

	for (size_t i = at; i < at + n; i++) {
		struct record *record = vcpu_counters_record(counters, all->places[i].record);
		const struct block *block;

		block = record ? vcpu_counters_block(counters, record, home) : NULL;
		if (block)
			take(data, block);
		for (unsigned j = 0; record && j < counters->nstrays; j++) {
			unsigned stray = counters->strays[j];

			if (counters->slots.homes[stray] != home)
				continue;
			block = vcpu_counters_block(counters, record, stray);
			if (block)
				take(data, block);
		}
	}
	at = kept_of(all, vm, vcpu, &n);
	for (size_t i = at; i < at + n; i++) {
		if (all->kept[i].slot == home)
			take(data, &all->kept[i].sum);
	}
}

/* Blocks are summed up. */
struct summing {
	struct slot_sums sums;
	uint32_t epoch;
	unsigned bucket;
	uint64_t pairs;
};

static void sum_take(void *data, const struct block *block)
{
	struct summing *summing = data;

	slot_sums_add(&summing->sums, block, summing->epoch);
}

void vm_counters_sum(const struct vm_counters *all, uint32_t vm, uint32_t vcpu, unsigned home,
		     struct slot_sums *ret_sums)
{
	struct summing summing = { .epoch = all->counters->state ? all->counters->state->epoch :
								   0 };

	blocks_of(all, vm, vcpu, home, sum_take, &summing);
	*ret_sums = summing.sums;
}

static void bucket_take(void *data, const struct block *block)
{
	struct summing *summing = data;

	summing->pairs += block_bucket(block, summing->bucket);
}

uint64_t vm_counters_bucket(const struct vm_counters *all, uint32_t vm, unsigned home,
			    unsigned bucket)
{
	struct summing summing = { .bucket = bucket };

	blocks_of(all, vm, 0, home, bucket_take, &summing);
	return summing.pairs;
}

static void total_add(const struct vcpu_counters *counters, unsigned home,
		      const struct block *block, struct slot_sums *sums, struct slot_sums *halts)
{
	if (home >= counters->slots.n)
		return;
	slot_sums_add(sums, block, 0);
	if (counters->sleeps[home])
		slot_sums_add(halts, block, 0);
}

bool vm_counters_total(const struct vm_counters *all, uint32_t vm, uint32_t vcpu,
		       struct slot_sums *ret_sums, struct slot_sums *ret_halts,
		       uint64_t *ret_guest_time)
{
	const struct vcpu_counters *counters = all->counters;
	size_t n, nkept, at = places_of(all, vm, vcpu, &n);
	size_t kept = kept_of(all, vm, vcpu, &nkept);

	*ret_sums = *ret_halts = (struct slot_sums){ 0 };
	*ret_guest_time = 0;
	for (size_t i = at; i < at + n; i++) {
		struct record *record = vcpu_counters_record(counters, all->places[i].record);

		for_each_slot(counters, record, slot)
		{
			const struct block *block = vcpu_counters_block(counters, record, slot);

			if (block)
				total_add(counters, counters->slots.homes[slot] % COUNTER_SLOTS_MAX,
					  block, ret_sums, ret_halts);
		}
		*ret_guest_time += record ? record->guest_time : 0;
	}
	for (size_t i = kept; i < kept + nkept; i++) {
		const struct kept_counts *counts = &all->kept[i];

		if (counts->slot == KEPT_GUEST_TIME)
			*ret_guest_time += counts->sum.time;
		else
			total_add(counters, counts->slot, &counts->sum, ret_sums, ret_halts);
	}
	return n || nkept;
}

static uint32_t buckets_of(const struct block *block)
{
	uint32_t buckets = 0;

	for (unsigned i = 0; i < EXIT_BUCKETS; i++)
		buckets |= (uint32_t)(block_bucket(block, i) > 0) << i;
	return buckets;
}

void vm_counters_slots(const struct vm_counters *all, uint32_t vm, uint32_t vcpu,
		       struct slot_use ret_slots[COUNTER_SLOTS_MAX])
{
	const struct vcpu_counters *counters = all->counters;
	size_t n, at = places_of(all, vm, vcpu, &n);

	memset(ret_slots, 0, COUNTER_SLOTS_MAX * sizeof(*ret_slots));
	for (size_t i = at; i < at + n; i++) {
		struct record *record = vcpu_counters_record(counters, all->places[i].record);

		for_each_slot(counters, record, slot)
		{
			__u32 number = record_blocks(record)[slot];
			uint16_t home = counters->slots.homes[slot];

			/* a block since the last read has no home yet */
			if (!number || home >= COUNTER_SLOTS_MAX)
				continue;
			ret_slots[home].has = true;
			if (number < counters->nseen)
				ret_slots[home].buckets |= counters->seen[number];
		}
	}
	at = kept_of(all, vm, vcpu, &n);
	for (size_t i = at; i < at + n; i++) {
		if (all->kept[i].slot == KEPT_GUEST_TIME)
			continue;
		ret_slots[all->kept[i].slot].has = true;
		ret_slots[all->kept[i].slot].buckets |= buckets_of(&all->kept[i].sum);
	}
}
