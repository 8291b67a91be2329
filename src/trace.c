// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The trace family: kvm.trace.<event>, counted per CPU by bpf/trace.bpf.c. */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/types.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "family.h"
#include "items.h"
#include "keys.h"
#include "template.h"
#include "trace_events.h"

struct trace {
	struct family_env env;
	struct trace_events events; /* an event's slot is its place here */
	struct bpf_object *object;
	const char *rows; /* the map, [env.cpus->n][stride] bytes; NULL: none */
	size_t stride;
};

static size_t rows_bytes(const struct trace *trace)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = trace->stride * trace->env.cpus->n;

	return (bytes + page - 1) / page * page;
}

/* Why loading failed, in words; NULL where there is no memory for them. */
static char *load_words(int err)
{
	char *words = NULL;
	int ret;

	if (err == -EPERM || err == -EACCES)
		ret = asprintf(
			&words,
			"bpf() was refused (%s): run as root, or with CAP_BPF and CAP_PERFMON",
			strerror(-err));
	else if (err == -ENOSYS)
		ret = asprintf(&words, "this kernel has no bpf()");
	else
		ret = asprintf(&words, "the BPF object cannot be loaded: %s", strerror(-err));
	return ret < 0 ? NULL : words;
}

/* Open and load the object: its map, and the template that the copies are made of. */
static int object_load(struct trace *trace, struct template *ret_template)
{
	const struct bpf_program *program;
	struct bpf_map *map;
	void *rows;
	int err;

	trace->object = bpf_object__open_mem(trace->env.image, trace->env.image_size, NULL);
	if (!trace->object)
		return -errno;
	map = bpf_object__find_map_by_name(trace->object, "trace_rows");
	program = bpf_object__find_program_by_name(trace->object, "trace_template");
	if (!map || !program)
		return -ENOENT;
	trace->stride = (trace->events.n * sizeof(__u64) + CACHE_LINE_BYTES - 1) /
			CACHE_LINE_BYTES * CACHE_LINE_BYTES;
	err = bpf_map__set_value_size(map, (__u32)trace->stride);
	if (!err)
		err = bpf_map__set_max_entries(map, (__u32)trace->env.cpus->n);
	if (!err)
		err = bpf_object__load(trace->object);
	if (err)
		return err;
	rows = mmap(NULL, rows_bytes(trace), PROT_READ, MAP_SHARED, bpf_map__fd(map), 0);
	if (rows == MAP_FAILED)
		return -errno;
	trace->rows = rows;
	return template_init(bpf_program__insns(program), bpf_program__insn_cnt(program),
			     TRACE_SLOT_MARK, ret_template);
}

static int trace_attach(struct trace *trace, char **ret_why)
{
	struct template template = { 0 };
	int err;

	err = object_load(trace, &template);
	if (err) {
		trace_events_fail(&trace->events, err);
		*ret_why = load_words(err);
		return err;
	}
	for (size_t i = 0; i < trace->events.n; i++) {
		struct trace_event *event = &trace->events.list[i];

		if (event->state == TRACE_EVENT_WANTED)
			trace_event_attached(event,
					     template_attach(&template, (__s32)i, event->name,
							     &event->prog_fd, &event->link_fd));
	}
	template_free(&template);
	return 0;
}

static void trace_close(void *state)
{
	struct trace *trace = state;

	if (!trace)
		return;
	if (trace->rows)
		munmap((void *)trace->rows, rows_bytes(trace));
	trace_events_free(&trace->events);
	bpf_object__close(trace->object);
	free(trace);
}

static int trace_open(const struct family_env *env, void **ret_state, char **ret_why)
{
	struct trace *trace;
	int err;

	trace = calloc(1, sizeof(*trace));
	if (!trace)
		return -ENOMEM;
	trace->env = *env;
	err = trace_events_resolve(env, &trace->events);
	if (err) {
		trace_close(trace);
		return err;
	}
	*ret_state = trace;
	if (!trace->events.n) {
		*ret_why = strdup("no event is configured");
		return -ENODATA; /* whoever made the configuration has said so */
	}
	err = trace_attach(trace, ret_why);
	if (!err)
		err = trace_events_report(&trace->events, env, ret_why);
	return err;
}

/* Is there any sense in a metric of that name? Not if nothing knows it. */
static bool is_metric(const struct trace_event *event)
{
	return event->state != TRACE_EVENT_UNKNOWN;
}

