// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * timed FILE COMMAND...: run the command, write its CPU time in ns to FILE, and exit with its
 * status. CPU time excludes the time that other programs run, and includes the cost of
 * tracepoints, which run in the vCPU's thread. time(1) rounds to 10 ms.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int fail(const char *what)
{
	fprintf(stderr, "timed: %s: %s\n", what, strerror(errno));
	return EXIT_FAILURE;
}

static long long ns(const struct timeval *tv)
{
	return ((long long)tv->tv_sec * 1000000 + tv->tv_usec) * 1000;
}

int main(int argc, char **argv)
{
	struct rusage usage;
	int status;
	FILE *file;
	pid_t pid;

	if (argc < 3) {
		fputs("Usage: timed FILE COMMAND...\n", stderr);
		return 2;
	}
	pid = fork();
	if (pid < 0)
		return fail("fork");
	if (pid == 0) {
		execvp(argv[2], argv + 2);
		_exit(fail(argv[2]));
	}
	if (wait4(pid, &status, 0, &usage) < 0)
		return fail("wait4");
	file = fopen(argv[1], "we");
	if (!file)
		return fail(argv[1]);
	fprintf(file, "%lld\n", ns(&usage.ru_utime) + ns(&usage.ru_stime));
	if (fclose(file))
		return fail(argv[1]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
