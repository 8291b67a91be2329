// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* VMs' histograms: sums of what their vCPUs' gain from read to read. */
#include <errno.h>
#include <stdlib.h>

#include "engine/vm_counters.h"
#include "base/sorted_array.h"

static int compare(const void *element, const void *key)
{
	const struct exit_vm_key *a = &((const struct cells_taken_histogram *)element)->key;
	const struct exit_vm_key *b = key;
	int order = sorted_numbers(a->vcpu, b->vcpu);

	return order ? order : sorted_numbers(a->slot, b->slot);
}

/* What was taken of a histogram, made if it is new; NULL: no memory. */
static struct cells_taken_histogram *have_taken(struct cells_vms *all,
						const struct exit_vm_key *key)
{
	size_t at = sorted_bound(all->histograms, all->nhistograms, sizeof(*all->histograms), key,
				 compare);
	struct cells_taken_histogram *grown;

	if (at < all->nhistograms && compare(&all->histograms[at], key) == 0)
		return &all->histograms[at];
	grown = sorted_insert(all->histograms, all->nhistograms, sizeof(*grown), at);
	if (!grown)
		return NULL;
	all->histograms = grown;
	all->nhistograms++;
	grown[at] = (struct cells_taken_histogram){ .key = *key };
	return &grown[at];
}

void cells_histograms_begin(struct cells_vms *all)
{
	for (size_t i = 0; i < all->nhistograms; i++)
		all->histograms[i].there = false;
}

static void add(struct cells_vms *all, struct cells_histogram *to, const struct exit_buckets *now,
		const struct exit_buckets *before)
{
	for (unsigned i = 0; i < EXIT_BUCKETS; i++) {
		uint64_t count = now->count[i] - before->count[i];

		if (count && !to->id[i]) {
			to->id[i] = vms_next_number(&all->last_bucket_id);
			all->grown = true;
		}
		to->count[i] += count;
	}
}

int cells_histograms_take(struct cells_vms *all, const struct exit_vm_key *key,
			  const struct exit_buckets *buckets)
{
	const struct cells_place *place = cells_vms_place(all, key->vcpu);
	struct cells_taken_histogram *taken;
	struct cells_histogram **histogram;
	struct cells_vm *vm;

	if (key->slot >= all->nslots)
		return -EINVAL;
	taken = have_taken(all, key);
	if (!taken)
		return -ENOMEM;
	taken->there = true;
	if (!place)
		return taken->waits++ >= CELLS_WAITS;
	taken->waits = 0;
	vm = cells_vms_have(all, place->vm);
	if (!vm)
		return -ENOMEM;
	histogram = &vm->reason[key->slot].histogram;
	if (!*histogram)
		*histogram = calloc(1, sizeof(**histogram));
	if (!*histogram)
		return -ENOMEM;
	add(all, *histogram, buckets, &taken->buckets);
	taken->buckets = *buckets;
	return 0;
}

void cells_histograms_end(struct cells_vms *all)
{
	size_t n = 0;

	for (size_t i = 0; i < all->nhistograms; i++) {
		if (all->histograms[i].there)
			all->histograms[n++] = all->histograms[i];
	}
	all->nhistograms = n;
}
