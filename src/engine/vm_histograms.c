// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Histograms of VMs: sums of the increases of their vCPUs' histograms from read to read. */
#include <errno.h>
#include <stdlib.h>

#include "engine/vm_counters.h"
#include "base/sorted_array.h"

static int compare(const void *element, const void *key)
{
	const struct exit_vm_key *a = &((const struct taken_histogram *)element)->key;
	const struct exit_vm_key *b = key;
	int order = sorted_numbers(a->vcpu, b->vcpu);

	return order ? order : sorted_numbers(a->slot, b->slot);
}

/* The taken state of a histogram, created if it is new; NULL without memory. */
static struct taken_histogram *get_taken(struct vm_counters *all, const struct exit_vm_key *key)
{
	size_t at = sorted_bound(all->histograms, all->nhistograms, sizeof(*all->histograms), key,
				 compare);
	struct taken_histogram *grown;

	if (at < all->nhistograms && compare(&all->histograms[at], key) == 0)
		return &all->histograms[at];
	grown = sorted_insert(all->histograms, all->nhistograms, sizeof(*grown), at);
	if (!grown)
		return NULL;
	all->histograms = grown;
	all->nhistograms++;
	grown[at] = (struct taken_histogram){ .key = *key };
	return &grown[at];
}

void vm_histograms_begin(struct vm_counters *all)
{
	for (size_t i = 0; i < all->nhistograms; i++)
		all->histograms[i].present = false;
}

static void add(struct vm_counters *all, struct vm_histogram *to, const struct exit_buckets *now,
		const struct exit_buckets *before)
{
	for (unsigned i = 0; i < EXIT_BUCKETS; i++) {
		uint64_t count = now->count[i] - before->count[i];

		all->grown |= count && !to->count[i];
		to->count[i] += count;
	}
}

int vm_histograms_take(struct vm_counters *all, const struct exit_vm_key *key, unsigned home,
		       const struct exit_buckets *buckets)
{
	const struct vcpu_place *place = vm_counters_place(all, key->vcpu);
	struct taken_histogram *taken;
	struct vm_histogram **histogram;
	struct vm_sums *vm;

	taken = get_taken(all, key);
	if (!taken)
		return -ENOMEM;
	taken->present = true;
	if (!place)
		return taken->waits++ >= VCPU_WAITS;
	taken->waits = 0;
	vm = vm_counters_get(all, place->vm);
	if (!vm)
		return -ENOMEM;
	histogram = &vm->reason[home].histogram;
	if (!*histogram)
		*histogram = calloc(1, sizeof(**histogram));
	if (!*histogram)
		return -ENOMEM;
	add(all, *histogram, buckets, &taken->buckets);
	taken->buckets = *buckets;
	return 0;
}

void vm_histograms_end(struct vm_counters *all)
{
	size_t n = 0;

	for (size_t i = 0; i < all->nhistograms; i++) {
		if (all->histograms[i].present)
			all->histograms[n++] = all->histograms[i];
	}
	all->nhistograms = n;
}
