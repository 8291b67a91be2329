// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "engine/exit_common.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "vms/vm_passes.h"

int exits_new(const struct family_env *env, const char *name, uint32_t layout, unsigned nslots,
	      enum reasons_isa isa, struct exits **ret_exits)
{
	struct exits *exits = calloc(1, sizeof(*exits));

	if (!exits)
		return -ENOMEM;
	exits->env = *env;
	exits->env.report = NULL;
	for (size_t i = 0; i < EXITS_PROGRAMS; i++)
		exits->programs[i].link_fd = -1;
	if (vcpu_counters_init(&exits->counters, name, layout, nslots, isa, env->cpus,
			       env->vms->proc)) {
		exits_close(exits);
		return -ENOMEM;
	}
	*ret_exits = exits;
	return 0;
}

void exits_detach(void *state)
{
	struct exits *exits = state;

	programs_detach(exits->programs, EXITS_PROGRAMS);
}

void exits_close(void *state)
{
	struct exits *exits = state;

	if (!exits)
		return;
	exits_detach(exits);
	vcpu_counters_free(&exits->counters);
	free(exits->no_reasons);
	free(exits);
}

int exits_missed(void *state, uint64_t *ret_missed)
{
	struct exits *exits = state;

	return programs_missed(exits->programs, EXITS_PROGRAMS, ret_missed);
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

	for (size_t i = 0; i < EXITS_PROGRAMS; i++)
		fresh |= exits->programs[i].link_fd < 0;
	if (!fresh)
		return 0;
	vcpu_counters_begin(&exits->counters);
	err = programs_attach(exits->programs, 1);
	if (!err) {
		vcpu_counters_reap(&exits->counters);
		err = programs_attach(exits->programs, EXITS_PROGRAMS);
	}
	if (err)
		exits_detach(exits);
	else
		pins_generation(exits->counters.object.meta, 1);
	return err;
}

void exits_map(struct exits *exits, struct map_usage *ret_usage)
{
	const struct vcpu_counters *counters = &exits->counters;

	ret_usage->limit = exits->env.config->vcpus;
	ret_usage->used = counters->used;
	ret_usage->bytes = counters->used *
			   (sizeof(struct thread_key) + sizeof(struct thread_counters) +
			    counters->nslots * sizeof(struct reason_counters));
	ret_usage->dropped = counters->dropped;
}

static int latency_read(struct exits *exits, void (*take)(void *, const void *, void *))
{
	int ncpus = libbpf_num_possible_cpus();

	if (!exits->latency_map || ncpus < 0)
		return -ENOENT;
	exits->ncpus = (size_t)ncpus;
	return map_dump_read(&exits->counters.dump, bpf_map__fd(exits->latency_map), sizeof(__u32),
			     exits->ncpus * sizeof(struct exit_buckets), take, exits);
}

static void latency_count(void *data, const void *key, void *value)
{
	struct exits *exits = data;

	(void)key, (void)value;
	exits->nlatency++;
}

/* Entries are preallocated, so bytes does not depend on their use. */
void exits_latency_map(struct exits *exits, struct map_usage *ret_usage)
{
	const struct vcpu_counters *counters = &exits->counters;

	ret_usage->limit = EXIT_HISTOGRAMS;
	if (!exits->latency_map)
		return;
	ret_usage->bytes = EXIT_HISTOGRAMS * counters->cpus->n * sizeof(struct exit_buckets);
	exits->nlatency = 0;
	latency_read(exits, latency_count);
	ret_usage->used = exits->nlatency;
	for (size_t cpu = 0; cpu < counters->cpus->n; cpu++)
		ret_usage->dropped += counters->overflow[cpu].buckets;
}

int exits_reset_max(void *state)
{
	struct exits *exits = state;

	return vcpu_counters_reset_max(&exits->counters);
}

/* --- reading --- */

static int read_counters(struct exits *exits)
{
	exits->read = clock_ns();
	return vcpu_counters_read(&exits->counters, exits->env.vms);
}

/* Add a slot's histogram, of all possible CPUs, to that of its reason. */
static void latency_take(void *data, const void *key, void *value)
{
	struct exits *exits = data;
	const struct exit_buckets *cpus = value;
	__u32 slot = *(const __u32 *)key;
	uint64_t *sum;

	if (slot >= exits->counters.nslots)
		return;
	sum = exits->latency_read[reason_slots_home(&exits->counters.slots, slot)];
	for (size_t cpu = 0; cpu < exits->ncpus; cpu++) {
		for (unsigned i = 0; i < EXIT_BUCKETS; i++)
			sum[i] += cpus[cpu].count[i];
	}
}

static int read_latencies(struct exits *exits)
{
	int err;

	memset(exits->latency_read, 0, sizeof(exits->latency_read));
	err = latency_read(exits, latency_take);
	if (!err)
		memcpy(exits->latency, exits->latency_read, sizeof(exits->latency));
	return err == -ENOMEM ? err : 0;
}

/* The number of reasons and buckets that are not empty; it never falls. */
static size_t count_seen(const struct exits *exits)
{
	size_t n = 0;

	for (unsigned slot = 0; slot < exits->counters.nslots; slot++) {
		n += exits->counters.total[slot].count > 0;
		for (unsigned i = 0; i < EXIT_BUCKETS; i++)
			n += exits->latency[slot][i] > 0;
	}
	return n;
}

int exits_refresh(void *state)
{
	struct exits *exits = state;
	bool changed;
	size_t seen;
	int err;

	vms_refresh(exits->env.vms);
	err = read_counters(exits);
	if (!err)
		err = read_latencies(exits);
	if (!err)
		err = exits_vm_latency_refresh(exits);
	if (err)
		return err;
	seen = count_seen(exits);
	changed = seen != exits->seen || exits->counters.vms.grown;
	exits->seen = seen;
	exits->counters.vms.grown = false;
	return changed;
}

/* Free the room of ended threads, and credit counts to a VM before it is gone. */
void exits_tick(void *state, struct report *report)
{
	struct exits *exits = state;

	(void)report;
	if (clock_ns() - exits->read >= CLOCK_TICK_NS)
		read_counters(exits);
}
