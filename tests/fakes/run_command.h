/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Runs a subcommand of kvmbpf in the test's own process, and keeps what it prints. */
#ifndef PMDAKVM_TESTS_RUN_COMMAND_H
#define PMDAKVM_TESTS_RUN_COMMAND_H

/* What the last run has printed; the test frees it by run_command_free(). */
extern char *out, *err_out;

/* An argument. */
#define A(text) ((char *)(text))

/*
 * Run a subcommand with the arguments, which end with NULL; its standard output is the file.
 * Returns the exit status.
 */
int run_command(const char *path, int (*command)(int argc, char **argv), char **argv);
void run_command_free(void);

void assert_has(const char *text, const char *part);
void assert_has_not(const char *text, const char *part);

#endif /* PMDAKVM_TESTS_RUN_COMMAND_H */
