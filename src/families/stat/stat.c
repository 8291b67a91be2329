// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * The stat family: KVM's own statistics, read by the iterator of bpf/stat.bpf.c, or host totals
 * from debugfs if the iterator cannot run.
 */
#define _GNU_SOURCE
#include "families/stat/stat.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "kernel/privileges.h"

/* An iterator's read returns up to 8 pages, which is 512 KiB with pages of 64 KiB. */
#define RECORDS_BYTES (1024 * 1024)

_Static_assert(STAT_NO_OFFSET == STAT_NOT_THERE, "STAT_NO_OFFSET differs from STAT_NOT_THERE");

/* The register's ended hook. */
static void vm_ended(const struct vm *vm, void *data)
{
	struct stat_family *family = data;

	stat_totals_ended(vm, &family->totals);
}

/* --- passes --- */

/* Take all complete records of a buffer; returns their size in bytes. */
static size_t records_take(struct stat_family *family, const char *records, size_t size)
{
	size_t at = 0;

	while (size - at >= sizeof(struct stat_record)) {
		struct stat_record record;

		memcpy(&record, records + at, sizeof(record));
		if (size - at - sizeof(record) < record.bytes)
			break;
		/* a record that cannot be taken is treated as not seen */
		vms_see(family->env.vms, &record, records + at + sizeof(record));
		at += sizeof(record) + record.bytes;
	}
	return at;
}

/* Read all records of an iterator. Returns 0 or an error. */
static int records_read(struct stat_family *family, int fd)
{
	size_t have = 0;

	for (;;) {
		ssize_t got = read(fd, family->records + have, RECORDS_BYTES - have);
		size_t taken;

		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got <= 0)
			return got ? -errno : 0;
		have += (size_t)got;
		taken = records_take(family, family->records, have);
		have -= taken;
		memmove(family->records, family->records + taken, have);
	}
}

/* A failed pass says nothing about what is gone: the state after the previous pass stays. */
static bool pass(struct stat_family *family)
{
	int fd = bpf_iter_create(bpf_link__fd(family->link)), err;

	family->ticked = clock_ns();
	if (fd < 0)
		return false;
	vms_begin(family->env.vms);
	err = records_read(family, fd);
	close(fd);
	if (err) {
		vms_cancel(family->env.vms);
		return false;
	}
	vms_end(family->env.vms);
	return true;
}

/* debugfs sums over living VMs: a decrease is what destroyed VMs had counted. */
static void debugfs_pass(struct stat_family *family)
{
	struct stat_totals *totals = &family->totals;
	const struct stat_list *list = &family->layout->vm;
	size_t bytes = list->nvalues * sizeof(*family->host);

	family->ticked = clock_ns();
	memcpy(totals->kept, family->host, bytes);
	stat_debugfs_read(family->env.config->debugfs, family->layout, family->host);
	stat_add_missing(list, totals->kept, family->host, totals->ended);
	memcpy(totals->now, totals->ended, bytes);
	stat_add(list, family->host, false, totals->now);
	totals->counted = true;
}

static void source_pass(void *data)
{
	struct stat_family *family = data;
	struct stat_totals *totals = &family->totals;

	if (family->source == STAT_DEBUGFS)
		debugfs_pass(family);
	if (family->source != STAT_ITERATOR)
		return;
	if (!pass(family))
		return;
	/* a VM that an earlier agent knew is destroyed only if two passes miss it */
	if (totals->vms_fd >= 0 && !totals->taken_over && !pass(family))
		return;
	stat_totals_sum(totals, family->env.vms);
}

static int stat_refresh(void *state)
{
	struct stat_family *family = state;
	bool numbered, changed;

	vms_refresh(family->env.vms);
	numbered = stat_buckets_number(family);
	changed = family->env.vms->changes != family->vms_changes;
	family->vms_changes = family->env.vms->changes;
	return numbered || changed;
}

/* Make passes even without fetches: what a VM counts between the last pass and its end is lost. */
static void stat_tick(void *state, struct report *report)
{
	struct stat_family *family = state;

	(void)report;
	if (clock_ns() - family->ticked >= CLOCK_TICK_NS)
		source_pass(family);
}

/* --- attaching --- */

static void detach(struct stat_family *family)
{
	bpf_link__destroy(family->link);
	family->link = NULL;
	/* hide all VMs by an empty pass; those that exist at the next attach are still the same */
	if (family->source == STAT_ITERATOR)
		vms_begin(family->env.vms);
	family->env.vms->changes++;
	family->source = STAT_NOWHERE;
}

static void stat_detach(void *state)
{
	detach(state);
}

/* Columns belong to no layout until the next sync. */
static void columns_forget(struct stat_family *family)
{
	for (int i = 0; i < STAT_TABLES; i++) {
		free(family->columns[i].list);
		family->columns[i] = (struct stat_columns){ 0 };
	}
}

