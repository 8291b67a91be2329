// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "collector/collector.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/families_open.h"
#include "collector/libbpf_report.h"
#include "collector/self_tables.h"
#include "collector/sources.h"
#include "base/clock.h"
#include "kernel/preemptible.h"
#include "kernel/prog_prepare.h"
#include "metrics/past_names.h"
#include "vms/vm_passes.h"
#include "vms/vm_tables.h"

/* Ticks that retry attaching after KVM is loaded: its tracepoints may not be ready at once. */
#define LATE_TICKS 5

struct collector {
	const struct config *config;
	struct cpus cpus;
	struct events events;
	uint64_t events_stamp; /* events_stamp() at the last tick; it changes as KVM (un)loads */
	struct kernel_types types; /* closed after each pass of attaching */
	bool left;		   /* the agent whose maps are read has ended */
	unsigned late_ticks;	   /* ticks left that retry attaching */
	struct vms *vms;
	struct pins *pins;
	struct event_rows rows;
	struct classic_events classic;
	struct record_links causes, ledger, slow;
	struct collector_family *families;
	struct self self; /* state of the tables about the agent */
	struct sources sources;
};

/* Attach the families that are open, and either are attached last or are not. */
static void families_attach(struct collector *collector, bool last, struct report *report)
{
	for (size_t i = 0; i < families_count; i++) {
		struct collector_family *open = &collector->families[i];
		uint64_t opened = open->attach_time;

		if (!open->loaded || open->family->ops->last != last)
			continue;
		collector_family_attach(open, false, report);
		open->attach_time += opened;
	}
}

/* Returns 0, or the error of adding its tables. */
static int family_add(struct collector *collector, const struct collector_family *open)
{
	const struct family_ops *ops = open->family->ops;

	if (!open->state)
		return 0;
	return sources_add(&collector->sources, ops->tables, ops->ntables, open->state);
}

static int open_all(struct collector *collector, struct family_env *env)
{
	int err = 0;

	collector->families = calloc(families_count, sizeof(*collector->families));
	if (!collector->families)
		return -ENOMEM;
	collector->self.families = collector->families;
	for (size_t i = 0; i < families_count; i++)
		collector->families[i].family = &families[i];
	/* all are open before any is attached: one may use the maps of another */
	err = families_open(collector->families, env);
	if (err)
		return err;
	families_attach(collector, false, env->report);
	families_attach(collector, true, env->report);
	for (size_t i = 0; !err && i < families_count; i++)
		err = family_add(collector, &collector->families[i]);
	if (!err)
		err = sources_add(&collector->sources, vm_tables, vm_tables_count, collector->vms);
	if (!err)
		err = sources_add(&collector->sources, agent_tables, agent_tables_count,
				  &collector->self);
	return err;
}

/* Is there a chosen family that has rows of VMs or vCPUs? Families ask the register for these. */
static bool wants_vms(const struct config *config)
{
	bool wants = !config->only;

	for (size_t i = 0; !wants && i < families_count; i++)
		wants = collector_family_is_chosen(config, &families[i]) &&
			tables_want_vms(families[i].ops->tables, families[i].ops->ntables);
	return wants;
}

/* Have the register make passes, if they are wanted. */
static void register_attach(struct collector *collector)
{
	char *error = NULL;

	if (wants_vms(collector->config))
		vms_attach(collector->vms, &collector->types, collector->config->lockdown, &error);
	free(error);
}

/* Replace the list of events by those that the kernel has now; on an error the old list stays. */
static int find_events(struct collector *collector)
{
	struct events events;
	int err = events_find(&collector->types, collector->config->tracefs, &events);

	if (err)
		return err;
	events_free(&collector->events);
	collector->events = events;
	return 0;
}

/* Find out whether events are to be attached by perf. */
static int classic_find(struct collector *collector)
{
	struct classic_events *classic = &collector->classic;

	classic->tracefs = collector->config->tracefs;
	classic->lockdown = collector->config->lockdown;
	classic->paranoid = "/proc/sys/kernel/perf_event_paranoid";
	if (!collector->config->raw_only)
		classic->wanted = tracepoints_preemptible(&collector->types);
	classic->atomic = !collector->config->raw_only && !classic->wanted;
	return classic->wanted ? late_close_new(&classic->late) : 0;
}

