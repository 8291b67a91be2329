// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The cause family: what in guests exits are about. See bpf/cause.bpf.c. */
#include "families/cause/cause.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cause.skel.h"
#include "engine/reading.h"
#include "engine/retire.h"
#include "families/family.h"
#include "kernel/map_memory.h"
#include "kernel/privileges.h"

/* Memory of an entry of the index, with what the kernel adds to key and value. */
#define INDEX_ENTRY_BYTES 96

static void destroy(void *skeleton)
{
	cause_bpf__destroy(skeleton);
}

/* --- memory --- */

static void memory_drop(struct cause *cause)
{
	const struct cause_bpf *skeleton = cause->counters.object.family;

	if (!skeleton)
		return; /* nothing was loaded */
	map_memory_drop(skeleton->maps.cause_rows, cause->rows);
	map_memory_drop(skeleton->maps.cause_ended, cause->ended);
	map_memory_drop(skeleton->maps.cause_sums, cause->list);
	cause->rows = NULL;
	cause->ended = NULL;
	cause->list = NULL;
}

static int memory_open(struct cause *cause)
{
	const struct cause_bpf *skeleton = cause->counters.object.family;
	uint32_t n = bpf_map__max_entries(skeleton->maps.cause_sums) - 1;
	int err;

	cause->rows = map_memory(skeleton->maps.cause_rows, cause->counters.reading);
	cause->ended = map_memory(skeleton->maps.cause_ended, cause->counters.reading);
	cause->list = map_memory(skeleton->maps.cause_sums, cause->counters.reading);
	if (!cause->rows || !cause->ended || !cause->list)
		return -ENOMEM;
	if (cause->counters.reading)
		err = cause_sums_watch(&cause->sums, &cause->counters.records, cause->list, n,
				       cause->ended);
	else
		err = cause_sums_open(&cause->sums, &cause->counters.records, cause->list, n,
				      cause->ended);
	if (err)
		return err;
	cause->totals = (struct cause_totals){
		.sums = &cause->sums,
		.records = &cause->records,
		.rows = cause->rows,
		.nrows = cause->env.cpus->n,
		.vm_keys = cause->env.config->vm_causes,
	};
	return 0;
}

/* --- loading --- */

static void programs_list(struct cause *cause, const struct cause_bpf *skeleton)
{
	const struct program programs[CAUSE_PROGRAMS] = {
		PROGRAM(skeleton->progs.cause_thread, "sched_process_exit"),
		PROGRAM(skeleton->progs.cause_pio, "kvm_pio"),
		PROGRAM(skeleton->progs.cause_mmio, "kvm_mmio"),
		PROGRAM(skeleton->progs.cause_fast_mmio, "kvm_fast_mmio"),
		PROGRAM(skeleton->progs.cause_msr, "kvm_msr"),
		PROGRAM(skeleton->progs.cause_cpuid, "kvm_cpuid"),
		PROGRAM(skeleton->progs.cause_hypercall, "kvm_hypercall"),
		PROGRAM(skeleton->progs.cause_hv_hypercall, "kvm_hv_hypercall"),
		PROGRAM(skeleton->progs.cause_cr, "kvm_cr"),
		PROGRAM(skeleton->progs.cause_apic, "kvm_apic"),
		PROGRAM(skeleton->progs.cause_sysreg, "kvm_handle_sys_reg"),
		PROGRAM(skeleton->progs.cause_hvc, "kvm_hvc_arm64"),
	};

	memcpy(cause->programs, programs, sizeof(programs));
}

static int load(struct cause *cause, struct report *report)
{
	const struct config *config = cause->env.config;
	const struct counters_limits limits = { .records = config->vcpus };
	LIBBPF_OPTS(bpf_object_open_opts, opts,
		    .btf_custom_path = kernel_types_core(cause->env.types));
	struct cause_bpf *skeleton = cause_bpf__open_opts(&opts);
	struct counters_object object;
	int err;

	if (!skeleton)
		return -errno;
	object = (struct counters_object){
		.family = skeleton,
		.destroy = destroy,
		.skeleton = skeleton->skeleton,
		.records = { skeleton->maps.cause_cells, skeleton->maps.cause_cells_0,
			     skeleton->maps.cause_cells_free },
		.index = skeleton->maps.cause_index,
		.state = skeleton->maps.cause_state,
		.meta = skeleton->maps.cause_meta,
		.control = &skeleton->data_shared->control,
	};
	err = bpf_map__set_max_entries(skeleton->maps.cause_rows, (__u32)cause->env.cpus->n);
	if (!err)
		err = bpf_map__set_max_entries(skeleton->maps.cause_sums, config->causes + 1);
	if (err) {
		destroy(skeleton);
		return err;
	}
	err = vcpu_counters_load(&cause->counters, &object, &limits, -1, cause->env.pins,
				 cause->env.types, report);
	if (err)
		return err;
	if (!cause->counters.reading)
		programs_list(cause, skeleton);
	err = memory_open(cause);
	if (!err && !cause->counters.reading)
		retire_recover(&cause->counters);
	return err;
}

