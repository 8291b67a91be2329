// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "command/top_source.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "command/counting.h"
#include "command/snapshot_file.h"
#include "command/top_view.h"

/* Keys and signals are looked for so long at least, s, however long a screen takes. */
#define SHORTEST 0.01

struct top_source {
	struct counting *counting; /* NULL: files are read */
	double read;		   /* when that was done last, by top_source_clock() */
	struct snapshot files[TOP_FILES];
	size_t nfiles, at;
	double seconds; /* between the files */
};

double top_source_clock(void)
{
	return (double)clock_ns() / 1e9;
}

int top_source_open(const struct config *config, const char *const *files, size_t nfiles,
		    double seconds, struct top_source **ret_source)
{
	struct top_source *source = calloc(1, sizeof(*source));
	int status = source ? 0 : EXIT_FAILURE;

	if (source && !nfiles)
		status = counting_open(config, false, &source->counting);
	for (size_t i = 0; !status && i < nfiles; i++) {
		if (snapshot_file_load(files[i], false, &source->files[i]))
			status = EXIT_FAILURE;
		else
			source->nfiles++;
	}
	if (status) {
		top_source_close(source);
		return status;
	}
	source->seconds = seconds;
	*ret_source = source;
	return 0;
}

void top_source_close(struct top_source *source)
{
	if (!source)
		return;
	counting_close(source->counting);
	for (size_t i = 0; i < source->nfiles; i++)
		snapshot_free(&source->files[i]);
	free(source);
}

int top_source_read(struct top_source *source, uint64_t tables, bool first)
{
	if (source->counting) {
		double begun = top_source_clock();
		int err = counting_read(source->counting, tables);

		/* what is due then, such as making room for many VMs, is in the interval */
		source->read = (begun + top_source_clock()) / 2;
		counting_tick_early(source->counting);
		return err;
	}
	source->at = first ? 0 : source->nfiles - 1;
	source->read = top_source_clock();
	return 0;
}

const struct snapshot *top_source_snapshot(const struct top_source *source)
{
	return source->counting ? counting_snapshot(source->counting) : &source->files[source->at];
}

bool top_source_begins(const struct top_source *source)
{
	return source->counting && !counting_reads(source->counting);
}

double top_source_now(const struct top_source *source)
{
	return source->counting ? source->read : 1 + source->seconds * (double)source->at;
}

bool top_source_ended(const struct top_source *source)
{
	return !source->counting && source->at == source->nfiles - 1;
}

double top_source_due(const struct top_source *source, double seconds)
{
	double due = source->read + seconds, soon = top_source_clock() + SHORTEST;

	return due > soon ? due : soon;
}

/* Without anything to count, the default of signals is right. */
bool top_source_wait(struct top_source *source, double seconds)
{
	double left = top_source_due(source, seconds) - top_source_clock();

	if (source->counting)
		return counting_wait_to_read(source->counting, left);
	return false;
}

bool top_source_poll(struct top_source *source, bool reads)
{
	if (!source->counting)
		return false;
	return reads ? counting_ended(source->counting) : counting_poll(source->counting);
}

const char *top_source_note(const struct top_source *source)
{
	if (source->counting && counting_stands(source->counting))
		return "the agent has ended: counts stand";
	return NULL;
}

bool top_source_find(const struct top_source *source, const char *name, char *ret_vm)
{
	const struct snapshot_table *vms = snapshot_find_table(top_source_snapshot(source), "vm");
	size_t bytes = strlen(name), found = 0;

	for (size_t i = 0; vms && i < vms->nrows; i++) {
		const char *vm = vms->rows[i].name, *rest = vm + bytes;
		bool same = strcmp(vm, name) == 0;

		if (!same && (strncmp(vm, name, bytes) != 0 || *rest != '-' ||
			      rest[1 + strspn(rest + 1, "0123456789.")]))
			continue;
		found = same ? 1 : found + 1;
		snprintf(ret_vm, TOP_NAME_SIZE, "%s", vm);
		if (same)
			break;
	}
	if (found == 1)
		return true;
	fprintf(stderr,
		found ? "kvmbpf top: --vm: several VMs are called \"%s\": give NAME-PID\n" :
			"kvmbpf top: --vm: no VM \"%s\" runs\n",
		name);
	return false;
}
