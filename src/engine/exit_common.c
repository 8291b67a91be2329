// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "engine/exit_common.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "engine/retire.h"

int exits_new(const struct family_env *env, const struct exits_kind *kind, struct exits **ret_exits)
{
	struct exits *exits = calloc(1, sizeof(*exits));

	if (!exits)
		return -ENOMEM;
	exits->env = *env;
	exits->env.report = NULL;
	exits->tables = kind->tables;
	exits->ntables = kind->ntables;
	for (size_t i = 0; i < EXITS_PROGRAMS; i++)
		exits->programs[i].link_fd = -1;
	vcpu_counters_init(&exits->counters, kind->name, kind->layout, kind->nslots, kind->isa,
			   env->cpus, env->vms->proc);
	exits->counters.slots.n -= kind->no_reasons;
	vm_counters_init(&exits->vms, &exits->counters);
	*ret_exits = exits;
	return 0;
}

/* Have an object write the records of other families; one that is loaded again inherits them. */
static int records_share(const struct exits *exits, const struct counters_object *object)
{
	const struct family_env *env = &exits->env;
	int err = 0;

	if (exits->counters.object.family)
		return 0;
	if (env->causes)
		err = record_links_share(env->causes, object->causes);
	if (!err && env->ledger)
		err = record_links_share(env->ledger, object->ledger);
	if (!err && env->slow)
		err = record_links_share(env->slow, object->slow);
	return err;
}

uint32_t exits_without(const struct exits *exits)
{
	const struct {
		const struct record_links *links;
		uint32_t bit;
	} families[] = { { exits->env.causes, WITHOUT_CAUSES },
			 { exits->env.ledger, WITHOUT_LEDGER },
			 { exits->env.slow, WITHOUT_SLOW } };
	uint32_t without = 0;

	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		if (!families[i].links || !record_links_exist(families[i].links))
			without |= families[i].bit;
	}
	return without;
}

int exits_load_object(struct exits *exits, const struct counters_object *object,
		      struct report *report)
{
	const struct family_env *env = &exits->env;
	const struct counters_limits limits = { env->config->vcpus, env->config->counters };
	uint64_t missed = 0; /* programs of the loaded object, which goes */
	int err;

	if (exits->counters.object.family)
		programs_missed(exits->programs, exits->nprograms, &missed);
	err = records_share(exits, object);
	if (err) {
		object->destroy(object->family);
		return err;
	}
	err = vcpu_counters_load(&exits->counters, object, &limits, env->rows->fd, env->pins,
				 env->types, report);
	if (err)
		return err;
	exits->missed += missed;
	retire_recover(&exits->counters);
	/* what an earlier agent had no room for is no need of now */
	vcpu_counters_overflow(&exits->counters, &exits->dropped, &exits->no_block);
	vcpu_counters_sleep(&exits->counters);
	return 0;
}

int exits_read(struct exits *exits, const struct counters_object *object, struct report *report)
{
	const struct family_env *env = &exits->env;
	int err = vcpu_counters_load(&exits->counters, object, &(struct counters_limits){ 0 }, -1,
				     env->pins, env->types, report);

	if (err == -ESTALE)
		exits->env.pins = NULL;
	return err;
}

/* Programs that are attached count their events for the trace family, too. */
static void events_offer(struct exits *exits)
{
	for (size_t i = 0; i < EXITS_EVENTS; i++) {
		const struct program *program = exits->events[i];

		if (program)
			event_rows_offer(
				exits->env.rows,
				&(struct event_source){ program->event,
							&exits->counters.object.control->events[i],
							program_fd(program) });
	}
}

void exits_detach(void *state)
{
	struct exits *exits = state;

	for (size_t i = 0; i < EXITS_EVENTS; i++) {
		if (exits->events[i] && exits->events[i]->link_fd >= 0)
			event_rows_withdraw(exits->env.rows, exits->events[i]->event);
	}
	if (exits->counts)
		*exits->counts = 0;
	programs_detach(exits->programs, exits->nprograms, exits->env.classic);
	if (exits->env.causes && exits->counters.object.family)
		record_links_drop(exits->env.causes, &exits->counters.object.control->causes);
	if (exits->env.ledger && exits->counters.object.family)
		record_links_drop(exits->env.ledger, &exits->counters.object.control->ledger);
	if (exits->env.slow && exits->counters.object.family)
		record_links_drop(exits->env.slow, &exits->counters.object.control->slow);
}

