// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The slow family: the last slow exits of each vCPU. See bpf/slow.bpf.c. */
#include "families/slow/slow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fnv1a.h"
#include "engine/reading.h"
#include "families/family.h"
#include "slow.skel.h"

/* The real time of events changes only as the host's clock is set, not at each look at it. */
#define CLOCK_SET_NS 1000000

static void destroy(void *skeleton)
{
	slow_bpf__destroy(skeleton);
}

/* --- loading --- */

static int slow_load(struct record_family *family, struct report *report)
{
	struct slow *slow = (struct slow *)family;
	LIBBPF_OPTS(bpf_object_open_opts, opts,
		    .btf_custom_path = kernel_types_core(family->env.types));
	struct slow_bpf *skeleton = slow_bpf__open_opts(&opts);
	int err;

	if (!skeleton)
		return -errno;
	err = record_family_load(family, &(struct record_object){ RECORD_OBJECT(skeleton, slow) },
				 report);
	if (err)
		return err;
	if (!family->counters.reading)
		record_family_list(family,
				   (struct program[]){ PROGRAM(skeleton->progs.slow_thread,
							       "sched_process_exit") },
				   1);
	slow->rows = record_family_memory(family, skeleton->maps.slow_rows);
	slow->totals = (struct slow_totals){ .records = &family->records };
	return slow->rows ? 0 : -ENOMEM;
}

static int slow_retire(void *data, uint32_t number)
{
	struct slow *slow = data;

	return slow_totals_retire(&slow->totals, number);
}

/* Exits are recorded where both exits and trips are seen; else trips. */
static __u32 slow_flag(struct record_family *family)
{
	const struct slow *slow = (const struct slow *)family;
	bool exits = slow->exits && family->links->n == 2;

	return family->attached ? SLOW_FLAG(family->env.config->slow_us * UINT64_C(1000), !exits) :
				  0;
}

static int slow_open(const struct family_env *env, void **ret_state, char **ret_error)
{
	static const struct record_family_kind kind = {
		.name = "slow",
		.cells = "slow_cells",
		.no_room = "their slow exits are not recorded",
		.layout = SLOW_LAYOUT,
		.load = slow_load,
		.retire = slow_retire,
		.flag = slow_flag,
	};
	struct slow *slow;

	if (!env->config->slow_us) {
		*ret_error = strdup("switched off: slow_us = off in kvm.conf");
		return -ECANCELED;
	}
	slow = calloc(1, sizeof(*slow));
	if (!slow)
		return -ENOMEM;
	*ret_state = slow;
	return record_family_open(&slow->family, &kind, env, env->slow, ret_error);
}

static void slow_close(void *state)
{
	struct slow *slow = state;

	if (!slow)
		return;
	record_family_detach(slow);
	slow_totals_free(&slow->totals);
	record_family_free(&slow->family);
	free(slow);
}

/* --- attaching --- */

static int slow_attach(void *state, struct report *report, char **ret_error)
{
	struct slow *slow = state;
	struct record_family *family = &slow->family;
	bool exits = slow->exits;

	(void)report;
	slow->exits = record_family_has_exits(family);
	return record_family_attach(family, exits != slow->exits, ret_error);
}

static int slow_map(void *state, size_t number, struct map_usage *ret_usage)
{
	const struct slow *slow = state;
	uint64_t dropped = 0;

	if (number)
		return -ENOENT;
	for (size_t i = 0; slow->rows && i < slow->family.env.cpus->n; i++)
		dropped += slow->rows[i].dropped;
	record_family_map(&slow->family, dropped, ret_usage);
	return 0;
}

/* --- reading --- */

static void clock_find(struct slow *slow)
{
	int64_t real = (int64_t)(clock_real_ns() - clock_ns());

	if (llabs(real - slow->real) > CLOCK_SET_NS)
		slow->real = real;
}

/* A number that other rows of slow exits most likely have not. */
static uint64_t shown_by(const struct slow_totals *totals)
{
	const struct slow_total *list = totals->vcpus.list;
	uint64_t hash = HASH_START;

	for (size_t i = 0; i < totals->vcpus.n; i++) {
		hash = hash_step(hash, list[i].of.vcpu);
		hash = hash_step(hash, list[i].n);
	}
	return hash;
}

static int slow_refresh(void *state, uint64_t wanted)
{
	struct slow *slow = state;
	struct vcpu_counters *counters = &slow->family.counters;
	uint64_t shown = slow->shown;
	int err;

	(void)wanted;
	slow->has_read = false;
	if (!slow->rows)
		return 0;
	err = counters->reading ? reading_follow(counters) : 0;
	if (!err)
		err = vm_counters_update(&slow->family.records, slow->family.env.vms);
	if (!err)
		err = slow_totals_read(&slow->totals, slow->family.env.vms);
	if (err)
		return err;
	clock_find(slow);
	slow->has_read = true;
	slow->shown = shown_by(&slow->totals);
	return shown != slow->shown;
}

static void slow_tick(void *state, struct report *report)
{
	struct slow *slow = state;

	if (slow->rows && !slow->family.counters.reading)
		record_family_tick(&slow->family, report);
}

extern const struct family_ops slow_family;

const struct family_ops slow_family = {
	.open = slow_open,
	.attach = slow_attach,
	.detach = record_family_detach,
	.close = slow_close,
	.missed = record_family_missed,
	.generation = record_family_generation,
	.map = slow_map,
	.refresh = slow_refresh,
	.tick = slow_tick,
	.tables = slow_tables,
	.ntables = SLOW_TABLES,
};
