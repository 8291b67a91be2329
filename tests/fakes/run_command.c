// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/run_command.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fakes/support.h"

char *out, *err_out;

/* Let a descriptor be that of a file; returns a copy of what it was. */
static int redirect(int fd, const char *path)
{
	int saved = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(saved >= 0 && file >= 0);
	assert_int_equal(dup2(file, fd), fd);
	close(file);
	return saved;
}

static void restore(int fd, int saved)
{
	assert_int_equal(dup2(saved, fd), fd);
	close(saved);
}

int run_command(const char *path, int (*command)(int argc, char **argv), char **argv)
{
	int argc = 0, status, saved_out, saved_err;

	while (argv[argc])
		argc++;
	fflush(stdout);
	saved_out = redirect(STDOUT_FILENO, path);
	saved_err = redirect(STDERR_FILENO, "stderr");
	optind = 0; /* glibc: begin anew */
	status = command(argc, argv);
	fflush(stdout);
	clearerr(stdout);
	restore(STDOUT_FILENO, saved_out);
	restore(STDERR_FILENO, saved_err);
	run_command_free();
	out = read_text(path);
	err_out = read_text("stderr");
	return status;
}

void run_command_free(void)
{
	free(out);
	free(err_out);
	out = err_out = NULL;
}

void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in: %s", part, text);
}

void assert_has_not(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("\"%s\" is in: %s", part, text);
}
