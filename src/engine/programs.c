// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "engine/programs.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "kernel/privileges.h"
#include "kernel/prog_missed.h"

int program_fd(const struct program *program)
{
	const struct bpf_program *bpf = program->by_perf ? program->classic : program->program;

	return bpf ? bpf_program__fd(bpf) : -ENOENT;
}

/* Returns the link, or a negative number: attach it as a raw tracepoint. */
static int attach_by_perf(struct program *program, struct classic_events *classic)
{
	char *folder;
	int fd;

	if (!program->classic)
		return -ENOENT;
	fd = program->closing ? late_close_take(classic->late, program->closing) : -1;
	program->closing = 0;
	if (fd >= 0)
		return fd;
	folder = classic_events_folder(classic, program->event, program->fields);
	if (!folder)
		return -ENOENT;
	fd = classic_events_open(classic, folder, bpf_program__fd(program->classic));
	free(folder);
	return fd;
}

int programs_attach(struct program *programs, size_t n, struct classic_events *classic)
{
	for (size_t i = 0; i < n; i++) {
		struct program *program = &programs[i];
		int fd;

		if (program->link_fd >= 0)
			continue;
		fd = attach_by_perf(program, classic);
		program->by_perf = fd >= 0;
		if (fd < 0)
			fd = program_fd(program);
		if (fd >= 0 && !program->by_perf)
			fd = bpf_raw_tracepoint_open(program->event, fd);
		if (fd < 0)
			return fd;
		program->link_fd = fd;
	}
	return 0;
}

void programs_detach(struct program *programs, size_t n, struct classic_events *classic)
{
	for (size_t i = 0; i < n; i++) {
		struct program *program = &programs[i];

		if (program->link_fd >= 0 && program->by_perf)
			program->closing = late_close_put(classic->late, program->link_fd);
		else if (program->link_fd >= 0)
			close(program->link_fd);
		program->link_fd = -1;
	}
}

int programs_missed(const struct program *programs, size_t n, uint64_t *ret_missed)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		const struct bpf_program *both[] = { programs[i].program, programs[i].classic };

		for (size_t j = 0; j < sizeof(both) / sizeof(both[0]); j++) {
			uint64_t missed = 0;

			if (!both[j] && j)
				continue;
			if (prog_missed(both[j] ? bpf_program__fd(both[j]) : -1, &missed))
				return -ENODATA;
			sum += missed;
		}
	}
	*ret_missed = sum;
	return 0;
}

char *programs_refusal(int err, const struct events *events, const struct config *config)
{
	return err == -ENOENT ? events_missing(events, config->tracefs) :
				privs_load_text(err, config->lockdown);
}
