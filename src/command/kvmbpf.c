// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* kvmbpf: runs the BPF programs and shows their counters without PCP. */
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/commands.h"

/* Each subcommand has a file of its name, its function in commands.h, and a row here. */
static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{ "dump", command_dump, "count events for a while, then print all counters" },
	{ "events", command_events, "list KVM's tracepoints, and which can be counted" },
	{ "save", command_save, "count events for a while, then save all counters to a file" },
	{ "vms", command_vms, "list VMs and their names" },
	{ "top", command_top, "show which VMs exit most, why, and what it costs, as it happens" },
	{ "stat", command_stat, "print a line per interval, for logs" },
	{ "doctor", command_doctor,
	  "say what works on this host, why the rest does not, what to do" },
};

static void usage(FILE *out)
{
	fputs("Usage: kvmbpf COMMAND [OPTION]...\n"
	      "Count what KVM guests cost their host, with eBPF.\n\nCommands:\n",
	      out);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].help);
	fputs("\nOptions:\n"
	      "  -h, --help     show this text\n"
	      "  -V, --version  show the version\n"
	      "\n\"kvmbpf COMMAND --help\" lists the options of a command. See kvmbpf(8).\n",
	      out);
}

/* Run it under its whole name, by which getopt says what is wrong. */
static int command_run(const char *name, int (*run)(int argc, char **argv), int argc, char **argv)
{
	char whole[32];

	snprintf(whole, sizeof(whole), "kvmbpf %s", name);
	argv[0] = whole;
	return run(argc, argv);
}

/* What a command has printed may not be written yet. Returns the exit status. */
static int finish(int status)
{
	errno = 0;
	if (status || (!fflush(stdout) && !ferror(stdout)))
		return status;
	if (errno != EPIPE)
		fprintf(stderr, "kvmbpf: cannot write the output: %s\n",
			strerror(errno ? errno : EIO));
	return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : NULL;

	/*
	 * Names of VMs are UTF-8 in every locale, and PCP's tools print them as they are.
	 * libsmartcols would escape what the locale does not know.
	 */
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		setlocale(LC_CTYPE, "");

	if (!word) {
		usage(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0) {
		usage(stdout);
		return finish(0);
	}
	if (strcmp(word, "-V") == 0 || strcmp(word, "--version") == 0) {
		puts("kvmbpf " PMDAKVM_VERSION);
		return finish(0);
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(word, commands[i].name) == 0)
			return finish(command_run(word, commands[i].run, argc - 1, argv + 1));
	}
	fprintf(stderr, "kvmbpf: unknown command \"%s\"; see kvmbpf --help\n", word);
	return EXIT_USAGE;
}
