// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Histograms of VMs' exit durations, if kvm.conf enables them: reading, and their table. */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/time_buckets.h"
#include "families/exit_common.h"
#include "kernel/map_dump.h"
#include "metrics/row_set.h"

static int map_fd(const struct exits *exits)
{
	struct bpf_object *object = exits->counters.object;
	const struct bpf_map *map =
		object ? bpf_object__find_map_by_name(object, "exit_vm_latency") : NULL;

	return map && exits->env.config->vm_histograms ? bpf_map__fd(map) : -ENOENT;
}

int exits_vm_latency_refresh(struct exits *exits)
{
	int fd = map_fd(exits), err = 0;
	struct map_keys read = { 0 };
	const struct exit_vm_key *keys;

	if (fd < 0)
		return 0;
	err = map_keys_read(fd, sizeof(*keys), &read);
	if (err) {
		map_keys_free(&read);
		return err;
	}
	keys = read.list;
	vm_histograms_begin(&exits->counters.vms);
	for (size_t i = 0; i < read.n; i++) {
		struct exit_buckets buckets;
		int ret;

		if (bpf_map_lookup_elem(fd, &keys[i], &buckets))
			continue;
		ret = vm_histograms_take(&exits->counters.vms, &keys[i], &buckets);
		if (ret > 0)
			bpf_map_delete_elem(fd, &keys[i]);
		if (ret == -ENOMEM)
			err = ret;
	}
	vm_histograms_end(&exits->counters.vms);
	exits->vm_histograms = read.n;
	map_keys_free(&read);
	return err;
}

void exits_vm_latency_map(const struct exits *exits, struct family_map *ret_map)
{
	const struct vcpu_counters *counters = &exits->counters;

	ret_map->limit = exits->env.config->vm_histograms;
	ret_map->used = exits->vm_histograms;
	ret_map->bytes = exits->vm_histograms *
			 (sizeof(struct exit_vm_key) + sizeof(struct exit_buckets));
	for (size_t cpu = 0; counters->overflow && cpu < counters->cpus->n; cpu++)
		ret_map->dropped += counters->overflow[cpu].vm_buckets;
}

/* --- the table --- */

/* Add the row of a bucket; its labels are the VM's and the reason. */
static int row_add(struct exits *exits, struct snapshot_table *table, const struct vm *vm,
		   unsigned slot, unsigned bucket, uint32_t id)
{
	const char *reason = vcpu_counters_reason_name(&exits->counters, slot),
		   *json = vm->labels->json;
	char name[512], bucket_name[TIME_BUCKET_NAME_SIZE];
	struct snapshot_labels *labels;
	char *text;
	int err;

	time_bucket_name(bucket, bucket_name);
	snprintf(name, sizeof(name), "%s::%s::%s", vm->name, reason, bucket_name);
	/* json is an object with at least the VM's name */
	if (asprintf(&text, "%.*s,\"reason\":\"%s\"}", (int)strlen(json) - 1, json, reason) < 0)
		return -ENOMEM;
	labels = snapshot_labels_new(text);
	free(text);
	if (!labels)
		return -ENOMEM;
	err = snapshot_table_add_row(table, id, name);
	if (!err)
		snapshot_row_label(&table->rows[snapshot_table_row(table, id)], labels);
	snapshot_labels_unref(labels);
	return err;
}

/* Instance numbers of rows to keep; snapshot_table_keep_rows() asks for each row. */
struct wanted {
	uint32_t *ids;
	size_t n;
};

static int compare_ids(const void *left, const void *right)
{
	const uint32_t *a = left, *b = right;

	return (*a > *b) - (*a < *b);
}

static bool is_wanted(uint32_t id, void *data)
{
	struct wanted *wanted = data;

	return bsearch(&id, wanted->ids, wanted->n, sizeof(id), compare_ids);
}

/* Call visit for each non-empty bucket of all present VMs. */
static int each_bucket(struct exits *exits,
		       int (*visit)(struct exits *exits, const struct vm *vm, unsigned slot,
				    unsigned bucket, const struct vm_histogram *histogram,
				    void *data),
		       void *data)
{
	const struct vms *vms = exits->env.vms;
	int err = 0;

	for (size_t i = 0; exits->reasons && i < vms->n; i++) {
		const struct vm *vm = vms->list[i];
		const struct vm_sums *sums = vm_counters_find(&exits->counters.vms, vm);

		if (!sums || !vm_is_there(vms, vm))
			continue;
		for (unsigned slot = 0; slot < exits->counters.nslots; slot++) {
			const struct vm_histogram *histogram = sums->reason[slot].histogram;

			for (unsigned j = 0; !err && histogram && j < EXIT_BUCKETS; j++) {
				if (histogram->id[j])
					err = visit(exits, vm, slot, j, histogram, data);
			}
		}
	}
	return err;
}

static int want(struct exits *exits, const struct vm *vm, unsigned slot, unsigned bucket,
		const struct vm_histogram *histogram, void *data)
{
	struct wanted *wanted = data;
	uint32_t *grown = reallocarray(wanted->ids, wanted->n + 1, sizeof(*grown));

	(void)exits, (void)vm, (void)slot;
	if (!grown)
		return -ENOMEM;
	wanted->ids = grown;
	grown[wanted->n++] = histogram->id[bucket];
	return 0;
}

static int add(struct exits *exits, const struct vm *vm, unsigned slot, unsigned bucket,
	       const struct vm_histogram *histogram, void *data)
{
	uint32_t id = histogram->id[bucket];

	return snapshot_table_row(data, id) >= 0 ? 0 : row_add(exits, data, vm, slot, bucket, id);
}

static int put(struct exits *exits, const struct vm *vm, unsigned slot, unsigned bucket,
	       const struct vm_histogram *histogram, void *data)
{
	int row = snapshot_table_row(data, histogram->id[bucket]);

	(void)exits, (void)vm, (void)slot;
	if (row >= 0)
		snapshot_cell_set(snapshot_table_cell(data, (size_t)row, 0),
				  histogram->count[bucket]);
	return 0;
}

int exits_vm_latency_sync(void *state, struct snapshot_table *table)
{
	struct wanted wanted = { 0 };
	int err = snapshot_once(snapshot_table_add_column(table, "latency"));

	if (!err)
		err = each_bucket(state, want, &wanted);
	if (!err) {
		if (wanted.n)
			qsort(wanted.ids, wanted.n, sizeof(*wanted.ids), compare_ids);
		snapshot_table_keep_rows(table, is_wanted, &wanted);
		err = each_bucket(state, add, table);
	}
	free(wanted.ids);
	return err;
}

int exits_vm_latency_read(void *state, struct snapshot_table *table)
{
	return each_bucket(state, put, table);
}
