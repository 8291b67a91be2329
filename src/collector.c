// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "collector.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent.h"

/* collector_read's mask has as many bits. */
#define TABLES_MAX 64

/* Who fills a table. */
struct source {
	const struct family_table *table;
	void *state;
};

struct collector {
	struct cpus cpus;
	struct events events;
	struct collector_family *families;
	struct snapshot snapshot;
	struct source sources[TABLES_MAX]; /* by the table's number */
};

/* libbpf's print function has no argument of its own to carry this. */
static __thread struct report *print_report;

static int print_to_report(enum libbpf_print_level level, const char *format, va_list args)
{
	char text[512];

	if (level == LIBBPF_DEBUG || !print_report)
		return 0;
	vsnprintf(text, sizeof(text), format, args);
	report_add(print_report, REPORT_DEBUG, "%s", text);
	return 0;
}

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static int add_table(struct collector *collector, const struct family_table *table, void *state)
{
	struct snapshot_table *made;
	int err;

	if (collector->snapshot.ntables == TABLES_MAX)
		return -ENOSPC;
	err = snapshot_add_table(&collector->snapshot, table->name, &made);
	if (err)
		return err;
	collector->sources[collector->snapshot.ntables - 1] = (struct source){ table, state };
	return table->init(state, made);
}

static int family_open(struct collector *collector, struct collector_family *open,
		       struct family_env *env)
{
	const struct family_ops *ops = open->family->ops;
	uint64_t start = now();

	env->image = open->family->image(&env->image_size);
	open->err = ops->open(env, &open->state, &open->why);
	open->attach_time = now() - start;
	if (open->err && open->err != -ENODATA)
		report_add(env->report, REPORT_WARNING, "%s: %s", open->family->name,
			   open->why ? open->why : strerror(-open->err));
	if (!open->state)
		return 0;
	for (size_t i = 0; i < ops->ntables; i++) {
		int err = add_table(collector, &ops->tables[i], open->state);

		if (err)
			return err;
	}
	return 0;
}

static int families_open(struct collector *collector, struct family_env *env)
{
	int err = 0;

	collector->families = calloc(families_count, sizeof(*collector->families));
	if (!collector->families)
		return -ENOMEM;
	for (size_t i = 0; i < families_count; i++)
		collector->families[i].family = &families[i];
	for (size_t i = 0; !err && i < families_count; i++)
		err = family_open(collector, &collector->families[i], env);
	for (size_t i = 0; !err && i < agent_tables_count; i++)
		err = add_table(collector, &agent_tables[i], collector);
	return err;
}

int collector_open(const struct config *config, struct report *report,
		   struct collector **ret_collector)
{
	libbpf_print_fn_t callers_print;
	struct collector *collector;
	struct family_env env;
	int err;

	collector = calloc(1, sizeof(*collector));
	if (!collector)
		return -ENOMEM;
	callers_print = libbpf_set_print(print_to_report);
	print_report = report;
	err = cpus_read(CPUS_SYSFS, &collector->cpus);
	if (!err)
		err = events_find(EVENTS_BTF_DIR, config->tracefs, &collector->events);
	env = (struct family_env){
		.config = config,
		.events = &collector->events,
		.cpus = &collector->cpus,
		.report = report,
	};
	if (!err)
		err = families_open(collector, &env);
	print_report = NULL;
	libbpf_set_print(callers_print);
	if (err) {
		collector_close(collector);
		return err;
	}
	*ret_collector = collector;
	return 0;
}

void collector_close(struct collector *collector)
{
	if (!collector)
		return;
	for (size_t i = 0; collector->families && i < families_count; i++) {
		families[i].ops->close(collector->families[i].state);
		free(collector->families[i].why);
	}
	free(collector->families);
	snapshot_free(&collector->snapshot);
	events_free(&collector->events);
	cpus_free(&collector->cpus);
	free(collector);
}

size_t collector_attached(const struct collector *collector)
{
	size_t n = 0;

	for (size_t i = 0; i < families_count; i++)
		n += !collector->families[i].err;
	return n;
}

const struct collector_family *collector_families(const struct collector *collector)
{
	return collector->families;
}

const struct cpus *collector_cpus(const struct collector *collector)
{
	return &collector->cpus;
}

int collector_update_cpus(struct collector *collector)
{
	return cpus_update(CPUS_SYSFS, &collector->cpus);
}

struct snapshot *collector_snapshot(struct collector *collector)
{
	return &collector->snapshot;
}

int collector_read(struct collector *collector, uint64_t tables)
{
	for (size_t i = 0; i < collector->snapshot.ntables; i++) {
		const struct source *source = &collector->sources[i];
		int err;

		if (!(tables & (1ULL << i)))
			continue;
		err = source->table->read(source->state, collector->snapshot.tables[i]);
		if (err)
			return err;
	}
	return 0;
}
