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

#include "families/family.h"
#include "metrics/item_numbers.h"
#include "bpf/trace.h"
#include "kernel/privileges.h"
#include "kernel/prog_template.h"
#include "families/trace/trace_events.h"
#include "trace.skel.h"

struct trace {
	struct family_env env;
	struct trace_events events;
	struct trace_bpf *skeleton;	       /* NULL: not opened */
	struct template template, template_tp; /* for perf: no instructions if not wanted */
	const struct trace_row *rows;	       /* the mapped map, [env.cpus->n]; NULL: not mapped */
};

static size_t rows_bytes(const struct trace *trace)
{
	return sizeof(struct trace_row) * trace->env.cpus->n;
}

static void event_changed(void *data, const char *name);

/* Are there events that perf is to attach? */
static bool by_perf(const struct trace *trace)
{
	return classic_events_wanted(trace->env.classic);
}

static bool is_reading(const struct trace *trace)
{
	return trace->env.pins && trace->env.pins->reading;
}

static int template_of(const struct bpf_program *program, struct template *ret_template)
{
	return template_init(bpf_program__insns(program), bpf_program__insn_cnt(program),
			     TRACE_SLOT_MARK, ret_template);
}

static int templates_init(struct trace *trace)
{
	int err = template_of(trace->skeleton->progs.trace_template, &trace->template);

	if (err || !by_perf(trace))
		return err;
	err = template_of(trace->skeleton->progs.trace_template_tp, &trace->template_tp);
	trace->template_tp.type = BPF_PROG_TYPE_TRACEPOINT;
	return err;
}

/* Load the maps and the template; or read the maps of the agent that runs. */
static int maps_take(struct trace *trace)
{
	struct trace_bpf *skeleton = trace->skeleton;
	struct pinned pinned = { skeleton->skeleton, skeleton->maps.trace_meta, TRACE_LAYOUT };
	int err;

	if (is_reading(trace)) {
		err = pins_read(trace->env.pins, &pinned, trace->env.report);
		if (err != -ESTALE)
			return err;
		trace->env.pins = NULL;
	}
	return pins_load(trace->env.pins, &pinned, trace->env.report);
}

/* Open and load the object: its maps, and the template for the per-event programs. */
static int object_load(struct trace *trace)
{
	struct trace_bpf *skeleton = trace_bpf__open();
	struct bpf_map *map;
	void *rows;
	int err;

	if (!skeleton)
		return -errno;
	trace->skeleton = skeleton;
	map = skeleton->maps.trace_rows;
	err = bpf_map__set_max_entries(map, (__u32)trace->env.cpus->n);
	if (!err)
		err = bpf_program__set_autoload(skeleton->progs.trace_template_tp, by_perf(trace));
	if (!err)
		err = maps_take(trace);
	if (err)
		return err;
	rows = mmap(NULL, rows_bytes(trace), PROT_READ, MAP_SHARED, bpf_map__fd(map), 0);
	if (rows == MAP_FAILED)
		return -errno;
	trace->rows = rows;
	if (is_reading(trace))
		return 0;
	trace->env.rows->fd = bpf_map__fd(map);
	trace->env.rows->changed = event_changed;
	trace->env.rows->data = trace;
	return templates_init(trace);
}

/* Assign a slot to every event that can be attached, now or later. */
static void slots_assign(struct trace *trace)
{
	for (size_t i = 0; i < trace->events.n; i++) {
		struct trace_event *event = &trace->events.list[i];

		if (event->slot || event->state == TRACE_EVENT_UNKNOWN)
			continue;
		/* the numbers that an agent has given to unknown events are its own */
		if (is_reading(trace) && !items_find(ITEMS_TRACE, event->name))
			continue;
		event->slot = items_number(trace->env.items, ITEMS_TRACE, event->name);
		if (event->slot < 0) {
			trace_event_attached(event, event->slot);
			event->slot = 0;
		} else if (trace->rows) {
			event->counted = trace_slot_used(trace->rows, trace->env.cpus->n,
							 event->slot);
		}
	}
}

/* Have a program of this kind, in place of one of the other. */
static int event_program(struct trace *trace, struct trace_event *event, bool perf)
{
	int fd;

	if (event->prog_fd >= 0 && event->by_perf == perf)
		return 0;
	fd = template_load(perf ? &trace->template_tp : &trace->template, event->slot, event->name);
	if (fd < 0)
		return fd;
	if (event->prog_fd >= 0)
		close(event->prog_fd);
	event->prog_fd = fd;
	event->by_perf = perf;
	return 0;
}

