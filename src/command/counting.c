// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "command/counting.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "collector/collector.h"
#include "command/commands.h"

struct counting {
	struct collector *collector;
	struct items items; /* not loaded from or saved to a file: kvmbpf shows no PMID */
	double since;	    /* monotonic(), when all was attached */
	bool verbose;
	int ended;     /* the signal that came; 0: none */
	double ticked; /* s */
	sigset_t signals;
};

/* The bytes of the family's name that a line begins with, before its colon; 0: of none. */
static size_t name_bytes(const char *text)
{
	const char *colon = strstr(text, ": ");
	size_t bytes = colon ? (size_t)(colon - text) : 0;

	return strcspn(text, " /") < bytes ? 0 : bytes;
}

static bool is_same(const struct report_line *a, const struct report_line *b)
{
	size_t of_a = name_bytes(a->text), of_b = name_bytes(b->text);

	return of_a && of_b && a->level == REPORT_WARNING && b->level == REPORT_WARNING &&
	       strcmp(a->text + of_a, b->text + of_b) == 0;
}

/* Families of which the same is wrong share a line. */
static void line_show(const struct report *report, size_t number)
{
	const struct report_line *line = &report->lines[number];
	size_t bytes = name_bytes(line->text);

	for (size_t i = 0; i < number; i++) {
		if (is_same(&report->lines[i], line))
			return;
	}
	fprintf(stderr, "kvmbpf: %.*s", (int)bytes, line->text);
	for (size_t i = number + 1; i < report->n; i++) {
		if (is_same(&report->lines[i], line))
			fprintf(stderr, ", %.*s", (int)name_bytes(report->lines[i].text),
				report->lines[i].text);
	}
	fprintf(stderr, "%s\n", line->text + bytes);
}

void counting_show(struct report *report, bool verbose)
{
	for (size_t i = 0; i < report->n; i++) {
		if (report->lines[i].level > REPORT_DEBUG || verbose)
			line_show(report, i);
	}
	report_clear(report);
}

static void report_attached(struct report *report, const struct collector *collector)
{
	const struct collector_family *open = collector_families(collector);

	for (size_t i = 0; i < families_count; i++) {
		if (!open[i].err)
			report_add(report, REPORT_DEBUG, "%s: attached in %.1f ms",
				   families[i].name, (double)open[i].attach_time / 1e6);
	}
}

static void signals_block(sigset_t *signals)
{
	sigemptyset(signals);
	sigaddset(signals, SIGINT);
	sigaddset(signals, SIGTERM);
	sigaddset(signals, SIGHUP);
	sigprocmask(SIG_BLOCK, signals, NULL);
}

static double monotonic(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int counting_configure(struct config *config, const char *path, bool verbose)
{
	struct report report = { 0 };
	int err;

	if (!path)
		return 0;
	config_free(config);
	err = config_load(path, &report, config);
	counting_show(&report, verbose);
	return err == -ENOMEM ? err : 0;
}

void counting_of_numbers(struct config *config)
{
	for (size_t i = 0; i < config->nevents; i++)
		free(config->events[i].name);
	config->nevents = 0;
	config->labels_stay = true;
	config->rows_late = true;
}

/* Are events to be counted that were chosen? The agent's are others. */
static bool of_events(const struct config *config)
{
	return config->only && strcmp(config->only, "trace") == 0;
}

int counting_open(const struct config *config, bool verbose, struct counting **ret_counting)
{
	struct counting *counting = calloc(1, sizeof(*counting));
	struct report report = { 0 };
	int err;

	if (!counting)
		return EXIT_FAILURE;
	counting->verbose = verbose;
	signals_block(&counting->signals);
	err = collector_open(config, &counting->items, NULL,
			     of_events(config) ? COLLECTOR_ALONE : COLLECTOR_READS, &report,
			     &counting->collector);
	if (!err)
		report_attached(&report, counting->collector);
	counting_show(&report, verbose);
	if (err) {
		fprintf(stderr, "kvmbpf: cannot start counting: %s\n", strerror(-err));
		counting_close(counting);
		return EXIT_FAILURE;
	}
	if (!collector_attached(counting->collector) && !collector_waits(counting->collector)) {
		fputs("kvmbpf: no family could be attached: nothing to count; "
		      "kvmbpf doctor says why, and what to do\n",
		      stderr);
		counting_close(counting);
		return EXIT_NOTHING;
	}
	counting->since = monotonic();
	counting_say(counting, "counting");
	*ret_counting = counting;
	return 0;
}

double counting_seconds(const struct counting *counting)
{
	return monotonic() - counting->since;
}

static void tick(struct counting *counting)
{
	struct report report = { 0 };

	collector_tick(counting->collector, &report);
	counting->ticked = monotonic();
	counting_show(&report, counting->verbose);
}

/* Wait for a signal. */
static void signal_take(struct counting *counting, const struct timespec *most)
{
	int signal = sigtimedwait(&counting->signals, NULL, most);

	if (signal > 0)
		counting->ended = signal;
}

bool counting_ended(struct counting *counting)
{
	if (!counting->ended)
		signal_take(counting, &(struct timespec){ 0 });
	return counting->ended;
}

bool counting_poll(struct counting *counting)
{
	if (!counting_ended(counting) && monotonic() - counting->ticked >= 1)
		tick(counting);
	return counting->ended;
}

void counting_tick_early(struct counting *counting)
{
	if (monotonic() - counting->ticked >= 0.5)
		tick(counting);
}

int counting_signal(struct counting *counting)
{
	int signal = counting->ended;

	counting->ended = 0;
	return signal;
}

bool counting_stands(const struct counting *counting)
{
	return collector_stands(counting->collector);
}

/* Ticks once a second, to follow KVM being loaded and new CPUs; and as it ends, unless one reads.
 */
static bool wait_seconds(struct counting *counting, double seconds, bool reads)
{
	double end = monotonic() + seconds;

	while (!counting->ended) {
		double left = seconds < 0 ? 1 : end - monotonic();
		struct timespec ts = { .tv_sec = 1 };

		if (left <= 0)
			break;
		if (left < 1)
			ts = (struct timespec){ .tv_nsec = (long)(left * 1e9) };
		signal_take(counting, &ts);
		if (!counting->ended && !(reads && left <= 1))
			tick(counting);
	}
	return counting->ended;
}

bool counting_wait(struct counting *counting, double seconds)
{
	return wait_seconds(counting, seconds, false);
}

bool counting_wait_to_read(struct counting *counting, double seconds)
{
	return wait_seconds(counting, seconds, true);
}

int counting_read(struct counting *counting, uint64_t tables)
{
	return collector_read(counting->collector, tables);
}

const char *counting_reads(const struct counting *counting)
{
	return collector_reads(counting->collector);
}

struct snapshot *counting_snapshot(struct counting *counting)
{
	return collector_snapshot(counting->collector);
}

int counting_reset_max(struct counting *counting)
{
	return collector_reset_max(counting->collector);
}

int counting_status(const struct counting *counting)
{
	bool waits = collector_waits(counting->collector);

	if (collector_attached(counting->collector) && !(counting_reads(counting) && waits))
		return 0;
	fprintf(stderr, "kvmbpf: nothing was counted: %s\n",
		waits ? "KVM was not loaded" : "no family could be attached");
	return EXIT_NOTHING;
}

void counting_say(const struct counting *counting, const char *what)
{
	if (counting->verbose)
		fprintf(stderr, "kvmbpf: %s\n", what);
}

void counting_close(struct counting *counting)
{
	if (!counting)
		return;
	collector_close(counting->collector);
	items_free(&counting->items);
	free(counting);
}
