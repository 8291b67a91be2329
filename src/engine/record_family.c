// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "engine/record_family.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "engine/retire.h"
#include "kernel/map_memory.h"
#include "kernel/privileges.h"
#include "kvm/vendor.h"

/* --- opening --- */

bool record_family_reads(const struct record_family *family)
{
	return family->env.pins && family->env.pins->reading;
}

int record_family_load(struct record_family *family, const struct record_object *object,
		       struct report *report)
{
	const struct family_env *env = &family->env;
	const struct counters_limits limits = { .records = env->config->vcpus };
	int err = bpf_map__set_max_entries(object->rows, (__u32)env->cpus->n);

	if (err) {
		object->counters.destroy(object->counters.family);
		return err;
	}
	err = vcpu_counters_load(&family->counters, &object->counters, &limits, -1, env->pins,
				 env->types, report);
	if (err)
		return err;
	family->rows = object->rows;
	family->shared = object->shared;
	return 0;
}

void record_family_list(struct record_family *family, const struct program *programs, size_t n)
{
	memcpy(family->programs, programs, n * sizeof(*programs));
	family->nprograms = n;
}

void *record_family_memory(struct record_family *family, const struct bpf_map *map)
{
	void *memory = NULL;

	if (family->nmemory < RECORD_FAMILY_MAPS)
		memory = map_memory(map, family->counters.reading);
	if (memory)
		family->memory[family->nmemory++] = (struct record_memory){ map, memory };
	return memory;
}

void record_family_forget(struct record_family *family, const void *memory)
{
	size_t i = 0;

	while (i < family->nmemory && family->memory[i].memory != memory)
		i++;
	if (i == family->nmemory)
		return;
	map_memory_drop(family->memory[i].map, memory);
	family->memory[i] = family->memory[--family->nmemory];
}

/* A new generation for all that write: what is open is void. */
static __u32 begin(void *data)
{
	struct record_family *family = data;

	__u32 flag;

	if (family->attached)
		vcpu_counters_begin(&family->counters);
	flag = family->kind->flag(family);
	__atomic_store_n(&family->counters.state->flag, flag, __ATOMIC_RELAXED);
	return flag;
}

__u32 record_family_flag(const struct record_family *family)
{
	/* an agent that was killed has detached its programs, but could not tell */
	if (family->counters.reading && !pins_are_used(family->env.pins))
		return 0;
	return __atomic_load_n(&family->counters.state->flag, __ATOMIC_RELAXED);
}

static void links_offer(struct record_family *family)
{
	const struct counters_object *object = &family->counters.object;
	struct record_links *links = family->links;

	links->maps[LINK_FIRST] = object->records.first;
	links->maps[LINK_CELLS] = object->records.chunks;
	links->maps[LINK_FREE] = object->records.free;
	links->maps[LINK_INDEX] = object->index;
	links->maps[LINK_ROWS] = family->rows;
	links->maps[LINK_SHARED] = family->shared;
	links->begin = begin;
	links->data = family;
}

int record_family_open(struct record_family *family, const struct record_family_kind *kind,
		       const struct family_env *env, struct record_links *links, char **ret_error)
{
	int err;

	family->kind = kind;
	family->env = *env;
	family->env.report = NULL;
	family->links = links;
	vcpu_counters_init(&family->counters, kind->name, kind->layout, 0, REASONS_SVM, env->cpus,
			   env->vms->proc);
	family->counters.retire = kind->retire;
	family->counters.settle = kind->settle;
	family->counters.retire_data = family;
	vm_counters_init(&family->records, &family->counters);
	err = kind->load(family, env->report);
	if (err == -ESTALE) {
		family->env.pins = NULL;
		err = kind->load(family, env->report);
	}
	if (err) {
		*ret_error = err == -ENOENT && record_family_reads(family) ?
				     strdup(FAMILY_NOT_THERE) :
				     privs_load_text(err, env->config->lockdown);
		return err;
	}
	if (family->counters.reading)
		return 0;
	family->counters.state->flag = 0; /* the last agent was killed, maybe */
	retire_recover(&family->counters);
	vcpu_counters_sleep(&family->counters);
	links_offer(family);
	return 0;
}

