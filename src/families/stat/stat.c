// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * The stat family: KVM's own statistics, from the register's passes, or host totals from debugfs
 * if no pass can be made.
 */
#define _GNU_SOURCE
#include "families/stat/stat.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bpf/stat.h"
#include "kernel/privileges.h"
#include "stat.skel.h"
#include "vms/vm_passes.h"

/* --- what the register tells --- */

/* Are the members in records those of our layout, and wanted? */
static bool takes_members(const struct stat_family *family)
{
	return family->source == STAT_ITERATOR && family->layout == vms_layout(family->env.vms);
}

static int member_seen(void *data, struct vm *vm, struct vcpu *vcpu, const void *member)
{
	struct stat_family *family = data;

	return takes_members(family) ?
		       stat_vms_seen(family->layout, family->scratch, vm, vcpu, member) :
		       0;
}

static void member_ended(void *data, struct vm *vm, struct vcpu *vcpu)
{
	struct stat_family *family = data;

	if (vcpu) {
		stat_vms_vcpu_ended(family->layout, vm, vcpu);
		return;
	}
	stat_totals_ended(&family->totals, vm);
	stat_vms_free(vm);
}

static void passed(void *data, bool complete)
{
	struct stat_family *family = data;

	if (!takes_members(family))
		return;
	if (!complete) {
		stat_totals_sum_vms(&family->totals, family->env.vms);
		return;
	}
	family->passes++;
	/* a VM of an earlier agent that a single pass misses is not destroyed yet */
	if (family->totals.vms_fd >= 0 && !family->totals.taken_over && family->passes < 2)
		return;
	stat_totals_sum(&family->totals, family->env.vms);
}

/* --- reading --- */

/* debugfs sums over living VMs, so a total falls by the values of a destroyed one. */
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

static int stat_refresh(void *state, uint64_t wanted)
{
	struct stat_family *family = state;
	const uint64_t histograms = 1U << STAT_VM_HIST | 1U << STAT_VCPU_HIST;
	size_t nseen;

	vms_refresh(family->env.vms);
	if (takes_members(family) && !family->totals.counted)
		vms_pass(family->env.vms); /* totals take two, see passed() */
	if (family->source == STAT_DEBUGFS)
		debugfs_pass(family);
	if (!(wanted & histograms))
		return 0; /* their rows alone can have changed */
	nseen = stat_buckets_count(family);
	if (nseen == family->nseen)
		return 0;
	family->nseen = nseen;
	return 1;
}

/* What ends between two passes is lost from debugfs' totals. */
static void stat_tick(void *state, struct report *report)
{
	struct stat_family *family = state;

	(void)report;
	if (family->source == STAT_DEBUGFS && clock_ns() - family->ticked >= CLOCK_TICK_NS)
		debugfs_pass(family);
}

/* --- attaching --- */

static void stat_detach(void *state)
{
	struct stat_family *family = state;

	family->source = STAT_NOWHERE;
}

/* The tables have columns of the old layout until they are synced. */
static void columns_forget(struct stat_family *family)
{
	for (int i = 0; i < STAT_TABLES; i++)
		stat_columns_free(&family->columns[i]);
}

/* What depends on a layout. */
struct parts {
	struct stat_buckets buckets;
	struct stat_totals totals;
	uint64_t *host, *scratch;
	bool *seen;
};

static void parts_free(struct parts *parts)
{
	stat_totals_free(&parts->totals);
	stat_buckets_free(&parts->buckets);
	free(parts->host);
	free(parts->scratch);
	free(parts->seen);
}

