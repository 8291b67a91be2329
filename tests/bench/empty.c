// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * empty EVENT: attach the empty program to a raw tracepoint, print "ready" and wait until
 * standard input ends. A line of input enables the kernel's count of the program's runs and
 * prints "counting"; the count is printed at the end. It is off before, since it costs time that
 * a measurement would include.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "empty.skel.h"

static int fail(const char *what, int err)
{
	fprintf(stderr, "empty: %s: %s\n", what, strerror(-err));
	return EXIT_FAILURE;
}

static void say(const char *line)
{
	puts(line);
	fflush(stdout);
}

static int print_runs(int prog_fd)
{
	struct bpf_prog_info info = { 0 };
	__u32 size = sizeof(info);
	int err = bpf_obj_get_info_by_fd(prog_fd, &info, &size);

	if (err)
		return fail("the program's number of runs", err);
	printf("%llu\n", info.run_cnt);
	return EXIT_SUCCESS;
}

static int serve(int prog_fd)
{
	int stats_fd = -1, c, status;

	say("ready");
	while ((c = getchar()) != EOF) {
		if (c != '\n' || stats_fd >= 0)
			continue;
		stats_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
		if (stats_fd < 0)
			return fail("counting the program's runs", stats_fd);
		say("counting");
	}
	if (stats_fd < 0)
		return EXIT_SUCCESS;
	status = print_runs(prog_fd);
	close(stats_fd);
	return status;
}

int main(int argc, char **argv)
{
	struct empty_bpf *skel;
	struct bpf_link *link;
	int status;

	if (argc != 2) {
		fputs("Usage: empty EVENT\n", stderr);
		return 2;
	}
	skel = empty_bpf__open_and_load();
	if (!skel)
		return EXIT_FAILURE; /* libbpf has printed the error */
	link = bpf_program__attach_raw_tracepoint(skel->progs.empty, argv[1]);
	status = link ? serve(bpf_program__fd(skel->progs.empty)) : EXIT_FAILURE;
	bpf_link__destroy(link);
	empty_bpf__destroy(skel);
	return status;
}