static int rows_add_cpus(const struct cpus *cpus, struct snapshot_table *table)
{
	int err = 0;

	for (size_t i = 0; !err && i < cpus->n; i++) {
		char name[32];

		if (!cpus->present[i] || snapshot_table_row(table, (uint32_t)i) >= 0)
			continue;
		snprintf(name, sizeof(name), "cpu%zu", i);
		err = snapshot_table_add_row(table, (uint32_t)i, name);
	}
	return err;
}

static int counts_init(void *state, struct snapshot_table *table)
{
	struct trace *trace = state;
	int err = 0;

	for (size_t i = 0; !err && i < trace->events.n; i++) {
		if (is_metric(&trace->events.list[i]))
			err = snapshot_table_add_column(table, trace->events.list[i].name);
	}
	return err ? err : rows_add_cpus(trace->env.cpus, table);
}

/* No system call: the rows are mapped memory, each 8-byte slot read in one go. */
static int counts_read(void *state, struct snapshot_table *table)
{
	struct trace *trace = state;
	int err;

	err = rows_add_cpus(trace->env.cpus, table);
	if (err || !trace->rows)
		return err;
	for (size_t row = 0; row < table->nrows; row++) {
		const char *slots = trace->rows + table->rows[row].id * trace->stride;
		struct snapshot_cell *cell = snapshot_table_cell(table, row, 0);

		for (size_t i = 0; i < trace->events.n; i++) {
			const struct trace_event *event = &trace->events.list[i];

			if (!is_metric(event))
				continue;
			if (event->state == TRACE_EVENT_ATTACHED)
				snapshot_cell_set(cell, __atomic_load_n((const __u64 *)slots + i,
									__ATOMIC_RELAXED));
			cell++;
		}
	}
	return 0;
}

static int total_init(void *state, struct snapshot_table *table)
{
	int err;

	(void)state;
	err = snapshot_table_add_column(table, "count");
	return err ? err : snapshot_table_add_row(table, 0, "");
}

static int total_read(void *state, struct snapshot_table *table)
{
	struct trace *trace = state;

	snapshot_cell_set(snapshot_table_cell(table, 0, 0), trace->events.n);
	return 0;
}

/* A row for every event, in the order of kvm.conf. */
static int event_rows(const struct trace *trace, struct snapshot_table *table)
{
	int err = 0;

	for (size_t i = 0; !err && i < trace->events.n; i++)
		err = snapshot_table_add_row(table, (uint32_t)i, trace->events.list[i].name);
	return err;
}

static int event_init(void *state, struct snapshot_table *table)
{
	int err;

	err = snapshot_table_add_column(table, "attached");
	if (!err)
		err = snapshot_table_add_column(table, "status");
	return err ? err : event_rows(state, table);
}

static int event_read(void *state, struct snapshot_table *table)
{
	struct trace *trace = state;
	int err = 0;

	for (size_t i = 0; !err && i < trace->events.n; i++) {
		const struct trace_event *event = &trace->events.list[i];
		struct snapshot_cell *cells = snapshot_table_cell(table, i, 0);

		snapshot_cell_set(&cells[0], event->state == TRACE_EVENT_ATTACHED);
		err = snapshot_cell_set_text(&cells[1], trace_event_status(event));
	}
	return err;
}

static int missed_init(void *state, struct snapshot_table *table)
{
	int err = snapshot_table_add_column(table, "missed");

	return err ? err : event_rows(state, table);
}

static int missed_read(void *state, struct snapshot_table *table)
{
	struct trace *trace = state;

	for (size_t i = 0; i < trace->events.n; i++) {
		struct snapshot_cell *cell = snapshot_table_cell(table, i, 0);
		uint64_t missed;

		if (trace_event_missed(&trace->events.list[i], &missed))
			snapshot_cell_unset(cell);
		else
			snapshot_cell_set(cell, missed);
	}
	return 0;
}

static int trace_missed(void *state, uint64_t *ret_missed)
{
	struct trace *trace = state;
	uint64_t sum = 0, missed;
	int err = -ENODATA;

	for (size_t i = 0; i < trace->events.n; i++) {
		if (trace_event_missed(&trace->events.list[i], &missed))
			continue;
		sum += missed;
		err = 0;
	}
	if (!err)
		*ret_missed = sum;
	return err;
}

static const struct family_table trace_tables[] = {
	{ "trace", counts_init, counts_read },
	{ "trace_events", total_init, total_read },
	{ "event", event_init, event_read },
	{ "event_missed", missed_init, missed_read },
};

extern const struct family_ops trace_family;

const struct family_ops trace_family = {
	.open = trace_open,
	.close = trace_close,
	.missed = trace_missed,
	.tables = trace_tables,
	.ntables = sizeof(trace_tables) / sizeof(trace_tables[0]),
};