/* Returns the link, or a negative number: attach it as a raw tracepoint. */
static int attach_by_perf(struct trace *trace, struct trace_event *event)
{
	char *folder;
	int fd = -1;

	if (event->closing)
		fd = late_close_take(trace->env.classic->late, event->closing);
	event->closing = 0;
	if (fd >= 0)
		return fd;
	folder = classic_events_folder(trace->env.classic, event->name, NULL);
	if (!folder)
		return -ENOENT;
	fd = event_program(trace, event, true);
	if (!fd)
		fd = classic_events_open(trace->env.classic, folder, event->prog_fd);
	free(folder);
	return fd;
}

/*
 * Have another family's program count the event, if there is one, or attach one of its own. A
 * detached program stays loaded and is attached again.
 */
static int event_attach(struct trace *trace, struct trace_event *event)
{
	const struct event_source *source = event_rows_source(trace->env.rows, event->name);
	int err;

	if (source) {
		*source->slot = (__u32)event->slot;
		event->source_fd = source->prog_fd;
		return 0;
	}
	event->link_fd = attach_by_perf(trace, event);
	if (event->link_fd >= 0) {
		trace->skeleton->bss->tp_counts[event->slot] = 1;
		return 0;
	}
	err = event_program(trace, event, false);
	if (err)
		return err;
	event->link_fd = bpf_raw_tracepoint_open(event->name, event->prog_fd);
	return event->link_fd < 0 ? event->link_fd : 0;
}

static void event_detach(struct trace *trace, struct trace_event *event)
{
	if (event->link_fd >= 0 && event->by_perf)
		trace->skeleton->bss->tp_counts[event->slot] = 0;
	trace_event_detach(event, trace->env.classic ? trace->env.classic->late : NULL);
}

/*
 * Another family offers to count an event, or does no longer. Between the two programs some events
 * may pass that none counts, rather than that both do.
 */
static void event_changed(void *data, const char *name)
{
	struct trace *trace = data;

	for (size_t i = 0; i < trace->events.n; i++) {
		struct trace_event *event = &trace->events.list[i];

		if (event->state != TRACE_EVENT_ATTACHED || strcmp(event->name, name) != 0)
			continue;
		event_detach(trace, event);
		trace_event_attached(event, event_attach(trace, event));
	}
}

static int trace_attach(void *state, struct report *report, char **ret_error)
{
	struct trace *trace = state;
	size_t before = 0, fresh = 0;
	int err;

	trace->env.report = report;
	err = trace_events_resolve(&trace->env, &trace->events);
	if (!err)
		slots_assign(trace);
	if (err || is_reading(trace)) {
		trace->env.report = NULL;
		*ret_error = err ? NULL : strdup(FAMILY_READS);
		return err;
	}
	for (size_t i = 0; i < trace->events.n; i++) {
		struct trace_event *event = &trace->events.list[i];

		if (!event->slot)
			continue;
		if (event->state == TRACE_EVENT_ATTACHED) {
			before++;
			continue;
		}
		trace_event_attached(event, event_attach(trace, event));
		fresh += event->state == TRACE_EVENT_ATTACHED;
	}
	/* events that appear while KVM is being loaded join a family that is attached already */
	if (fresh && !before)
		pins_generation(trace->skeleton->maps.trace_meta, 1);
	err = trace_events_report(&trace->events, &trace->env, ret_error);
	trace->env.report = NULL;
	return err;
}

static void trace_detach(void *state)
{
	struct trace *trace = state;

	for (size_t i = 0; i < trace->events.n; i++) {
		struct trace_event *event = &trace->events.list[i];
		const struct event_source *source;

		source = event->source_fd < 0 ? NULL :
						event_rows_source(trace->env.rows, event->name);
		if (source)
			*source->slot = 0;
		event_detach(trace, event);
	}
}

static void trace_close(void *state)
{
	struct trace *trace = state;

	if (!trace)
		return;
	trace_detach(trace);
	if (trace->rows) {
		trace->env.rows->fd = -1;
		trace->env.rows->changed = NULL;
		munmap((void *)trace->rows, rows_bytes(trace));
	}
	trace_events_free(&trace->events);
	template_free(&trace->template);
	template_free(&trace->template_tp);
	trace_bpf__destroy(trace->skeleton);
	free(trace);
}

static int trace_open(const struct family_env *env, void **ret_state, char **ret_error)
{
	struct trace *trace;
	int err;

	trace = calloc(1, sizeof(*trace));
	if (!trace)
		return -ENOMEM;
	trace->env = *env;
	*ret_state = trace;
	if (!env->config->nevents) {
		*ret_error = strdup("no event is configured");
		return -ENODATA; /* the config parser has reported it */
	}
	err = object_load(trace);
	if (err) {
		/* list the configured events all the same, with the error as status */
		trace_events_resolve(&trace->env, &trace->events);
		slots_assign(trace);
		trace_events_fail(&trace->events, err);
		*ret_error = err == -ENOENT && is_reading(trace) ?
				     strdup(FAMILY_NOT_THERE) :
				     privs_load_text(err, env->config->lockdown);
	}
	trace->env.report = NULL;
	return err;
}