/* Switch to a layout; totals continue from those of the previous layout. */
static int layout_use(struct stat_family *family, struct stat_layout *fresh)
{
	struct stat_layout *layout = malloc(sizeof(*layout));
	struct stat_buckets buckets = { 0 };
	struct stat_totals totals = { 0 };
	uint64_t *host = NULL;
	int err = layout ? stat_buckets_init(fresh, &buckets) : -ENOMEM;

	if (!err) {
		*layout = *fresh;
		err = stat_totals_init(layout, &totals);
	}
	if (!err) {
		host = calloc(fresh->vm.nvalues + 1, sizeof(*host));
		err = host ? 0 : -ENOMEM;
	}
	/* KVM was unloaded in between, so all VMs of the old layout are destroyed */
	if (!err && family->layout)
		vms_end_all(family->env.vms);
	if (!err)
		err = vms_set_layout(family->env.vms, layout, buckets.n);
	if (err) {
		free(host);
		stat_totals_free(&totals);
		stat_buckets_free(&buckets);
		free(layout);
		return err;
	}
	if (family->layout) {
		stat_totals_inherit(&totals, &family->totals);
		stat_totals_free(&family->totals);
		stat_layout_free(family->layout);
		free(family->layout);
	}
	columns_forget(family);
	stat_buckets_free(&family->buckets);
	free(family->host);
	family->layout = layout;
	family->buckets = buckets;
	family->totals = totals;
	family->host = host;
	return 0;
}

/* Set offsets and sizes, and load the object. */
static int object_load(struct stat_family *family)
{
	const struct stat_layout *layout = family->layout;
	struct stat_offsets offsets = {
		.vm_stat = layout->vm_stat,
		.vm_stat_bytes = layout->vm.bytes,
		.vm_creator = layout->vm_userspace_pid,
		.vm_debugfs_dentry = layout->vm_debugfs_dentry,
		.vcpu_stat = layout->vcpu_stat,
		.vcpu_stat_bytes = layout->vcpu.bytes,
		.vcpu_kvm = layout->vcpu_kvm,
		.vcpu_id = layout->vcpu_id,
		.vcpu_pid = layout->vcpu_pid,
	};
	struct bpf_map *rodata, *ended, *vms;
	int err;

	family->object = bpf_object__open_mem(family->env.image, family->env.image_size, NULL);
	if (!family->object)
		return -errno;
	rodata = bpf_object__find_map_by_name(family->object, ".rodata");
	ended = bpf_object__find_map_by_name(family->object, "stat_ended");
	vms = bpf_object__find_map_by_name(family->object, "stat_vms");
	if (!rodata || !ended || !vms)
		return -ENOENT;
	err = bpf_map__set_initial_value(rodata, &offsets, sizeof(offsets));
	if (!err)
		err = bpf_map__set_value_size(ended, stat_totals_bytes(layout));
	if (!err)
		err = bpf_map__set_value_size(vms, stat_totals_bytes(layout));
	if (!err)
		err = bpf_map__set_max_entries(vms, family->env.config->vms);
	return err ? err :
		     pins_load(family->env.pins, family->object, STAT_LAYOUT, family->env.report);
}

/* Keep totals in the maps. An earlier agent's maps are taken over once, at the first load. */
static void keep_totals(struct stat_family *family)
{
	bool take_over = !family->taken_over;
	struct bpf_map *ended = bpf_object__find_map_by_name(family->object, "stat_ended");
	struct bpf_map *vms = bpf_object__find_map_by_name(family->object, "stat_vms");

	if (!family->env.pins)
		return; /* unpinned maps die with this agent */
	family->taken_over = true;
	if (stat_totals_keep(&family->totals, bpf_map__fd(ended), bpf_map__fd(vms), take_over))
		report_add(family->env.report, REPORT_INFO,
			   "stat: pinned totals have other statistics: discarded, starting at 0");
}

static int link_make(struct stat_family *family)
{
	struct bpf_program *program = bpf_object__find_program_by_name(family->object,
								       "stat_files");

	family->link = program ? bpf_program__attach_iter(program, NULL) : NULL;
	if (!family->link)
		return program ? -errno : -ENOENT;
	family->source = STAT_ITERATOR;
	pins_generation(family->object, 1);
	return 0;
}

static int iterator_load(struct stat_family *family, struct stat_layout *fresh)
{
	int err;

	/* on failure kinds and units stay as in stat_items.def */
	stat_layout_describe("/dev/kvm", fresh);
	err = layout_use(family, fresh);
	if (err) {
		stat_layout_free(fresh);
		return err;
	}
	bpf_object__close(family->object);
	family->object = NULL;
	err = object_load(family);
	if (err) {
		bpf_object__close(family->object);
		family->object = NULL;
		return err;
	}
	keep_totals(family);
	return 0;
}

