// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "collector/families_open.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>

#include "collector/libbpf_report.h"

/* The families that are opened at a time. Two threads take one after another. */
struct turn {
	struct collector_family *open;
	const struct family_env *env;
	struct report *reports; /* [families_count] */
	bool sharing;		/* those that use what others share */
	size_t next;
};

static bool is_of(const struct turn *turn, size_t number)
{
	return families[number].ops->sharing == turn->sharing;
}

static void one_open(const struct turn *turn, size_t number)
{
	struct family_env env = *turn->env;
	struct report *last;

	env.report = &turn->reports[number];
	last = libbpf_report_use(env.report);
	collector_family_open(&turn->open[number], &env);
	libbpf_report_use(last);
}

static void *some_open(void *data)
{
	struct turn *turn = data;

	for (;;) {
		size_t number = __atomic_fetch_add(&turn->next, 1, __ATOMIC_RELAXED);

		if (number >= families_count)
			return NULL;
		if (is_of(turn, number))
			one_open(turn, number);
	}
}

/* Are there two families to open, two CPUs for it, and may there be a second thread? */
static bool is_worth_it(const struct turn *turn)
{
	const struct config *config = turn->env->config;
	size_t n = 0;
	cpu_set_t cpus;

	for (size_t i = 0; i < families_count; i++)
		n += is_of(turn, i) && collector_family_is_chosen(config, &families[i]);
	/* with more CPUs than a set has the call fails */
	return n > 1 && !config->one_thread &&
	       (sched_getaffinity(0, sizeof(cpus), &cpus) || CPU_COUNT(&cpus) > 1);
}

/* The process's signals are for the thread that waits. */
static bool second_start(struct turn *turn, pthread_t *ret_thread)
{
	sigset_t all, before;
	bool started;

	if (!is_worth_it(turn))
		return false;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	started = pthread_create(ret_thread, NULL, some_open, turn) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return started;
}

static void turn_open(struct turn *turn)
{
	pthread_t second;
	bool started = second_start(turn, &second);

	some_open(turn);
	if (started)
		pthread_join(second, NULL);
}

int families_open(struct collector_family *open, const struct family_env *env)
{
	struct report *reports = calloc(families_count, sizeof(*reports));

	if (!reports)
		return -ENOMEM;
	for (int sharing = 0; sharing < 2; sharing++)
		turn_open(&(struct turn){
			.open = open, .env = env, .reports = reports, .sharing = sharing });
	for (size_t i = 0; i < families_count; i++)
		report_move(env->report, &reports[i]);
	free(reports);
	return 0;
}