void exits_close(void *state)
{
	struct exits *exits = state;

	if (!exits)
		return;
	exits_detach(exits);
	vm_counters_free(&exits->vms);
	vcpu_counters_free(&exits->counters);
	free(exits->no_reasons);
	free(exits);
}

int exits_missed(void *state, uint64_t *ret_missed)
{
	struct exits *exits = state;
	uint64_t missed;
	int err;

	if (!exits->nprograms)
		return -ENODATA;
	err = programs_missed(exits->programs, exits->nprograms, &missed);

	if (!err)
		*ret_missed = exits->missed + missed;
	return err;
}

uint64_t exits_generation(void *state)
{
	struct exits *exits = state;

	return exits->counters.object.family ? pins_generation(exits->counters.object.meta, 0) : 0;
}

/*
 * Attach the program that sees threads end first; then threads that ended before it was attached
 * are looked for.
 */
int exits_attach(struct exits *exits)
{
	bool fresh = false;
	int err;

	for (size_t i = 0; i < exits->nprograms; i++)
		fresh |= exits->programs[i].link_fd < 0;
	if (!fresh)
		return 0;
	vcpu_counters_begin(&exits->counters);
	if (exits->env.causes)
		record_links_add(exits->env.causes, &exits->counters.object.control->causes);
	if (exits->env.ledger)
		record_links_add(exits->env.ledger, &exits->counters.object.control->ledger);
	if (exits->env.slow)
		record_links_add(exits->env.slow, &exits->counters.object.control->slow);
	if (exits->counts)
		*exits->counts = 1;
	err = programs_attach(exits->programs, 1, exits->env.classic);
	if (!err) {
		retire_reap(&exits->counters);
		err = programs_attach(exits->programs, exits->nprograms, exits->env.classic);
	}
	if (err)
		exits_detach(exits);
	if (err)
		return err;
	pins_generation(exits->counters.object.meta, 1);
	events_offer(exits);
	return 0;
}

/* --- maps --- */

void exits_records_map(const struct exits *exits, struct map_usage *ret_usage)
{
	const struct vcpu_counters *counters = &exits->counters;
	uint64_t no_block;

	vcpu_counters_overflow(counters, &ret_usage->dropped, &no_block);
	ret_usage->limit = exits->env.config->vcpus;
	ret_usage->used = pool_used(&counters->records);
	ret_usage->bytes = vcpu_counters_records_bytes(counters);
}

void exits_blocks_map(const struct exits *exits, struct map_usage *ret_usage)
{
	const struct vcpu_counters *counters = &exits->counters;
	uint64_t dropped;

	vcpu_counters_overflow(counters, &dropped, &ret_usage->dropped);
	ret_usage->limit = exits->env.config->counters;
	ret_usage->used = pool_used(&counters->blocks);
	ret_usage->bytes = pool_bytes(&counters->blocks);
}

int exits_reset_max(void *state)
{
	struct exits *exits = state;

	if (exits->counters.reading)
		return -EROFS;
	vcpu_counters_reset_max(&exits->counters);
	return 0;
}

/* --- reading --- */

/* The number of reasons and buckets of the host that are not empty; it never falls. */
static size_t count_seen(const struct exits *exits)
{
	size_t n = 0;

	for (unsigned slot = 0; slot < exits->counters.nslots; slot++) {
		n += exits->counters.total[slot].count > 0;
		for (unsigned i = 0; i < EXIT_BUCKETS; i++)
			n += exits->counters.latency[slot][i] > 0;
	}
	return n;
}

/* Which sums do the wanted tables need? */
static void needs_find(const struct exits *exits, uint64_t wanted, bool *host, bool *buckets,
		       bool *vms)
{
	*host = *buckets = *vms = false;
	for (size_t i = 0; i < exits->ntables; i++) {
		const struct table *table = &exits->tables[i];

		if (!(wanted & UINT64_C(1) << i))
			continue;
		*vms |= table->owner >= OWNER_VM;
		*buckets |= table->variant == EXIT_BUCKET_ROWS;
		*host |= table->owner == OWNER_HOST && table->variant != EXIT_BUCKET_ROWS;
	}
}

