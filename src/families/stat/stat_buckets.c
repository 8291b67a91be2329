// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The buckets of histogram statistics: each range once, even if several histograms have it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sorted_array.h"
#include "families/stat/stat.h"

static struct stat_bucket bucket_of(const struct statistic *stat, uint32_t number)
{
	struct stat_bucket bucket = { .name = "" };

	if (!stat_bucket_range(stat, number, &bucket.range)) {
		bucket.range = (struct snapshot_range){ UINT64_MAX, number };
		snprintf(bucket.name, sizeof(bucket.name), "bucket-%" PRIu32, number);
	}
	return bucket;
}

/* Buckets of unknown range come last, by number. */
static int bucket_compare(const void *left, const void *right)
{
	const struct stat_bucket *a = left, *b = right;
	int order = (*a->name != 0) - (*b->name != 0);

	if (!order)
		order = sorted_numbers(a->range.first, b->range.first);
	return order ? order : sorted_numbers(a->range.last, b->range.last);
}

static void list_add(struct stat_buckets *buckets, const struct stat_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct statistic *stat = &list->list[i];

		for (uint32_t j = 0; stat_is_histogram(stat) && j < stat->buckets; j++)
			buckets->list[buckets->n++] = bucket_of(stat, j);
	}
}

static void sort_once(struct stat_buckets *buckets)
{
	size_t n = 0;

	qsort(buckets->list, buckets->n, sizeof(*buckets->list), bucket_compare);
	for (size_t i = 0; i < buckets->n; i++) {
		if (!n || bucket_compare(&buckets->list[n - 1], &buckets->list[i]) != 0)
			buckets->list[n++] = buckets->list[i];
	}
	buckets->n = n;
}

static void places_make(const struct stat_buckets *buckets, const struct stat_list *list,
			uint32_t *places)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct statistic *stat = &list->list[i];

		for (uint32_t j = 0; stat_is_histogram(stat) && j < stat->buckets; j++) {
			struct stat_bucket bucket = bucket_of(stat, j);
			const struct stat_bucket *found = bsearch(
				&bucket, buckets->list, buckets->n, sizeof(bucket), bucket_compare);

			places[stat->first + j] = (uint32_t)(found - buckets->list);
		}
	}
}

int stat_buckets_init(const struct stat_layout *layout, struct stat_buckets *ret_buckets)
{
	size_t vm = layout->vm.nvalues, vcpu = layout->vcpu.nvalues;
	struct stat_buckets buckets = {
		.list = calloc(vm + vcpu + 1, sizeof(*buckets.list)),
		.vm_place = calloc(vm + 1, sizeof(*buckets.vm_place)),
		.vcpu_place = calloc(vcpu + 1, sizeof(*buckets.vcpu_place)),
	};

	if (!buckets.list || !buckets.vm_place || !buckets.vcpu_place) {
		stat_buckets_free(&buckets);
		return -ENOMEM;
	}
	list_add(&buckets, &layout->vm);
	list_add(&buckets, &layout->vcpu);
	sort_once(&buckets);
	places_make(&buckets, &layout->vm, buckets.vm_place);
	places_make(&buckets, &layout->vcpu, buckets.vcpu_place);
	*ret_buckets = buckets;
	return 0;
}

void stat_buckets_free(struct stat_buckets *buckets)
{
	free(buckets->list);
	free(buckets->vm_place);
	free(buckets->vcpu_place);
	*buckets = (struct stat_buckets){ 0 };
}

static size_t mark(bool *seen, const struct stat_list *list, const uint64_t *values,
		   const uint32_t *places)
{
	size_t n = 0;

	for (size_t i = 0; i < list->n; i++) {
		const struct statistic *stat = &list->list[i];

		if (!stat_is_histogram(stat))
			continue;
		for (uint32_t value = stat->first; value < stat->first + stat->buckets; value++) {
			bool *own = &seen[places[value]];

			n += values[value] && !*own;
			*own |= values[value] != 0;
		}
	}
	return n;
}

size_t stat_buckets_seen(const struct stat_family *family, const uint64_t *vm, const uint64_t *vcpu)
{
	const struct stat_layout *layout = family->layout;
	size_t n = 0;

	memset(family->seen, 0, family->buckets.n * sizeof(*family->seen));
	if (vm)
		n += mark(family->seen, &layout->vm, vm, family->buckets.vm_place);
	return n + mark(family->seen, &layout->vcpu, vcpu, family->buckets.vcpu_place);
}

size_t stat_buckets_count(const struct stat_family *family)
{
	const struct vms *vms = family->env.vms;
	size_t n = 0;

	for (size_t i = 0; family->layout && i < vms->n; i++) {
		const struct vm *vm = vms->list[i];
		const struct stat_vm *stat = stat_vm_of(vm);

		if (!stat)
			continue;
		n += stat_buckets_seen(family, stat->values, stat->sum);
		for (size_t j = 0; j < vm->nvcpus; j++) {
			const struct stat_vcpu *vcpu = stat_vcpu_of(&vm->vcpus[j]);

			if (vcpu)
				n += stat_buckets_seen(family, NULL, vcpu->values);
		}
	}
	return n;
}
