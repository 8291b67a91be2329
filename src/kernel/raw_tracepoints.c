// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "kernel/raw_tracepoints.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <unistd.h>

static int program_fd(const struct program *program)
{
	return program->program ? bpf_program__fd(program->program) : -ENOENT;
}

int programs_attach(struct program *programs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int fd;

		if (programs[i].link_fd >= 0)
			continue;
		fd = program_fd(&programs[i]);
		if (fd >= 0)
			fd = bpf_raw_tracepoint_open(programs[i].event, fd);
		if (fd < 0)
			return fd;
		programs[i].link_fd = fd;
	}
	return 0;
}

void programs_detach(struct program *programs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (programs[i].link_fd >= 0)
			close(programs[i].link_fd);
		programs[i].link_fd = -1;
	}
}

int programs_missed(const struct program *programs, size_t n, uint64_t *ret_missed)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		struct bpf_prog_info info = { 0 };
		__u32 size = sizeof(info);
		int fd = program_fd(&programs[i]);

		if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) ||
		    size < offsetof(struct bpf_prog_info, recursion_misses) +
				    sizeof(info.recursion_misses))
			return -ENODATA;
		sum += info.recursion_misses;
	}
	*ret_missed = sum;
	return 0;
}