/* The message for an error from stat_layout_kvm() or stat_layout_read(). */
static const char *layout_error_text(int err)
{
	if (err == -ENOENT)
		return "KVM is not loaded";
	if (err == -ENODATA)
		return "this kernel has no type information (BTF) for KVM";
	return err == -EINVAL ? "KVM's types have an unknown layout" : strerror(-err);
}

static int iterator_attach(struct stat_family *family, char **ret_error)
{
	struct stat_layout fresh;
	int err = stat_layout_kvm(STAT_MODULE_DIR, EVENTS_BTF_DIR);

	if (!err) {
		err = stat_layout_read(EVENTS_BTF_DIR, &fresh);
		if (err == -ENOENT)
			err = -ENODATA;
	}
	malloc_trim(0); /* parsing BTF took megabytes */
	if (err) {
		*ret_error = strdup(layout_error_text(err));
		if (err == -ENODATA)
			err = -ENOENT; /* callers do not treat this as a fault either */
		return err;
	}
	if (family->object && stat_layout_equal(family->layout, &fresh)) {
		stat_layout_free(&fresh);
	} else {
		detach(family);
		err = iterator_load(family, &fresh);
	}
	if (!err && !family->link)
		err = link_make(family);
	if (err)
		*ret_error = privs_load_text(err, family->env.config->lockdown);
	return err;
}

static int debugfs_attach(struct stat_family *family)
{
	struct stat_layout fresh;
	int err = stat_debugfs_layout(family->env.config->debugfs, &fresh);

	if (err)
		return err;
	if (family->layout && stat_layout_equal(family->layout, &fresh)) {
		stat_layout_free(&fresh);
	} else {
		err = layout_use(family, &fresh);
		if (err) {
			stat_layout_free(&fresh);
			return err;
		}
	}
	family->source = STAT_DEBUGFS;
	return 0;
}

static int stat_attach(void *state, struct report *report, char **ret_error)
{
	struct stat_family *family = state;
	enum stat_source before = family->source;
	int err;

	family->env.report = report;
	err = iterator_attach(family, ret_error);
	if (err && family->source == STAT_ITERATOR)
		detach(family); /* it was attached to a KVM that is gone */
	if (err && debugfs_attach(family) == 0) {
		if (before != STAT_DEBUGFS)
			report_add(report, REPORT_INFO, "stat: only host totals, from debugfs: %s",
				   *ret_error ? *ret_error : strerror(-err));
		free(*ret_error);
		*ret_error = NULL;
		err = 0;
	} else if (err) {
		family->source = STAT_NOWHERE;
	}
	if (!err)
		source_pass(family);
	stat_buckets_number(family);
	family->env.report = NULL;
	return err;
}

static void stat_close(void *state)
{
	struct stat_family *family = state;

	if (!family)
		return;
	bpf_link__destroy(family->link);
	bpf_object__close(family->object);
	columns_forget(family);
	stat_totals_free(&family->totals);
	stat_buckets_free(&family->buckets);
	if (family->layout)
		stat_layout_free(family->layout);
	free(family->layout);
	free(family->host);
	free(family->records);
	free(family);
}

static int stat_open(const struct family_env *env, void **ret_state, char **ret_error)
{
	struct stat_family *family = calloc(1, sizeof(*family));

	(void)ret_error;
	if (family)
		family->records = malloc(RECORDS_BYTES);
	if (!family || !family->records) {
		free(family);
		return -ENOMEM;
	}
	family->env = *env;
	family->env.report = NULL;
	env->vms->make_pass = source_pass;
	env->vms->ended = vm_ended;
	env->vms->data = family;
	*ret_state = family;
	return 0;
}

static int stat_missed(void *state, uint64_t *ret_missed)
{
	(void)state;
	(void)ret_missed;
	return -ENODATA; /* an iterator runs only when it is read, so no run is skipped */
}

static uint64_t stat_generation(void *state)
{
	struct stat_family *family = state;

	return family->object ? pins_generation(family->object, 0) : 0;
}

static int stat_map(void *state, size_t number, struct family_map *ret_map)
{
	struct stat_family *family = state;
	const struct stat_totals *totals = &family->totals;

	if (number || !family->object)
		return -ENOENT;
	*ret_map = (struct family_map){
		.name = "stat_vms",
		.limit = family->env.config->vms,
		.used = totals->nkept,
		.bytes = totals->nkept *
			 (sizeof(struct stat_vm_key) + stat_totals_bytes(family->layout)),
		.dropped = totals->dropped,
	};
	return 0;
}

extern const struct family_ops stat_family;

const struct family_ops stat_family = {
	.open = stat_open,
	.attach = stat_attach,
	.detach = stat_detach,
	.close = stat_close,
	.missed = stat_missed,
	.generation = stat_generation,
	.map = stat_map,
	.refresh = stat_refresh,
	.tick = stat_tick,
	.tables = stat_tables,
	.ntables = STAT_FAMILY_TABLES,
};