int collector_open(const struct config *config, struct items *items,
		   struct instance_numbers *numbers, enum collector_pins pin, struct report *report,
		   struct collector **ret_collector)
{
	struct collector *collector = calloc(1, sizeof(*collector));
	libbpf_print_fn_t callers_print;
	int err = prog_prepare_init(BPF_PROG_TYPE_TRACEPOINT);
	struct family_env env;

	if (!collector)
		return -ENOMEM;
	collector->config = config;
	collector->rows.fd = -1;
	collector->types.dir = KERNEL_TYPES_DIR;
	collector->events_stamp = events_stamp(KERNEL_TYPES_DIR, config->tracefs);
	callers_print = libbpf_report_begin(report);
	if (!err)
		err = cpus_read(CPUS_SYSFS, &collector->cpus);
	if (!err)
		err = find_events(collector);
	if (!err && pin == COLLECTOR_PINS)
		err = pins_open(config->pin, report, &collector->pins);
	if (!err && pin == COLLECTOR_READS)
		err = pins_watch(config->pin, report, &collector->pins);
	if (!err && !collector_reads(collector)) /* it loads a program to find out */
		err = classic_find(collector);
	if (!err)
		err = vms_new("/proc", numbers, &collector->vms);
	collector->sources.vms = collector->vms;
	collector->sources.cpus = &collector->cpus;
	collector->sources.numbers = numbers;
	collector->sources.rows_late = config->rows_late;
	if (!err && numbers) {
		collector->sources.past = past_names_new();
		err = collector->sources.past ? 0 : -ENOMEM;
	}
	collector->self.numbers = numbers;
	if (!err) {
		collector->vms->pins = collector->pins;
		collector->vms->labels_stay = config->labels_stay;
	}
	if (!err)
		register_attach(collector);
	env = (struct family_env){
		.config = config,
		.events = &collector->events,
		.cpus = &collector->cpus,
		.items = items,
		.vms = collector->vms,
		.types = &collector->types,
		.rows = &collector->rows,
		.classic = &collector->classic,
		.causes = &collector->causes,
		.ledger = &collector->ledger,
		.slow = &collector->slow,
		.pins = collector->pins,
		.report = report,
	};
	if (!err)
		err = open_all(collector, &env);
	classic_events_report(&collector->classic, report);
	kernel_types_close(&collector->types);
	libbpf_report_end(callers_print);
	if (err) {
		collector_close(collector);
		return err;
	}
	*ret_collector = collector;
	return 0;
}

int collector_switch(struct collector *collector, size_t family, bool attached,
		     struct report *report)
{
	struct collector_family *open = &collector->families[family];
	libbpf_print_fn_t callers_print;

	if (!open->loaded)
		return open->err == -ENODATA ? 0 : -ENODEV;
	open->wanted = attached;
	if (!attached) {
		open->family->ops->detach(open->state);
		collector_family_note(open, -ECANCELED, strdup("detached by kvm.control.attached"),
				      false, report);
		return 0;
	}
	if (!open->err)
		return 0;
	callers_print = libbpf_report_begin(report);
	find_events(collector);
	register_attach(collector);
	collector_family_attach(open, false, report);
	classic_events_report(&collector->classic, report);
	kernel_types_close(&collector->types);
	libbpf_report_end(callers_print);
	sources_sync(&collector->sources, open->state);
	sources_sync(&collector->sources, &collector->self); /* the family may have new maps */
	return open->err == -ENOENT ? 0 : open->err;
}

int collector_reset_max(struct collector *collector)
{
	int err = 0;

	for (size_t i = 0; i < families_count; i++) {
		int (*reset_max)(void *state) = families[i].ops->reset_max;
		int ret = reset_max && collector->families[i].state ?
				  reset_max(collector->families[i].state) :
				  0;

		err = err ? err : ret;
	}
	return err;
}

/* Attach all wanted families; only the last try reports failures. */
static void attach_again(struct collector *collector, bool last, struct report *report)
{
	struct report quiet = { 0 };

	for (size_t i = 0; i < families_count; i++) {
		struct collector_family *open = &collector->families[i];
		int before = open->err;

		if (!open->loaded || !open->wanted)
			continue;
		collector_family_attach(open, !last, last ? report : &quiet);
		if (before && !open->err)
			report_add(report, REPORT_INFO, "%s: attached", open->family->name);
	}
	report_clear(&quiet);
}