void record_family_detach(void *state)
{
	struct record_family *family = state;

	family->attached = false;
	record_links_changed(family->links);
	programs_detach(family->programs, family->nprograms, family->env.classic);
}

void record_family_free(struct record_family *family)
{
	if (family->links)
		*family->links = (struct record_links){ .n = 0 };
	for (size_t i = 0; i < family->nmemory; i++)
		map_memory_drop(family->memory[i].map, family->memory[i].memory);
	vm_counters_free(&family->records);
	vcpu_counters_free(&family->counters);
}

/* --- attaching --- */

bool record_family_has_exits(const struct record_family *family)
{
	const struct events *events = family->env.events;
	enum reasons_isa isa;

	/* x86 alone has vendors' modules, and kvm_cpuid */
	return events_has(events, "kvm_exit") &&
	       (!events_has(events, "kvm_cpuid") || kvm_vendor(KVM_MODULES_DIR, &isa) == 0);
}

/* Does this kernel have the program's event? Those that are not KVM's all do. */
static bool has_event(const struct record_family *family, const struct program *program)
{
	return strncmp(program->event, "kvm_", strlen("kvm_")) != 0 ||
	       events_has(family->env.events, program->event);
}

/* Attach what is not attached; first what sees threads end. */
static int programs_attach_all(struct record_family *family)
{
	int err = 0;

	for (size_t i = 0; !err && i < family->nprograms; i++) {
		struct program *program = &family->programs[i];

		if (has_event(family, program))
			err = programs_attach(program, 1, family->env.classic);
		if (!err && i == 0)
			retire_reap(&family->counters);
	}
	return err;
}

static bool is_attached(const struct record_family *family)
{
	for (size_t i = 0; i < family->nprograms; i++) {
		if (family->programs[i].link_fd < 0 && has_event(family, &family->programs[i]))
			return false;
	}
	return family->attached;
}

int record_family_attach(struct record_family *family, bool anew, char **ret_error)
{
	const struct family_env *env = &family->env;
	bool fresh;
	int err;

	if (family->counters.reading) {
		*ret_error = strdup(FAMILY_READS);
		return 0;
	}
	if (!env->events->n) {
		*ret_error = events_missing(env->events, env->config->tracefs);
		return env->events->loaded ? -EOPNOTSUPP : -ENOENT;
	}
	fresh = !is_attached(family);
	family->attached = true;
	if (fresh || anew)
		record_links_changed(family->links);
	if (!fresh)
		return 0;
	err = programs_attach_all(family);
	if (err) {
		record_family_detach(family);
		*ret_error = programs_refusal(err, env->events, env->config);
		return err;
	}
	pins_generation(family->counters.object.meta, 1);
	return 0;
}

int record_family_missed(void *state, uint64_t *ret_missed)
{
	struct record_family *family = state;

	if (!family->nprograms)
		return -ENODATA;
	return programs_missed(family->programs, family->nprograms, ret_missed);
}

uint64_t record_family_generation(void *state)
{
	struct record_family *family = state;

	return family->counters.object.family ? pins_generation(family->counters.object.meta, 0) :
						0;
}

/* --- maps --- */

void record_family_map(const struct record_family *family, uint64_t dropped,
		       struct map_usage *ret_usage)
{
	*ret_usage = (struct map_usage){
		.name = family->kind->cells,
		.limit = family->env.config->vcpus,
		.used = pool_used(&family->counters.records),
		.bytes = vcpu_counters_records_bytes(&family->counters),
		.dropped = dropped,
	};
}

/* --- once a second --- */

static void records_grow(struct record_family *family, struct report *report)
{
	int err = vm_counters_grow(&family->records, family->env.vms,
				   clock_ns() + family->env.config->growth_ns);

	if (err >= 0 || family->no_room)
		return;
	family->no_room = true;
	report_add(report, REPORT_WARNING, "%s: no memory for more vCPUs (%s): %s",
		   family->kind->name, strerror(-err), family->kind->no_room);
}

void record_family_tick(struct record_family *family, struct report *report)
{
	const struct family_env *env = &family->env;

	vm_counters_update(&family->records, env->vms);
	retire_tick(&family->records, env->vms, clock_ns(),
		    env->config->growth_ns ? RETIRE_TICK : RETIRE_FETCH);
	vm_counters_update(&family->records, env->vms);
	records_grow(family, report);
}