static int parts_make(const struct stat_layout *layout, struct parts *parts)
{
	int err;

	*parts = (struct parts){ .totals = { .ended_fd = -1, .vms_fd = -1 } };
	err = stat_buckets_init(layout, &parts->buckets);
	if (!err)
		err = stat_totals_init(layout, &parts->totals);
	if (err)
		return err;
	parts->host = calloc(layout->vm.nvalues + 1, sizeof(*parts->host));
	parts->scratch = calloc(layout->vm.nvalues + layout->vcpu.nvalues + 1,
				sizeof(*parts->scratch));
	parts->seen = calloc(parts->buckets.n + 1, sizeof(*parts->seen));
	return parts->host && parts->scratch && parts->seen ? 0 : -ENOMEM;
}

/*
 * Use a layout, of which a reference becomes the family's; totals continue from those of the one
 * before, of which no VM is left. On -ENOMEM all is as before.
 */
static int layout_use(struct stat_family *family, struct stat_layout *layout)
{
	struct parts parts;
	int err = parts_make(layout, &parts);

	if (err) {
		parts_free(&parts);
		return err;
	}
	if (family->layout) {
		stat_totals_inherit(&parts.totals, &family->totals);
		parts_free(&(struct parts){ family->buckets, family->totals, family->host,
					    family->scratch, family->seen });
		stat_layout_unref(family->layout);
	}
	columns_forget(family);
	family->layout = layout;
	family->buckets = parts.buckets;
	family->totals = parts.totals;
	family->host = parts.host;
	family->scratch = parts.scratch;
	family->seen = parts.seen;
	family->nseen = 0;
	return 0;
}

static bool is_reading(const struct stat_family *family)
{
	return family->env.pins && family->env.pins->reading;
}

/* Set sizes, and load the maps, or read those of the agent that runs. */
static int object_load(struct stat_family *family)
{
	uint32_t bytes = stat_totals_bytes(family->layout);
	struct stat_bpf *skeleton = stat_bpf__open();
	struct pinned pinned;
	int err;

	if (!skeleton)
		return -errno;
	family->skeleton = skeleton;
	err = bpf_map__set_value_size(skeleton->maps.stat_ended, bytes);
	if (!err)
		err = bpf_map__set_value_size(skeleton->maps.stat_vms, bytes);
	if (!err)
		err = bpf_map__set_max_entries(skeleton->maps.stat_vms, family->env.config->vms);
	if (err)
		return err;
	pinned = (struct pinned){ skeleton->skeleton, skeleton->maps.stat_meta, STAT_LAYOUT };
	if (!is_reading(family))
		return pins_load(family->env.pins, &pinned, family->env.report);
	/* without the agent's counts of destroyed VMs totals are those of the VMs that run */
	err = pins_read(family->env.pins, &pinned, family->env.report);
	return err == -ENOENT || err == -ESTALE ? 0 : err;
}

/* Keep totals in the maps. An earlier agent's maps are taken over once, at the first load. */
static void keep_totals(struct stat_family *family)
{
	bool take_over = !family->taken_over;
	const struct stat_bpf *skeleton = family->skeleton;

	family->passes = 0;
	if (!family->env.pins)
		return; /* unpinned maps die with this agent */
	if (is_reading(family)) {
		stat_totals_watch(&family->totals, bpf_map__fd(skeleton->maps.stat_ended));
		return;
	}
	family->taken_over = true;
	if (stat_totals_keep(&family->totals, bpf_map__fd(skeleton->maps.stat_ended),
			     bpf_map__fd(skeleton->maps.stat_vms), take_over))
		report_add(family->env.report, REPORT_INFO,
			   "stat: pinned totals have other statistics: discarded, starting at 0");
}

static void object_close(struct stat_family *family)
{
	stat_bpf__destroy(family->skeleton);
	family->skeleton = NULL;
}

