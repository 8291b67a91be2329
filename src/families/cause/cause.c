// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The cause family: what in guests exits are about. See bpf/cause.bpf.c. */
#include "families/cause/cause.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cause.skel.h"
#include "engine/reading.h"
#include "families/cause/cause_programs.h"
#include "families/family.h"

static void destroy(void *skeleton)
{
	cause_bpf__destroy(skeleton);
}

/* --- loading --- */

static int memory_open(struct cause *cause)
{
	struct record_family *family = &cause->family;
	const struct cause_bpf *skeleton = family->counters.object.family;
	uint32_t n = bpf_map__max_entries(skeleton->maps.cause_sums) - 1;
	int err;

	cause->rows = record_family_memory(family, skeleton->maps.cause_rows);
	cause->ended = record_family_memory(family, skeleton->maps.cause_ended);
	cause->list = record_family_memory(family, skeleton->maps.cause_sums);
	if (!cause->rows || !cause->ended || !cause->list)
		return -ENOMEM;
	if (family->counters.reading)
		err = cause_sums_watch(&cause->sums, &family->counters.records, cause->list, n,
				       cause->ended);
	else
		err = cause_sums_open(&cause->sums, &family->counters.records, cause->list, n,
				      cause->ended);
	if (err)
		return err;
	cause->totals = (struct cause_totals){
		.sums = &cause->sums,
		.records = &family->records,
		.rows = cause->rows,
		.nrows = family->env.cpus->n,
		.vm_keys = family->env.config->vm_causes,
	};
	return 0;
}

static struct cause_sum *list_map(void *data)
{
	struct cause *cause = data;
	const struct cause_bpf *skeleton = cause->family.counters.object.family;

	cause->list = record_family_memory(&cause->family, skeleton->maps.cause_sums);
	return cause->list;
}

/* While no key has a sum their memory need not be resident. */
static void list_sleep(struct cause *cause)
{
	if (record_family_reads(&cause->family) || cause->sums.used)
		return;
	record_family_forget(&cause->family, cause->list);
	cause->list = cause->sums.list = NULL;
	cause->sums.map = list_map;
	cause->sums.map_data = cause;
}

static bool by_perf(const struct record_family *family)
{
	return classic_events_wanted(family->env.classic);
}

static int cause_load(struct record_family *family, struct report *report)
{
	struct cause *cause = (struct cause *)family;
	LIBBPF_OPTS(bpf_object_open_opts, opts,
		    .btf_custom_path = kernel_types_core(family->env.types));
	struct cause_bpf *skeleton = cause_bpf__open_opts(&opts);
	int err;

	if (!skeleton)
		return -errno;
	err = bpf_map__set_max_entries(skeleton->maps.cause_sums, family->env.config->causes + 1);
	if (!err)
		err = cause_programs_choose(skeleton, family->env.events, by_perf(family));
	if (err) {
		destroy(skeleton);
		return err;
	}
	err = record_family_load(family, &(struct record_object){ RECORD_OBJECT(skeleton, cause) },
				 report);
	if (err)
		return err;
	if (!family->counters.reading)
		cause_programs_list(family, skeleton, by_perf(family));
	return memory_open(cause);
}

static int cause_retire(void *data, uint32_t number)
{
	struct cause *cause = data;

	return cause_totals_retire(&cause->totals, number);
}

static int cause_settle(void *data, uint32_t number)
{
	struct cause *cause = data;

	return cause_sums_finish(&cause->sums, number);
}

static __u32 cause_flag(struct record_family *family)
{
	struct engine_control *control = family->counters.object.control;
	__u32 flag = family->attached ? control->generation : 0;

	__atomic_store_n(&control->causes, flag, __ATOMIC_RELAXED);
	return flag;
}

