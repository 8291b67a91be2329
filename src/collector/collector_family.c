// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "collector/collector_family.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

void collector_family_note(struct collector_family *open, int err, char *error, bool quiet,
			   struct report *report)
{
	bool is_new = err && (open->unreported || err != open->err ||
			      (error && open->error && strcmp(error, open->error)));

	free(open->error);
	open->err = err;
	open->error = error;
	open->unreported = is_new && quiet;
	/*
	 * -ENOENT, KVM is not loaded yet, is no problem. -ENODATA (nothing to count here) and
	 * -ECANCELED (deselected, or detached by a store) need no line.
	 */
	if (is_new && !quiet && err != -ENODATA && err != -ECANCELED)
		report_add(report, err == -ENOENT ? REPORT_INFO : REPORT_WARNING, "%s: %s",
			   open->family->name, error ? error : strerror(-err));
}

void collector_family_attach(struct collector_family *open, bool quiet, struct report *report)
{
	uint64_t start = clock_ns();
	char *error = NULL;
	int err = open->family->ops->attach(open->state, report, &error);

	open->attach_time = clock_ns() - start;
	collector_family_note(open, err, error, quiet, report);
}

bool collector_family_is_chosen(const struct config *config, const struct family *family)
{
	return !config->only || strcmp(family->name, config->only) == 0;
}

void collector_family_open(struct collector_family *open, const struct family_env *env)
{
	const struct family_ops *ops = open->family->ops;
	uint64_t start = clock_ns();
	char *error = NULL;
	int err;

	if (!collector_family_is_chosen(env->config, open->family)) {
		collector_family_note(open, -ECANCELED, strdup("not selected"), true, env->report);
		return;
	}
	err = ops->open(env, &open->state, &error);
	open->loaded = !err;
	open->wanted = err != -ECANCELED;
	open->attach_time = clock_ns() - start;
	if (err)
		collector_family_note(open, err, error, false, env->report);
}
