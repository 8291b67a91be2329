/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* What the subcommands' options have in common. */
#ifndef PMDAKVM_ARGUMENTS_H
#define PMDAKVM_ARGUMENTS_H

/* The longest duration that an option takes, in seconds. */
#define SECONDS_MAX 1e9

/*
 * Say on stderr that an argument is bad: "kvmbpf COMMAND: ", the message, and which help to see.
 * Returns EXIT_USAGE.
 */
int arguments_bad(const char *command, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* getopt has said what is wrong with an option: which help to see. Returns EXIT_USAGE. */
int arguments_refused(const char *command);

/* Parse a number of seconds from 0 to SECONDS_MAX. Returns 0 or -EINVAL. */
int arguments_seconds(const char *text, double *ret_seconds);

#endif /* PMDAKVM_ARGUMENTS_H */