static uint64_t trace_generation(void *state)
{
	struct trace *trace = state;

	return trace->rows ? pins_generation(trace->skeleton->maps.trace_meta, 0) : 0;
}

/* A column for each event with a slot; each column is a metric. */
static int counts_columns(void *state, const struct table *table, struct snapshot_table *to)
{
	struct trace *trace = state;
	int err = 0;

	(void)table;
	for (size_t i = 0; !err && i < trace->events.n; i++) {
		struct trace_event *event = &trace->events.list[i];

		if (!event->slot || event->column >= 0)
			continue;
		err = snapshot_table_add_column(to, event->name);
		if (!err)
			event->column = (int)to->ncolumns - 1;
	}
	return err;
}

static bool counts_begin(void *state)
{
	struct trace *trace = state;

	if (is_reading(trace) && trace->rows)
		trace_events_note(&trace->events, trace->rows, trace->env.cpus->n);
	return trace->rows;
}

/* Needs no system call: the rows are mapped memory, and each 8-byte slot is read atomically. */
static int counts_fill(void *state, const struct table_row *row)
{
	const struct trace *trace = state;
	const __u64 *slots = trace->rows[row->owner->id].count;

	for (size_t i = 0; i < trace->events.n; i++) {
		const struct trace_event *event = &trace->events.list[i];

		if (event->counted && event->column >= 0)
			snapshot_cell_set(&row->cells[event->column],
					  __atomic_load_n(&slots[event->slot], __ATOMIC_RELAXED));
	}
	return 0;
}

static int total_fill(void *state, const struct table_row *row)
{
	const struct trace *trace = state;

	snapshot_cell_set(&row->cells[0], trace->events.n);
	return 0;
}

/*
 * A row for every event, in the order of kvm.conf. An event that tracepoint_items.def knows has its
 * item number as an instance.
 */
static int event_keys(void *state, const struct owner *owner, struct table_sync *sync)
{
	const struct trace *trace = state;
	int err = 0;

	(void)owner;
	for (size_t i = 0; !err && i < trace->events.n; i++) {
		const char *name = trace->events.list[i].name;
		const struct item *item = items_find(ITEMS_TRACE, name);

		err = table_want(sync, &(struct table_key){
					       .key = (uint32_t)i,
					       .name = name,
					       .number = item ? item->number : TABLE_BY_NAME,
				       });
	}
	return err;
}

static int event_fill(void *state, const struct table_row *row)
{
	struct trace *trace = state;
	const struct trace_event *event = &trace->events.list[row->key];
	bool unknown;

	counts_begin(trace);
	unknown = is_reading(trace) && event->state == TRACE_EVENT_WANTED;
	if (!unknown)
		snapshot_cell_set(&row->cells[0], event->state == TRACE_EVENT_ATTACHED);
	return snapshot_cell_set_text(&row->cells[1],
				      unknown ? "not counted yet by the agent that runs" :
						trace_event_status(event));
}

static int missed_fill(void *state, const struct table_row *row)
{
	const struct trace *trace = state;
	uint64_t missed;

	if (!trace_event_missed(&trace->events.list[row->key], &missed))
		snapshot_cell_set(&row->cells[0], missed);
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

static const char *const total_columns[] = { "count", NULL };
static const char *const event_columns[] = { "attached", "status", NULL };
static const char *const missed_columns[] = { "missed", NULL };

static const struct table trace_tables[] = {
	{ .name = "trace",
	  .owner = OWNER_CPU,
	  .make_columns = counts_columns,
	  .begin = counts_begin,
	  .fill = counts_fill },
	{ .name = "trace_events", .columns = total_columns, .fill = total_fill },
	{ .name = "event",
	  .label = "event",
	  .columns = event_columns,
	  .keys = event_keys,
	  .fill = event_fill },
	{ .name = "event_missed",
	  .label = "event",
	  .columns = missed_columns,
	  .keys = event_keys,
	  .fill = missed_fill },
};

extern const struct family_ops trace_family;

const struct family_ops trace_family = {
	.last = true,
	.open = trace_open,
	.attach = trace_attach,
	.detach = trace_detach,
	.close = trace_close,
	.missed = trace_missed,
	.generation = trace_generation,
	.tables = trace_tables,
	.ntables = sizeof(trace_tables) / sizeof(trace_tables[0]),
};