static void families_tick(struct collector *collector, struct report *report)
{
	for (size_t i = 0; i < families_count; i++) {
		if (families[i].ops->tick && collector->families[i].state)
			families[i].ops->tick(collector->families[i].state, report);
	}
}

bool collector_tick(struct collector *collector, struct report *report)
{
	uint64_t stamp = events_stamp(KERNEL_TYPES_DIR, collector->config->tracefs);
	bool changed = stamp != collector->events_stamp;
	bool left = collector_reads(collector) && !pins_are_used(collector->pins);
	bool grown = cpus_update(CPUS_SYSFS, &collector->cpus) > 0;

	if (left && !collector->left)
		report_add(report, REPORT_INFO,
			   "%s: the agent has ended: its counts stand still until it is back",
			   collector->pins->path);
	collector->left = left;
	if (changed) {
		collector->events_stamp = stamp;
		collector->late_ticks = LATE_TICKS;
	}
	if (collector->late_ticks) {
		libbpf_print_fn_t callers_print = libbpf_report_begin(report);

		collector->late_ticks--;
		find_events(collector);
		register_attach(collector);
		attach_again(collector, !collector->late_ticks, report);
		classic_events_report(&collector->classic, report);
		kernel_types_close(&collector->types);
		libbpf_report_end(callers_print);
		grown = true;
	}
	vms_tick(collector->vms, report);
	families_tick(collector, report);
	if (collector->sources.numbers)
		instance_numbers_tick(collector->sources.numbers);
	return (grown || sources_are_outdated(&collector->sources)) &&
	       sources_sync(&collector->sources, NULL);
}

void collector_close(struct collector *collector)
{
	if (!collector)
		return;
	collector->rows.changed = NULL; /* no family steps in for another now */
	for (size_t i = 0; collector->families && i < families_count; i++) {
		families[i].ops->close(collector->families[i].state);
		free(collector->families[i].error);
	}
	free(collector->families);
	sources_free(&collector->sources);
	events_free(&collector->events);
	cpus_free(&collector->cpus);
	if (collector->vms)
		vms_detach(collector->vms);
	pins_close(collector->pins);
	late_close_free(collector->classic.late); /* last: what is closed late holds no lock then */
	vms_free(collector->vms);
	free(collector);
}

const char *collector_reads(const struct collector *collector)
{
	return collector->pins && collector->pins->reading ? collector->pins->path : NULL;
}

bool collector_stands(const struct collector *collector)
{
	return collector->left;
}

size_t collector_attached(const struct collector *collector)
{
	size_t n = 0;

	for (size_t i = 0; i < families_count; i++)
		n += !collector->families[i].err;
	return n;
}

bool collector_waits(const struct collector *collector)
{
	bool kvm = collector->events.n || collector->events.loaded;

	if (kvm)
		return false;
	if (collector_reads(collector))
		return true;
	for (size_t i = 0; i < families_count; i++) {
		const struct collector_family *open = &collector->families[i];

		if (open->loaded && open->wanted && open->err == -ENOENT)
			return true;
	}
	return false;
}

const struct collector_family *collector_families(const struct collector *collector)
{
	return collector->families;
}

struct snapshot *collector_snapshot(struct collector *collector)
{
	return &collector->sources.snapshot;
}

static int families_refresh(struct collector *collector, uint64_t tables)
{
	if (sources_want_vms(&collector->sources, tables))
		vms_refresh(collector->vms);
	for (size_t i = 0; i < families_count; i++) {
		void *state = collector->families[i].state;
		uint64_t wanted;
		int ret;

		if (!families[i].ops->refresh || !state)
			continue;
		wanted = sources_want(&collector->sources, state, tables);
		if (!wanted)
			continue;
		ret = families[i].ops->refresh(state, wanted);
		if (ret < 0)
			return ret;
		if (ret)
			sources_mark(&collector->sources, state);
	}
	return 0;
}

int collector_read(struct collector *collector, uint64_t tables)
{
	return collector_read_with_rows(collector, tables, 0);
}

int collector_read_with_rows(struct collector *collector, uint64_t tables, uint64_t rows)
{
	int err;

	vms_stale(collector->vms, tables ? 0 : VMS_NAMES_NS);
	err = families_refresh(collector, tables | rows);
	return err ? err : sources_read(&collector->sources, tables, rows);
}