/* A new generation for all that charge: what is open is void. */
static __u32 causes_begin(void *data)
{
	struct cause *cause = data;

	if (!cause->attached)
		return 0;
	vcpu_counters_begin(&cause->counters);
	return cause->counters.object.control->generation;
}

static void links_offer(struct cause *cause)
{
	const struct cause_bpf *skeleton = cause->counters.object.family;
	struct record_links *links = cause->env.causes;

	links->maps[LINK_FIRST] = skeleton->maps.cause_cells_0;
	links->maps[LINK_CELLS] = skeleton->maps.cause_cells;
	links->maps[LINK_FREE] = skeleton->maps.cause_cells_free;
	links->maps[LINK_INDEX] = skeleton->maps.cause_index;
	links->maps[LINK_ROWS] = skeleton->maps.cause_rows;
	links->maps[LINK_SHARED] = skeleton->maps.data_shared;
	links->begin = causes_begin;
	links->data = cause;
}

static int record_retired(void *data, uint32_t number)
{
	struct cause *cause = data;

	return cause_totals_retire(&cause->totals, number);
}

static int cause_open(const struct family_env *env, void **ret_state, char **ret_error)
{
	struct cause *cause;
	int err;

	if (!env->config->causes) {
		*ret_error = strdup("switched off: causes = off in kvm.conf");
		return -ECANCELED;
	}
	cause = calloc(1, sizeof(*cause));
	if (!cause)
		return -ENOMEM;
	cause->env = *env;
	cause->env.report = NULL;
	for (size_t i = 0; i < CAUSE_PROGRAMS; i++)
		cause->programs[i].link_fd = -1;
	vcpu_counters_init(&cause->counters, "cause", CAUSE_LAYOUT, 0, REASONS_SVM, env->cpus,
			   env->vms->proc);
	cause->counters.retire = record_retired;
	cause->counters.retire_data = cause;
	vm_counters_init(&cause->records, &cause->counters);
	*ret_state = cause;
	err = load(cause, env->report);
	if (err == -ESTALE) {
		cause->env.pins = NULL;
		err = load(cause, env->report);
	}
	if (err) {
		*ret_error = err == -ENOENT && cause->env.pins && cause->env.pins->reading ?
				     strdup(FAMILY_NOT_THERE) :
				     privs_load_text(err, env->config->lockdown);
		return err;
	}
	if (!cause->counters.reading)
		links_offer(cause);
	return 0;
}

static void cause_detach(void *state)
{
	struct cause *cause = state;

	cause->attached = false;
	record_links_changed(cause->env.causes);
	programs_detach(cause->programs, CAUSE_PROGRAMS, cause->env.classic);
}

static void cause_close(void *state)
{
	struct cause *cause = state;

	if (!cause)
		return;
	cause_detach(cause);
	*cause->env.causes = (struct record_links){ .n = 0 };
	memory_drop(cause);
	cause_totals_free(&cause->totals);
	cause_sums_free(&cause->sums);
	cause_ids_free(&cause->ids);
	vm_counters_free(&cause->records);
	vcpu_counters_free(&cause->counters);
	free(cause);
}

/* --- attaching --- */

/* Attach a program where this kernel has its event; all have kvm_pio or kvm_mmio. */
static int program_attach(struct cause *cause, struct program *program)
{
	bool is_kvms = strncmp(program->event, "kvm_", strlen("kvm_")) == 0;

	if (is_kvms && !events_has(cause->env.events, program->event))
		return 0;
	return programs_attach(program, 1, cause->env.classic);
}

static int programs_attach_all(struct cause *cause)
{
	int err = program_attach(cause, &cause->programs[0]);

	if (err)
		return err;
	retire_reap(&cause->counters);
	for (size_t i = 1; !err && i < CAUSE_PROGRAMS; i++)
		err = program_attach(cause, &cause->programs[i]);
	return err;
}

static bool is_attached(const struct cause *cause)
{
	for (size_t i = 1; i < CAUSE_PROGRAMS; i++) {
		if (cause->programs[i].link_fd < 0 &&
		    events_has(cause->env.events, cause->programs[i].event))
			return false;
	}
	return cause->attached;
}

