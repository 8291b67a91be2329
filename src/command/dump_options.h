/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* The options of kvmbpf dump and kvmbpf save. */
#ifndef PMDAKVM_DUMP_OPTIONS_H
#define PMDAKVM_DUMP_OPTIONS_H

#include <stdbool.h>

#include "base/config.h"
#include "command/selection.h"
#include "command/sheet.h"

enum dump_format { DUMP_TABLE, DUMP_JSON, DUMP_CSV, DUMP_OPENMETRICS, DUMP_PROMETHEUS };

struct dump_options {
	struct config config;
	const char *config_path;
	const char *save;     /* also write what was read to this file */
	const char *from;     /* print this file, and count nothing */
	const char *since;    /* subtract this file's counters */
	const char *textfile; /* write this file again and again */
	const char **metrics; /* patterns of -m */
	size_t nmetrics;
	char **made; /* patterns made of others, to be freed */
	size_t nmade;
	struct selection selection;
	struct sheet_choice choice;
	enum dump_format format;
	double seconds; /* negative: until interrupted */
	double delta;	/* print what happens in that many seconds; negative: no */
	bool events;	/* -e was given */
	bool all;
	bool awake; /* --no-halt */
	bool slow;  /* --slow */
	bool verbose;
};

/* Make options of a command line. */
int dump_options_init(struct dump_options *options, int argc);
void dump_options_free(struct dump_options *options);

/*
 * Parse the command line of "dump" or "save". Returns 0; an exit status after an error message; or
 * -1 for --help, which was printed.
 */
int dump_options_parse(int argc, char **argv, struct dump_options *options);

/*
 * Take one of the options that say what to count: -1 -c -d -e -v. Returns 0, an exit status after
 * an error message, or DUMP_OPTION_OTHER.
 */
int dump_options_count(const char *command, int c, struct dump_options *options);
#define DUMP_OPTION_OTHER (-2)

/*
 * Choose the events to count: those of -e, of the file of -c, or else all; none if what is wanted
 * is not of events. Returns 0 or -ENOMEM.
 */
int dump_options_configure(struct dump_options *options);

#endif /* PMDAKVM_DUMP_OPTIONS_H */
