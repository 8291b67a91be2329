// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "command/arguments.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "command/commands.h"

int arguments_bad(const char *command, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "kvmbpf %s: ", command);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "; see kvmbpf %s --help\n", command);
	return EXIT_USAGE;
}

int arguments_refused(const char *command)
{
	fprintf(stderr, "kvmbpf %s: see kvmbpf %s --help\n", command, command);
	return EXIT_USAGE;
}

int arguments_seconds(const char *text, double *ret_seconds)
{
	char *end;
	double seconds;

	errno = 0;
	seconds = strtod(text, &end);
	if (end == text || *end || errno || !(seconds >= 0) || seconds > SECONDS_MAX)
		return -EINVAL;
	*ret_seconds = seconds;
	return 0;
}