static int cause_attach(void *state, struct report *report, char **ret_error)
{
	struct cause *cause = state;
	int err;

	(void)report;
	if (cause->counters.reading) {
		*ret_error = strdup(FAMILY_READS);
		return 0;
	}
	if (!cause->env.events->n) {
		*ret_error = events_missing(cause->env.events, cause->env.config->tracefs);
		return cause->env.events->loaded ? -EOPNOTSUPP : -ENOENT;
	}
	if (is_attached(cause))
		return 0;
	cause->attached = true;
	record_links_changed(cause->env.causes);
	err = programs_attach_all(cause);
	if (err) {
		cause_detach(cause);
		*ret_error = err == -ENOENT ?
				     events_missing(cause->env.events, cause->env.config->tracefs) :
				     privs_load_text(err, cause->env.config->lockdown);
		return err;
	}
	pins_generation(cause->counters.object.meta, 1);
	return 0;
}

static int cause_missed(void *state, uint64_t *ret_missed)
{
	struct cause *cause = state;

	return programs_missed(cause->programs, CAUSE_PROGRAMS, ret_missed);
}

static uint64_t cause_generation(void *state)
{
	struct cause *cause = state;

	return cause->counters.object.family ? pins_generation(cause->counters.object.meta, 0) : 0;
}

/* --- maps --- */

static uint64_t rows_count(const struct cause *cause)
{
	uint64_t n = 0;

	for (size_t i = 0; cause->rows && i < cause->env.cpus->n; i++)
		n += cause->rows[i].counts.accesses;
	return n;
}

static int cause_map(void *state, size_t number, struct map_usage *ret_usage)
{
	const struct cause *cause = state;
	const struct config *config = cause->env.config;

	if (number == 0) {
		uint64_t used = pool_used(&cause->counters.records);

		*ret_usage = (struct map_usage){
			.name = "cause_cells",
			.limit = config->vcpus,
			.used = used,
			.bytes = pool_bytes(&cause->counters.records) + used * INDEX_ENTRY_BYTES,
			.dropped = rows_count(cause),
		};
		return 0;
	}
	if (number > 1)
		return -ENOENT;
	*ret_usage = (struct map_usage){
		.name = "cause_sums",
		.limit = config->causes,
		.used = cause->sums.used,
		.bytes = (config->causes + UINT64_C(1)) * sizeof(struct cause_sum),
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
	int err = cause->counters.reading ? reading_follow(&cause->counters) : 0;

	if (!err)
		err = vm_counters_update(&cause->records, cause->env.vms);
	if (!err && cause->counters.reading)
		return cause_totals_show(&cause->totals);
	return err ? err : cause_totals_read(&cause->totals, cause->env.vms);
}

static int cause_refresh(void *state, uint64_t wanted)
{
	struct cause *cause = state;
	bool moved;
	int ret;

	(void)wanted;
	if (!cause->sums.list)
		return 0;
	ret = read_all(cause);
	if (ret < 0)
		return ret;
	moved = cause->records.generation != cause->generation || cause->totals.grown;
	cause->generation = cause->records.generation;
	cause->totals.grown = false;
	ids_make(cause);
	return moved;
}

/* --- once a second --- */

static void records_tick(struct cause *cause, struct report *report)
{
	int err = vm_counters_grow(&cause->records, cause->env.vms,
				   clock_ns() + cause->env.config->growth_ns);

	if (err >= 0 || cause->no_room)
		return;
	cause->no_room = true;
	report_add(report, REPORT_WARNING,
		   "cause: no memory for more vCPUs (%s): their accesses are counted in other",
		   strerror(-err));
}

/*
 * Publish before slots start with other keys: so a key that is seldom heavy keeps what it had. Take
 * back what is over; make room.
 */
static void cause_tick(void *state, struct report *report)
{
	struct cause *cause = state;

	if (!cause->sums.list || cause->counters.reading)
		return;
	read_all(cause);
	retire_tick(&cause->records, cause->env.vms, clock_ns(),
		    cause->env.config->growth_ns ? RETIRE_TICK : RETIRE_FETCH);
	vm_counters_update(&cause->records, cause->env.vms);
	records_tick(cause, report);
}

extern const struct family_ops cause_family;

const struct family_ops cause_family = {
	.open = cause_open,
	.attach = cause_attach,
	.detach = cause_detach,
	.close = cause_close,
	.missed = cause_missed,
	.generation = cause_generation,
	.map = cause_map,
	.refresh = cause_refresh,
	.tick = cause_tick,
	.tables = cause_tables,
	.ntables = CAUSE_TABLES,
};