/* Have rows of reasons, or of VMs' reasons, appeared or disappeared since the last call? */
static bool rows_changed(struct exits *exits)
{
	const struct vcpu_counters *counters = &exits->counters;
	uint32_t taken = counters->walked;
	size_t seen = count_seen(exits);
	bool changed = seen != exits->seen || taken != exits->taken ||
		       exits->vms.generation != exits->generation;

	exits->seen = seen;
	exits->taken = taken;
	exits->generation = exits->vms.generation;
	return changed;
}

int exits_refresh(void *state, uint64_t wanted)
{
	struct exits *exits = state;
	struct vcpu_counters *counters = &exits->counters;
	bool host, buckets, vms, changed = false;
	int err = vcpu_counters_walk(counters);

	if (err)
		return err;
	needs_find(exits, wanted, &host, &buckets, &vms);
	if (host)
		vcpu_counters_read(counters);
	if (buckets) {
		err = vcpu_counters_read_buckets(counters);
		changed = err > 0;
	}
	if (err >= 0 && vms)
		err = vm_counters_update(&exits->vms, exits->env.vms);
	if (err < 0)
		return err;
	return rows_changed(exits) || changed;
}

/* --- once a second --- */

/* How many records and blocks are to be free: half a chunk, and what events have not found. */
struct needs {
	uint64_t records, blocks;
};

static uint64_t more(uint64_t one, uint64_t other)
{
	return one > other ? one : other;
}

static uint64_t vcpus_known(const struct vms *vms)
{
	uint64_t n = 0;

	for (size_t i = 0; i < vms->n; i++)
		n += vms->list[i]->nvcpus;
	return n;
}

/*
 * Threads that find no record are as many as vCPUs of the register have none, or unknown: then as
 * many again as have one. Each new record will want as many blocks as the others have. Records that
 * find no block want as many again as there are.
 */
static struct needs needs_of(struct exits *exits)
{
	const struct vcpu_counters *counters = &exits->counters;
	uint64_t records = pool_used(&counters->records), blocks = pool_used(&counters->blocks);
	uint64_t dropped, no_block, known = vcpus_known(exits->env.vms);
	struct needs needs = { RECORDS_CHUNK / 2, BLOCKS_CHUNK / 2 };

	vcpu_counters_overflow(counters, &dropped, &no_block);
	if (dropped > exits->dropped) {
		uint64_t lacking = more(known > records ? known - records : 0, records);

		needs.records += lacking;
		needs.blocks += records ? lacking * (blocks / records + 1) : 0;
	}
	if (no_block > exits->no_block)
		needs.blocks = more(needs.blocks, blocks);
	exits->dropped = dropped;
	exits->no_block = no_block;
	return needs;
}

static void pool_tick(struct exits *exits, struct pool *pool, uint64_t wanted, uint64_t until,
		      const char *name, struct report *report)
{
	int err = pool_grow(pool, wanted < pool->limit ? (uint32_t)wanted : pool->limit, until);

	if (err >= 0 || exits->no_room)
		return;
	exits->no_room = true;
	report_add(
		report, REPORT_WARNING,
		"%s: no memory for more %s (%s): what finds no room is counted for the host, without time",
		exits->counters.name, name, strerror(-err));
}

static void pools_tick(struct exits *exits, struct report *report)
{
	struct vcpu_counters *counters = &exits->counters;
	uint64_t until = clock_ns() + exits->env.config->growth_ns;
	struct needs needs = needs_of(exits);

	pool_tick(exits, &counters->records, needs.records, until, "vCPUs", report);
	pool_tick(exits, &counters->blocks, needs.blocks, until, "counters", report);
}

/* Assign records to VMs before these are gone; take back what is over; make room for more. */
void exits_tick(void *state, struct report *report)
{
	struct exits *exits = state;
	struct vcpu_counters *counters = &exits->counters;

	if (!counters->object.family || counters->reading)
		return;
	vcpu_counters_walk(counters);
	vm_counters_update(&exits->vms, exits->env.vms);
	retire_tick(&exits->vms, exits->env.vms, clock_ns(),
		    exits->env.config->growth_ns ? RETIRE_TICK : RETIRE_FETCH);
	vm_counters_update(&exits->vms, exits->env.vms);
	pools_tick(exits, report);
}
