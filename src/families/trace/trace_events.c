// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "families/trace/trace_events.h"

#include <errno.h>
#include <fnmatch.h>
#include <linux/types.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/privileges.h"
#include "metrics/item_numbers.h"
#include "bpf/trace.h"
#include "kernel/prog_missed.h"

/* Warn about a line of kvm.conf; line 0: about the built-in defaults. */
static void warn(const struct family_env *env, unsigned line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void warn(const struct family_env *env, unsigned line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report_vadd_at(env->report, REPORT_WARNING, env->config->path, line, format, args);
	va_end(args);
}

static struct trace_event *find(const struct trace_events *events, const char *name)
{
	for (size_t i = 0; i < events->n; i++) {
		if (strcmp(events->list[i].name, name) == 0)
			return &events->list[i];
	}
	return NULL;
}

/* Add an event; if it is listed as unknown, update its state. Returns 0 or -ENOMEM. */
static int add(struct trace_events *events, const char *name, unsigned line,
	       enum trace_event_state state)
{
	struct trace_event *list, *known = find(events, name);
	char *copy;

	if (known) {
		if (known->state == TRACE_EVENT_UNKNOWN)
			known->state = state;
		return 0;
	}
	list = reallocarray(events->list, events->n + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	events->list = list;
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	list[events->n++] = (struct trace_event){
		.name = copy,
		.line = line,
		.state = state,
		.column = -1,
		.prog_fd = -1,
		.link_fd = -1,
		.source_fd = -1,
	};
	return 0;
}

/*
 * An event is tried if this kernel lists it, or may have it because tracepoint_items.def knows it.
 * Any other name could be a tracepoint outside KVM.
 */
static enum trace_event_state classify(const struct family_env *env, const char *name)
{
	return events_has(env->events, name) || items_find(ITEMS_TRACE, name) ? TRACE_EVENT_WANTED :
										TRACE_EVENT_UNKNOWN;
}

static int add_pattern(const struct family_env *env, const struct config_event *wanted,
		       struct trace_events *events)
{
	size_t matched = 0;
	int err = 0;

	for (size_t i = 0; !err && i < env->events->n; i++) {
		if (fnmatch(wanted->name, env->events->names[i], 0) != 0)
			continue;
		matched++;
		err = add(events, env->events->names[i], wanted->line, TRACE_EVENT_WANTED);
	}
	if (!matched && env->events->n)
		warn(env, wanted->line, "pattern \"%s\" matches none of this kernel's %zu events",
		     wanted->name, env->events->n);
	return err;
}

static int add_name(const struct family_env *env, const struct config_event *wanted,
		    struct trace_events *events)
{
	enum trace_event_state state = classify(env, wanted->name);
	int err = add(events, wanted->name, wanted->line, state);

	if (!err && state == TRACE_EVENT_UNKNOWN && env->events->n)
		warn(env, wanted->line, "there is no event \"%s\" in this kernel's kvm group",
		     wanted->name);
	return err;
}

int trace_events_resolve(const struct family_env *env, struct trace_events *events)
{
	int err = 0;

	for (size_t i = 0; !err && i < env->config->nevents; i++) {
		const struct config_event *wanted = &env->config->events[i];

		err = wanted->pattern ? add_pattern(env, wanted, events) :
					add_name(env, wanted, events);
	}
	return err;
}

/* The program that counts the event now; -1: none. */
static int counting_fd(const struct trace_event *event)
{
	if (event->source_fd >= 0)
		return event->source_fd;
	return event->link_fd >= 0 ? event->prog_fd : -1;
}

void trace_event_attached(struct trace_event *event, int err)
{
	event->err = err;
	event->state = err ? TRACE_EVENT_FAILED : TRACE_EVENT_ATTACHED;
	event->counted |= !err;
	if (!err)
		event->missed_known = !prog_missed(counting_fd(event), &event->missed_before);
}

void trace_event_detach(struct trace_event *event, struct late_close *late)
{
	if (event->link_fd < 0 && event->source_fd < 0)
		return;
	if (event->missed_known)
		trace_event_missed(event, &event->missed);
	if (event->link_fd >= 0 && event->by_perf)
		event->closing = late_close_put(late, event->link_fd);
	else if (event->link_fd >= 0)
		close(event->link_fd);
	event->link_fd = event->source_fd = -1;
	event->state = TRACE_EVENT_DETACHED;
}

void trace_events_fail(struct trace_events *events, int err)
{
	for (size_t i = 0; i < events->n; i++) {
		if (events->list[i].state == TRACE_EVENT_WANTED)
			trace_event_attached(&events->list[i], err);
	}
}

const char *trace_event_status(const struct trace_event *event)
{
	static const char *const texts[] = {
		[TRACE_EVENT_WANTED] = "not attached",
		[TRACE_EVENT_UNKNOWN] = "no such event in this kernel",
		[TRACE_EVENT_ATTACHED] = "attached",
		[TRACE_EVENT_DETACHED] = "detached",
	};

	if (event->state != TRACE_EVENT_FAILED)
		return texts[event->state];
	return event->err == -ENOENT ? texts[TRACE_EVENT_UNKNOWN] : strerror(-event->err);
}

/* Did all events that were tried fail with this error? */
static bool all_failed_with(const struct trace_events *events, int err)
{
	for (size_t i = 0; i < events->n; i++) {
		const struct trace_event *event = &events->list[i];

		if (event->state != TRACE_EVENT_UNKNOWN && event->err != err)
			return false;
	}
	return true;
}

static const struct trace_event *first_failed(const struct trace_events *events)
{
	for (size_t i = 0; i < events->n; i++) {
		if (events->list[i].state == TRACE_EVENT_FAILED)
			return &events->list[i];
	}
	return NULL;
}

/* Why an event has failed; where the kernel refuses, the cause. NULL: no memory. */
static char *event_cause(const struct trace_event *event, const struct family_env *env)
{
	if (event->err == -EPERM || event->err == -EACCES)
		return privs_load_text(event->err, env->config->lockdown);
	return strdup(trace_event_status(event));
}

/* The reason why nothing is attached, if it is the same for all events. */
static char *none_error(const struct trace_events *events, const struct family_env *env)
{
	const struct trace_event *failed = first_failed(events);

	if (failed && (env->events->n || failed->err != -ENOENT))
		return event_cause(failed, env);
	if (env->events->n)
		return strdup("this kernel has none of the events in [trace]");
	if (env->events->loaded)
		return events_missing(env->events, env->config->tracefs);
	return strdup("KVM is not loaded: tracepoints are attached when it is loaded");
}

/* That nothing is attached is a fault, unless KVM is not there. */
static int none_result(const struct trace_events *events, const struct family_env *env)
{
	const struct trace_event *failed = first_failed(events);

	if (failed && failed->err != -ENOENT)
		return failed->err;
	return env->events->loaded && !env->events->n ? -EOPNOTSUPP : -ENOENT;
}

/* KVM is loaded, but its events are listed nowhere, so patterns cannot be resolved. */
static void warn_patterns(const struct family_env *env)
{
	for (size_t i = 0; i < env->config->nevents; i++) {
		const struct config_event *wanted = &env->config->events[i];

		if (wanted->pattern)
			warn(env, wanted->line,
			     "pattern \"%s\" matches nothing: no kvm event is listed in %s or %s/events",
			     wanted->name, KERNEL_TYPES_DIR, env->config->tracefs);
	}
}

/* A line for each event that has failed. The cause of many is mostly one. */
static void warn_failed(const struct trace_events *events, const struct family_env *env)
{
	char *cause = NULL;
	int err = 0;

	for (size_t i = 0; i < events->n; i++) {
		const struct trace_event *event = &events->list[i];

		if (event->state != TRACE_EVENT_FAILED)
			continue;
		if (!cause || event->err != err) {
			free(cause);
			cause = event_cause(event, env);
			err = event->err;
		}
		warn(env, event->line, "event \"%s\" is not traced: %s", event->name,
		     cause ? cause : strerror(-err));
	}
	free(cause);
}

int trace_events_report(const struct trace_events *events, const struct family_env *env,
			char **ret_error)
{
	const struct trace_event *failed = first_failed(events);
	size_t attached = 0;

	for (size_t i = 0; i < events->n; i++)
		attached += events->list[i].state == TRACE_EVENT_ATTACHED;
	if (!attached && (!failed || all_failed_with(events, failed->err))) {
		*ret_error = none_error(events, env);
		return none_result(events, env);
	}
	if (!env->events->n)
		warn_patterns(env);
	warn_failed(events, env);
	return attached ? 0 : failed->err;
}

int trace_event_missed(const struct trace_event *event, uint64_t *ret_missed)
{
	uint64_t missed = event->missed_before;
	int fd = counting_fd(event);

	if (!event->missed_known || (fd >= 0 && prog_missed(fd, &missed)))
		return -ENODATA;
	*ret_missed = event->missed + (missed - event->missed_before);
	return 0;
}

bool trace_slot_used(const struct trace_row *rows, size_t n, int slot)
{
	for (size_t cpu = 0; cpu < n; cpu++) {
		if (rows[cpu].count[slot])
			return true;
	}
	return false;
}

void trace_events_note(struct trace_events *events, const struct trace_row *rows, size_t n)
{
	for (size_t i = 0; i < events->n; i++) {
		struct trace_event *event = &events->list[i];

		if (event->slot && !event->counted)
			event->counted = trace_slot_used(rows, n, event->slot);
		if (event->counted)
			event->state = TRACE_EVENT_ATTACHED;
	}
}

void trace_events_free(struct trace_events *events)
{
	for (size_t i = 0; i < events->n; i++) {
		if (events->list[i].link_fd >= 0)
			close(events->list[i].link_fd);
		if (events->list[i].prog_fd >= 0)
			close(events->list[i].prog_fd);
		free(events->list[i].name);
	}
	free(events->list);
	*events = (struct trace_events){ 0 };
}
