// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The buckets of histogram statistics: each range once, even if several histograms have it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "families/stat/stat.h"

/* The index of the bucket with this name, which is added if missing. */
static uint32_t place_of(struct stat_buckets *buckets, uint32_t guess, const char *name)
{
	size_t at = 0;

	/* usually all histograms have the same buckets in the same order */
	if (guess < buckets->n && strcmp(buckets->names[guess], name) == 0)
		return guess;
	while (at < buckets->n && strcmp(buckets->names[at], name) != 0)
		at++;
	if (at == buckets->n) {
		strcpy(buckets->names[at], name); /* both buffers have the same size */
		buckets->host_number[at] = (uint32_t)at + 1;
		buckets->n++;
	}
	return (uint32_t)at;
}

static void list_places(struct stat_buckets *buckets, const struct stat_list *list,
			uint32_t *places)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct statistic *stat = &list->list[i];
		char name[STAT_BUCKET_NAME_SIZE];

		for (uint32_t bucket = 0; stat_is_histogram(stat) && bucket < stat->buckets;
		     bucket++) {
			stat_bucket_name(stat, bucket, name, sizeof(name));
			places[stat->first + bucket] = place_of(buckets, bucket, name);
		}
	}
}

int stat_buckets_init(const struct stat_layout *layout, struct stat_buckets *ret_buckets)
{
	size_t vm = layout->vm.nvalues, vcpu = layout->vcpu.nvalues;
	struct stat_buckets buckets = {
		.names = calloc(vm + vcpu + 1, sizeof(*buckets.names)),
		.host_number = calloc(vm + vcpu + 1, sizeof(*buckets.host_number)),
		.vm_place = calloc(vm + 1, sizeof(*buckets.vm_place)),
		.vcpu_place = calloc(vcpu + 1, sizeof(*buckets.vcpu_place)),
	};

	if (!buckets.names || !buckets.host_number || !buckets.vm_place || !buckets.vcpu_place) {
		stat_buckets_free(&buckets);
		return -ENOMEM;
	}
	list_places(&buckets, &layout->vm, buckets.vm_place);
	list_places(&buckets, &layout->vcpu, buckets.vcpu_place);
	*ret_buckets = buckets;
	return 0;
}

void stat_buckets_free(struct stat_buckets *buckets)
{
	free(buckets->names);
	free(buckets->host_number);
	free(buckets->vm_place);
	free(buckets->vcpu_place);
	*buckets = (struct stat_buckets){ 0 };
}

/* Number new non-empty buckets of one VM or vCPU. */
static bool number(struct vms *vms, const struct stat_list *list, const uint64_t *values,
		   const uint32_t *places, uint32_t *numbers)
{
	bool fresh = false;

	for (size_t i = 0; i < list->n; i++) {
		const struct statistic *stat = &list->list[i];

		for (uint32_t value = stat->first;
		     stat_is_histogram(stat) && value < stat->first + stat->buckets; value++) {
			uint32_t *own = &numbers[places[value]];

			if (!values[value] || *own)
				continue;
			*own = vms_bucket_number(vms);
			fresh = true;
		}
	}
	return fresh;
}

bool stat_buckets_number(struct stat_family *family)
{
	const struct stat_layout *layout = family->layout;
	const struct stat_buckets *buckets = &family->buckets;
	struct vms *vms = family->env.vms;
	bool fresh = false;

	for (size_t i = 0; layout && i < vms->n; i++) {
		struct vm *vm = vms->list[i];

		fresh |= number(vms, &layout->vm, vm->values, buckets->vm_place, vm->buckets);
		fresh |= number(vms, &layout->vcpu, vm->sum, buckets->vcpu_place, vm->buckets);
		for (size_t j = 0; j < vm->nvcpus; j++)
			fresh |= number(vms, &layout->vcpu, vm->vcpus[j].values,
					buckets->vcpu_place, vm->vcpus[j].buckets);
	}
	return fresh;
}