/* Take the statistics that the register's passes have read. */
static int passes_attach(struct stat_family *family, char **ret_error)
{
	struct stat_layout *layout = vms_layout(family->env.vms);
	const char *error;
	int err = vms_attached(family->env.vms, &error);

	if (err) {
		*ret_error = error ? strdup(error) : NULL;
		return err;
	}
	if (family->layout != layout || !family->skeleton) {
		family->source = STAT_NOWHERE;
		err = layout_use(family, stat_layout_ref(layout));
		if (err) {
			stat_layout_unref(layout);
			return err;
		}
		object_close(family);
		err = object_load(family);
		if (err) {
			object_close(family);
			*ret_error = privs_load_text(err, family->env.config->lockdown);
			return err;
		}
		keep_totals(family);
	}
	if (family->source != STAT_ITERATOR && !is_reading(family))
		pins_generation(family->skeleton->maps.stat_meta, 1);
	family->source = STAT_ITERATOR;
	/* what an earlier agent has left is taken over at the second */
	vms_pass(family->env.vms);
	if (family->totals.vms_fd >= 0 && !family->totals.taken_over)
		vms_pass(family->env.vms);
	return 0;
}

static int debugfs_attach(struct stat_family *family)
{
	struct stat_layout fresh, *layout;
	int err = stat_debugfs_layout(family->env.config->debugfs, &fresh);

	if (err)
		return err;
	if (family->layout && stat_layout_equal(family->layout, &fresh)) {
		stat_layout_free(&fresh);
	} else {
		layout = stat_layout_share(&fresh);
		if (!layout) {
			stat_layout_free(&fresh);
			return -ENOMEM;
		}
		err = layout_use(family, layout);
		if (err) {
			stat_layout_unref(layout);
			return err;
		}
	}
	family->source = STAT_DEBUGFS;
	debugfs_pass(family);
	return 0;
}

static int stat_attach(void *state, struct report *report, char **ret_error)
{
	struct stat_family *family = state;
	enum stat_source before = family->source;
	int err;

	family->env.report = report;
	err = passes_attach(family, ret_error);
	if (err)
		family->source = STAT_NOWHERE;
	if (err && debugfs_attach(family) == 0) {
		if (before != STAT_DEBUGFS)
			report_add(report, REPORT_INFO, "stat: only host totals, from debugfs: %s",
				   *ret_error ? *ret_error : strerror(-err));
		free(*ret_error);
		*ret_error = NULL;
		err = 0;
	}
	family->env.report = NULL;
	return err;
}

/* What hangs on VMs goes with this family. */
static void unhang(struct vms *vms)
{
	for (size_t i = 0; i < vms->n; i++) {
		struct vm *vm = vms->list[i];

		for (size_t j = 0; j < vm->nvcpus; j++)
			stat_vms_vcpu_free(&vm->vcpus[j]);
		stat_vms_free(vm);
	}
	vms->listener = NULL;
}

static void stat_close(void *state)
{
	struct stat_family *family = state;

	if (!family)
		return;
	unhang(family->env.vms);
	object_close(family);
	columns_forget(family);
	parts_free(&(struct parts){ family->buckets, family->totals, family->host, family->scratch,
				    family->seen });
	stat_layout_unref(family->layout);
	free(family);
}

static int stat_open(const struct family_env *env, void **ret_state, char **ret_error)
{
	struct stat_family *family = calloc(1, sizeof(*family));

	(void)ret_error;
	if (!family)
		return -ENOMEM;
	family->env = *env;
	family->env.report = NULL;
	family->listener = (struct vms_listener){
		.data = family,
		.seen = member_seen,
		.ended = member_ended,
		.passed = passed,
	};
	env->vms->listener = &family->listener;
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

	return family->skeleton ? pins_generation(family->skeleton->maps.stat_meta, 0) : 0;
}

static int stat_map(void *state, size_t number, struct map_usage *ret_usage)
{
	struct stat_family *family = state;
	const struct stat_totals *totals = &family->totals;

	if (number || !family->skeleton)
		return -ENOENT;
	*ret_usage = (struct map_usage){
		.name = "stat_vms",
		.limit = family->env.config->vms,
		.used = totals->nkept,
		.bytes = totals->nkept *
			 (sizeof(struct vm_key) + stat_totals_bytes(family->layout)),
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
	.ntables = STAT_TABLES,
};