static int cause_open(const struct family_env *env, void **ret_state, char **ret_error)
{
	static const struct record_family_kind kind = {
		.name = "cause",
		.cells = "cause_cells",
		.no_room = "their accesses are counted in other",
		.layout = CAUSE_LAYOUT,
		.load = cause_load,
		.retire = cause_retire,
		.settle = cause_settle,
		.flag = cause_flag,
	};
	struct cause *cause;
	int err;

	if (!env->config->causes) {
		*ret_error = strdup("switched off: causes = off in kvm.conf");
		return -ECANCELED;
	}
	cause = calloc(1, sizeof(*cause));
	if (!cause)
		return -ENOMEM;
	*ret_state = cause;
	err = record_family_open(&cause->family, &kind, env, env->causes, ret_error);
	if (!err)
		list_sleep(cause);
	return err;
}

static void cause_close(void *state)
{
	struct cause *cause = state;

	if (!cause)
		return;
	record_family_detach(cause);
	cause_totals_free(&cause->totals);
	cause_sums_free(&cause->sums);
	cause_ids_free(&cause->ids);
	record_family_free(&cause->family);
	free(cause);
}

static int cause_attach(void *state, struct report *report, char **ret_error)
{
	(void)report;
	return record_family_attach(state, false, ret_error);
}

/* --- maps --- */

static uint64_t rows_count(const struct cause *cause)
{
	uint64_t n = 0;

	for (size_t i = 0; cause->rows && i < cause->family.env.cpus->n; i++)
		n += cause->rows[i].counts.accesses;
	return n;
}

static int cause_map(void *state, size_t number, struct map_usage *ret_usage)
{
	const struct cause *cause = state;
	uint32_t limit = cause->family.env.config->causes;

	if (number > 1)
		return -ENOENT;
	if (number == 0) {
		record_family_map(&cause->family, rows_count(cause), ret_usage);
		return 0;
	}
	*ret_usage = (struct map_usage){
		.name = "cause_sums",
		.limit = limit,
		.used = cause->sums.used,
		.bytes = (limit + UINT64_C(1)) * sizeof(struct cause_sum),
		.dropped = cause->sums.dropped,
	};
	return 0;
}

/* --- reading --- */

/* All keys get their ids before any table is synced: ids may move. */
static void ids_make(struct cause *cause)
{
	size_t n;
	const struct cause_total *totals = cause_totals_of(&cause->totals, 0, &n);

	for (size_t i = 0; i < n; i++)
		cause_ids_get(&cause->ids, totals[i].key);
}

static int read_all(struct cause *cause)
{
	struct record_family *family = &cause->family;
	int err = family->counters.reading ? reading_follow(&family->counters) : 0;

	if (!err)
		err = vm_counters_update(&family->records, family->env.vms);
	if (!err && family->counters.reading)
		return cause_totals_show(&cause->totals);
	return err ? err : cause_totals_read(&cause->totals, family->env.vms);
}

static int cause_refresh(void *state, uint64_t wanted)
{
	struct cause *cause = state;
	uint64_t generation;
	bool moved;
	int ret;

	(void)wanted;
	if (!cause->sums.ended)
		return 0;
	ret = read_all(cause);
	if (ret < 0)
		return ret;
	cause_totals_fetched(&cause->totals);
	generation = cause->family.records.generation;
	moved = generation != cause->generation || cause->totals.grown;
	cause->generation = generation;
	cause->totals.grown = false;
	ids_make(cause);
	return moved;
}

/*
 * Publish before slots start with other keys: so a key that is seldom heavy keeps what it had. Take
 * back what is over; make room.
 */
static void cause_tick(void *state, struct report *report)
{
	struct cause *cause = state;

	if (!cause->sums.ended || cause->family.counters.reading)
		return;
	if (!cause_totals_fresh(&cause->totals))
		read_all(cause);
	record_family_tick(&cause->family, report);
}

extern const struct family_ops cause_family;

const struct family_ops cause_family = {
	.open = cause_open,
	.attach = cause_attach,
	.detach = record_family_detach,
	.close = cause_close,
	.missed = record_family_missed,
	.generation = record_family_generation,
	.map = cause_map,
	.refresh = cause_refresh,
	.tick = cause_tick,
	.tables = cause_tables,
	.ntables = CAUSE_TABLES,
};
